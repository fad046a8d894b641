"""Tiny image sets for the PyTorch rooms."""

import numpy as np
import pytest

from condensation.core.images import ImageSet


def blobs(per_class: int, *, classes: int = 3, side: int = 8, channels: int = 1, seed: int = 0) -> ImageSet:
    """Images that a small network tells apart: a bright square in a place of the class's own, and noise."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), per_class).astype(np.int64)
    images = rng.integers(0, 90, (len(labels), side, side, channels))
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4] += 150
    return ImageSet(images.astype(np.uint8), labels, tuple(f"c{i}" for i in range(classes)), "blobs")


@pytest.fixture
def train() -> ImageSet:
    return blobs(12)


@pytest.fixture
def test() -> ImageSet:
    return blobs(8, seed=1)
