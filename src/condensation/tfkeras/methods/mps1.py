"""MPS1: the first system of the family. An agent with a linear Q-network selects from 1000 random training examples.

The authors describe it for MNIST with a set of 437 samples in all, which ``samples: 437`` at 44 images per class
reproduces; here it takes any data set and size. Difference on purpose: the agent's choices change the set.
"""

import numpy as np
from pydantic import Field

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.images import ImageSet
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.tfkeras.pool import Pool, random_pool
from condensation.tfkeras.ridge import RidgeScore
from condensation.tfkeras.system import Desk, SystemParams, condense_by, random_start


class Params(SystemParams):
    """The numbers that have a default are the authors'.

    candidates: random training images that the agent chooses among, spread evenly over the classes.
    samples: how many the set holds in all, the first classes one more than the last; null for ``images_per_class`` of
    each class.
    """

    candidates: int = Field(1000, ge=1)
    samples: int | None = Field(ge=1)


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """``images_per_class`` real images of each class (or ``samples`` in all), chosen by the agent; hard labels.

    Raises InputError when a class has too few images for the set beside the hold-out, or when ``samples`` do not
    spread over the classes as ``images_per_class`` at most.
    """

    def candidates(desk: Desk) -> tuple[Pool, RidgeScore, np.ndarray]:
        pool = random_pool(desk.model, desk.train, params.candidates, desk.sizes, derive(desk.seed, "candidates"))
        return pool, desk.ridge(pool), random_start(pool, desk.sizes, derive(desk.seed, "start"))

    return condense_by(
        candidates,
        train,
        method="mps1",
        images_per_class=images_per_class,
        params=params,
        seed=seed,
        log=log,
        sizes=class_sizes(train.classes, images_per_class, params.samples),
    )


def class_sizes(classes: int, images_per_class: int, samples: int | None) -> np.ndarray:
    """Images of each class, int (classes,): ``samples`` spread evenly, the first classes one more than the last."""
    if samples is None:
        return np.full(classes, images_per_class)
    if -(-samples // classes) != images_per_class:
        low, high = (images_per_class - 1) * classes + 1, images_per_class * classes
        raise InputError(
            f"{samples} samples do not spread over {classes} classes at {images_per_class} images per class; "
            f"allowed: {low}..{high}"
        )
    return samples // classes + (np.arange(classes) < samples % classes)
