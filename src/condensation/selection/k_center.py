"""k_center: images that cover their class, so that the farthest image of it lies as near as can be.

Greedy 2-approximation of the k-center problem in the features of a network: Sener and Savarese, "Active learning for
convolutional neural networks: a core-set approach", ICLR 2018, algorithm 1. The first centre is the image nearest to
the mean of its class.
"""

from pathlib import Path

import numpy as np

from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.runlog import RunLog
from condensation.selection.features import choose_by_class


class Params(Section):
    """No choices; the seed enters through the teacher, one for each seed."""


def centres(features: np.ndarray, count: int) -> np.ndarray:
    """Positions of ``count`` rows of ``features`` (n, d): each is the row farthest from those before it."""
    order = [int(np.linalg.norm(features - features.mean(axis=0), axis=1).argmin())]
    nearest = np.linalg.norm(features - features[order[0]], axis=1)
    while len(order) < count:
        nearest[order[-1]] = -1.0
        order.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(features - features[order[-1]], axis=1))
        nearest[order] = -1.0
    return np.array(order)


def condense(
    train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog, teacher: Path
) -> CondensedDataset:
    """Choose the centres of each class in the features of the teacher that belongs to ``seed``."""
    chosen = choose_by_class(train, teacher, lambda features: centres(features, images_per_class))
    return CondensedDataset.of_selection(
        train, chosen, method="k_center", images_per_class=images_per_class, seed=seed, params=params
    )
