"""random: images drawn uniformly from each class; the floor that every method must beat."""

import numpy as np

from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.randomness import generator
from condensation.core.runlog import RunLog


class Params(Section):
    """No choices."""


def draw(train: ImageSet, images_per_class: int, seed: int) -> np.ndarray:
    """Positions of ``images_per_class`` images of each class, without replacement, int (n,), class after class."""
    rng = generator(seed, "random")
    return np.concatenate(
        [rng.choice(train.indices_of(label), images_per_class, replace=False) for label in range(train.classes)]
    )


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """Draw ``images_per_class`` images of each class without replacement."""
    chosen = draw(train, images_per_class, seed)
    return CondensedDataset.of_selection(
        train, chosen, method="random", images_per_class=images_per_class, seed=seed, params=params
    )
