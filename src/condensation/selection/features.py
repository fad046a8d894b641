"""The features of a teacher, in which herding, k-center and k-means measure distance."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from condensation.core.images import ImageSet
from condensation.core.taught import Taught


def choose_by_class(train: ImageSet, teacher: Path, rule: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Positions in ``train`` that ``rule`` chooses, class after class; it maps features (m, d) to rows, int (k,)."""
    features = Taught.load(teacher, train).directions()
    members = [train.indices_of(label) for label in range(train.classes)]
    return np.concatenate([indices[rule(features[indices])] for indices in members])
