"""The features of a teacher, in which herding, k-center and k-means measure distance."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from condensation.core.errors import InputError
from condensation.core.files import read_npz
from condensation.core.images import ImageSet


def teacher_features(teacher: Path, train: ImageSet) -> np.ndarray:
    """Features of the training images, float32 (n, d), rows scaled to length 1.

    Raises InputError when the teacher was trained on other data than ``train``.
    """
    arrays = read_npz(teacher / "features.npz")
    features = arrays["features"].astype(np.float32)
    if len(features) != len(train):
        raise InputError(
            f"{teacher} holds features of {len(features)} images, not of the {len(train)} of {train.dataset}"
        )
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12), np.float32)


def choose_by_class(train: ImageSet, teacher: Path, rule: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Positions in ``train`` that ``rule`` chooses, class after class; it maps features (m, d) to rows, int (k,)."""
    features = teacher_features(teacher, train)
    members = [train.indices_of(label) for label in range(train.classes)]
    return np.concatenate([indices[rule(features[indices])] for indices in members])
