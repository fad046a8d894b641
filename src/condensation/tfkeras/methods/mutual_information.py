"""Mutual information: the agent chooses among the samples that tell most about their class.

As MPS2U, but the candidates are the 1000 samples of highest mutual information. What a sample tells is measured in the
CNN's features, given the samples that rank before it; see information.py. The authors' script ranks pixels and uses
their numbers as those of samples; this one ranks samples. The agent starts from the highest ones of each class.
A thousand are few for a set of five hundred: a class always gives several times what the set holds of it.
"""

import numpy as np
from pydantic import Field

from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.information import Information
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.tfkeras.pool import Pool, random_pool
from condensation.tfkeras.ridge import RidgeScore
from condensation.tfkeras.system import Desk, SystemParams, condense_by

SPARE = 8


class Params(SystemParams):
    """The number that has a default is the authors'.

    scored: random training images whose information is measured, spread evenly over the classes.
    candidates: how many of them, those of highest information, the agent chooses among; of each class at least
    ``SPARE`` times what the set holds of it.
    """

    scored: int = Field(ge=1)
    candidates: int = Field(1000, ge=1)


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """``images_per_class`` real images of each class, chosen by the agent; hard labels.

    The candidates' scores are kept in the table ``information``, in nats.
    Raises InputError when a class has too few images for the set beside the hold-out.
    """

    def candidates(desk: Desk) -> tuple[Pool, RidgeScore, np.ndarray]:
        pool = random_pool(desk.model, desk.train, params.scored, desk.sizes, derive(desk.seed, "scored"))
        ranked = ranking(pool, params.candidates, desk.sizes, log)
        kept = pool.take(ranked)
        start = np.concatenate([kept.members(label)[:size] for label, size in enumerate(desk.sizes)])
        return kept, desk.ridge(kept), start

    return condense_by(
        candidates,
        train,
        method="mutual_information",
        images_per_class=images_per_class,
        params=params,
        seed=seed,
        log=log,
    )


def ranking(pool: Pool, count: int, sizes: np.ndarray, log: RunLog) -> np.ndarray:
    """Positions of the ``count`` candidates that tell most, the same of each class, in the order of their ranks."""
    shares = np.maximum(-(-count // len(sizes)), SPARE * sizes)
    there = np.bincount(pool.labels, minlength=len(sizes))
    ranked = Information(pool.features, pool.labels, len(sizes)).rank(np.minimum(shares, there))
    log.table(
        "information",
        label=pool.labels[ranked.chosen],
        nats_alone=ranked.alone,
        nats_beyond=ranked.beyond,
        nats_together=np.cumsum(ranked.beyond),
    )
    return ranked.chosen
