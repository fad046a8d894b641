"""MPS2U: a reinforcement-learning agent that chooses which real images stand for their class.

The MPS family's main system: a small CNN is trained on the real data with early stopping and a limit of epochs by data
set; an agent with replay memory replaces samples of the current set by candidates of their class, rewarded for what
the change brings; the best set on held-out images is kept. Whole batches in compiled graphs throughout.

Differences from the authors' description, on purpose: the agent's choices change the set; its default reward is the
gain of a last layer on held-out images, not the CNN's agreement alone; it starts from k-means in the CNN's features,
and its candidates are those images of each class that the CNN is surest of. How large a share of a class that is,
held-out images decide: on hard data sure images teach more, on easy ones all.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from condensation.core.clusters import representatives
from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.tfkeras.pool import Pool, confident, random_pool
from condensation.tfkeras.ridge import RidgeScore
from condensation.tfkeras.system import Desk, SystemParams, condense_by


class Params(SystemParams):
    """candidates: random training images, spread evenly over the classes, of which the surest are taken.

    confident: shares of a class to try, those with the largest margin of the CNN.
    """

    candidates: int = Field(ge=1)
    confident: list[Annotated[float, Field(gt=0, le=1)]] = Field(min_length=1)


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """``images_per_class`` real images of each class, chosen by the agent; hard labels.

    Raises InputError when a class has too few images for the set beside the hold-out.
    """

    def candidates(desk: Desk) -> tuple[Pool, RidgeScore, np.ndarray]:
        seed = derive(desk.seed, "candidates")
        pool = random_pool(desk.model, desk.train, params.candidates, desk.sizes, seed)
        return best_share(pool, desk.ridge(pool), params.confident, desk.sizes, desk.seed)

    return condense_by(
        candidates, train, method="mps2u", images_per_class=images_per_class, params=params, seed=seed, log=log
    )


def best_share(
    pool: Pool, ridge: RidgeScore, shares: Sequence[float], sizes: np.ndarray, seed: int
) -> tuple[Pool, RidgeScore, np.ndarray]:
    """The surest candidates, their layer and their k-means, for the share whose k-means scores best on the hold-out."""
    tried = []
    for share in shares:
        kept = confident(pool, share, sizes)
        start = spread_out(pool.take(kept), sizes, seed)
        ridge.fit(kept[start])
        tried.append((ridge.value, kept, start))
    _, kept, start = max(tried, key=lambda one: one[0])
    return pool.take(kept), ridge.take(kept), start


def spread_out(pool: Pool, sizes: np.ndarray, seed: int) -> np.ndarray:
    """k-means in the CNN's features, class by class: int (size,), sorted by class."""
    chosen = []
    for label, size in enumerate(sizes):
        own = pool.members(label)
        chosen.append(own[representatives(pool.features[own], int(size), derive(seed, "start", label))])
    return np.concatenate(chosen)
