"""herding: images whose running mean of features stays closest to the mean of their class.

Welling, "Herding dynamical weights to learn", ICML 2009; as a coreset of a network's features: Rebuffi et al.,
"iCaRL", CVPR 2017, algorithm 4.
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


def herd(features: np.ndarray, count: int) -> np.ndarray:
    """Positions of ``count`` rows of ``features`` (n, d), in the order in which herding takes them."""
    target = features.mean(axis=0)
    taken = np.zeros(len(features), bool)
    total = np.zeros_like(target)
    order = []
    for step in range(1, count + 1):
        distances = np.linalg.norm(target - (total + features) / step, axis=1)
        distances[taken] = np.inf
        best = int(distances.argmin())
        taken[best] = True
        total = total + features[best]
        order.append(best)
    return np.array(order)


def condense(
    train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog, teacher: Path
) -> CondensedDataset:
    """Herd each class in the features of the teacher that belongs to ``seed``."""
    chosen = choose_by_class(train, teacher, lambda features: herd(features, images_per_class))
    return CondensedDataset.of_selection(
        train, chosen, method="herding", images_per_class=images_per_class, seed=seed, params=params
    )
