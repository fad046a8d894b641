"""MPS2: the family's agent on any data set, with early stopping and limits of epochs by data set.

The candidates are random training images and the agent starts from a random set of them, as its authors describe it.
Difference on purpose: the agent's choices change the set.
"""

import numpy as np
from pydantic import Field

from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.tfkeras.pool import Pool, random_pool
from condensation.tfkeras.ridge import RidgeScore
from condensation.tfkeras.system import Desk, SystemParams, condense_by, random_start


class Params(SystemParams):
    """candidates: random training images that the agent chooses among, spread evenly over the classes."""

    candidates: int = Field(ge=1)


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """``images_per_class`` real images of each class, chosen by the agent; hard labels.

    Raises InputError when a class has too few images for the set beside the hold-out.
    """

    def candidates(desk: Desk) -> tuple[Pool, RidgeScore, np.ndarray]:
        pool = random_pool(desk.model, desk.train, params.candidates, desk.sizes, derive(desk.seed, "candidates"))
        return pool, desk.ridge(pool), random_start(pool, desk.sizes, derive(desk.seed, "start"))

    return condense_by(
        candidates, train, method="mps2", images_per_class=images_per_class, params=params, seed=seed, log=log
    )
