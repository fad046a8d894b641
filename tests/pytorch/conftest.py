"""Tiny image sets for the PyTorch rooms."""

import numpy as np
import pytest
import torch

from condensation.core.images import ImageSet

torch.set_num_threads(1)  # arrays this small gain nothing from a second core, and lose much when it is busy


def stripes(per_class: int, *, side: int = 8, channels: int = 1, seed: int = 0) -> ImageSet:
    """Three classes that a small network tells apart, rows, columns and a chessboard, under noise."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), per_class).astype(np.int64)
    row, column = np.indices((side, side)) % 2
    patterns = np.stack([row, column, row ^ column])[labels][..., None]
    images = 100 * patterns + rng.integers(0, 150, (len(labels), side, side, channels))
    return ImageSet(images.astype(np.uint8), labels, ("rows", "columns", "chessboard"), "stripes")


@pytest.fixture
def train() -> ImageSet:
    return stripes(12)


@pytest.fixture
def test() -> ImageSet:
    return stripes(8, seed=1)
