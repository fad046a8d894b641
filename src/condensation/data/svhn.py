"""SVHN, cropped digits, from its two MATLAB files."""

import zlib
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from condensation.core.errors import InputError
from condensation.data.splits import Splits

FILES = {"train": "train_32x32.mat", "test": "test_32x32.mat"}
DAMAGE = (MatReadError, ValueError, TypeError, NotImplementedError, EOFError, LookupError, OSError, zlib.error)


def _read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (n, 32, 32, 3) and labels 0..9 (n,); the file writes the digit 0 as 10."""
    try:
        arrays = loadmat(path, variable_names=["X", "y"])
        images, labels = arrays["X"], arrays["y"].reshape(-1).astype(np.int64)
    except DAMAGE as error:
        raise InputError(f"{path} is not SVHN's MATLAB file with X and y: {error}") from None
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:3] != (32, 32, 3):
        raise InputError(f"{path}: X must be uint8 (32, 32, 3, n), got {images.dtype} {images.shape}")
    return images.transpose(3, 0, 1, 2), np.where(labels == 10, 0, labels)


def read_svhn_splits(raw: Path, dataset: str) -> Splits:
    """SVHN's train and test files."""
    train, test = (_read_mat(raw / FILES[split]) for split in ("train", "test"))
    return Splits.build(dataset, tuple("0123456789"), train, test)
