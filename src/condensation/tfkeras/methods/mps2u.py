"""MPS2U: a reinforcement-learning agent that chooses which real images stand for their class.

The MPS family's main system: a small CNN is trained on the real data with early stopping and a limit of epochs by data
set; an agent with replay memory replaces samples of the current set by candidates of their class, rewarded for what
the change brings; the best set on held-out images is kept. Whole batches in compiled graphs throughout.

Differences from the authors' description, on purpose: the agent's choices change the set; its default reward is the
gain of a last layer on held-out images, not the CNN's agreement alone; the candidates are the images of each class that
the CNN is surest of, and the agent starts from k-means in its features rather than from random images.
"""

import numpy as np
from pydantic import Field

from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.tfkeras.pool import Pool, confident
from condensation.tfkeras.representatives import k_means
from condensation.tfkeras.system import Desk, SystemParams, condense_by


class Params(SystemParams):
    """confident: share of each class, those with the largest margin of the CNN, that are candidates."""

    confident: float = Field(gt=0, le=1)


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """``images_per_class`` real images of each class, chosen by the agent; hard labels.

    Raises InputError when a class has too few images for the set beside the hold-out.
    """

    def candidates(desk: Desk) -> tuple[Pool, np.ndarray]:
        everything = Pool.of(desk.model, desk.train.pixels(), desk.train.labels)
        pool = confident(everything, params.confident, desk.sizes)
        return pool, representatives(pool, desk.sizes, desk.seed)

    return condense_by(
        candidates, train, method="mps2u", images_per_class=images_per_class, params=params, seed=seed, log=log
    )


def representatives(pool: Pool, sizes: np.ndarray, seed: int) -> np.ndarray:
    """k-means in the CNN's features at unit length, class by class: int (size,), sorted by class."""
    directions = pool.features / (np.linalg.norm(pool.features, axis=1, keepdims=True) + 1e-12)
    chosen = []
    for label, size in enumerate(sizes):
        own = pool.members(label)
        chosen.append(own[k_means(directions[own], int(size), derive(seed, "start", label))])
    return np.concatenate(chosen)
