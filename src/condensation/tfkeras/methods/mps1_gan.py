"""MPS1 with a GAN: the agent selects among real training examples and images that a class-conditional GAN made.

As MPS1; half of what the agent can choose is generated. The GAN is trained on the same real images, and the epoch is
kept whose images best train a last layer for the hold-out. Of its images that half of each class becomes candidates
whose label the CNN is surest of. See gan.py for what differs from the authors' script.
"""

import numpy as np
from pydantic import Field

from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.parts import part_of
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.tfkeras.gan import Gan, GanParams, picture, train_gan
from condensation.tfkeras.methods import mps1
from condensation.tfkeras.networks import features_of
from condensation.tfkeras.pool import Pool, confident, random_pool
from condensation.tfkeras.ridge import RidgeScore
from condensation.tfkeras.system import Desk, condense_by, random_start
from condensation.tfkeras.training import logits_of

SHOWN = 12
DRAWN = 2  # images made for each one that is kept


class Params(mps1.Params):
    """As MPS1's. generated: images of the GAN among the candidates, of each class."""

    generated: int = Field(ge=1)
    gan: GanParams


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """``images_per_class`` real or generated images of each class (or ``samples`` in all); hard labels.

    Keeps a picture of generated images, a row for each class, as the figure ``gan``.
    Raises InputError when a class has too few images for the set beside the hold-out, or when ``samples`` do not
    spread over the classes as ``images_per_class`` at most.
    """

    def candidates(desk: Desk) -> tuple[Pool, RidgeScore, np.ndarray]:
        real = random_pool(desk.model, desk.train, params.candidates, desk.sizes, derive(desk.seed, "candidates"))
        labels = np.repeat(np.arange(desk.train.classes), DRAWN * params.generated)
        drawn = Pool.of(desk.model, trained(desk, params.gan).generate(labels, derive(desk.seed, "generated")), labels)
        made = drawn.take(confident(drawn, 1 / DRAWN, np.zeros(desk.train.classes, np.int64)))
        shown = np.arange(len(made)) % params.generated < SHOWN
        log.figure("gan", picture(made.pixels[shown], min(SHOWN, params.generated)))
        pool = real.with_more(made)
        return pool, desk.ridge(pool), random_start(pool, desk.sizes, derive(desk.seed, "start"))

    return condense_by(
        candidates,
        train,
        method="mps1_gan",
        images_per_class=images_per_class,
        params=params,
        seed=seed,
        log=log,
        sizes=mps1.class_sizes(train.classes, images_per_class, params.samples),
    )


def trained(desk: Desk, params: GanParams) -> Gan:
    """The GAN, trained or found trained, at the epoch whose images best train a last layer for the hold-out."""
    gan = Gan(desk.train, desk.model, params, derive(desk.seed, "gan"))
    seen = features_of(desk.model)
    held = logits_of(seen, desk.held.images)

    def score(images: np.ndarray, labels: np.ndarray) -> float:
        layer = RidgeScore(
            logits_of(seen, images),
            labels,
            held,
            desk.held.labels,
            classes=desk.held.classes,
            penalty=desk.params.penalties[0],
        )
        layer.choose_penalty(desk.params.penalties, [np.arange(len(labels))])
        layer.fit(np.arange(len(labels)))
        return layer.value

    def make(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return train_gan(gan, desk.train, score, derive(desk.seed, "gan training"), log=desk.log, state=state)

    make(desk.log.keep("gan", lambda: make(part_of(desk.state, "gan"))))
    return gan
