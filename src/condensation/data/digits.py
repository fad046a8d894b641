"""Digits: the 1,797 images of 8x8 that come inside scikit-learn; no download, no test split."""

from pathlib import Path

import numpy as np

from condensation.core.files import write_npz


def write_digits(folder: Path) -> None:
    """Write ``digits.npz``: images uint8 (1797, 8, 8, 1), the original 0..16 spread over 0..255, and labels."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    names = np.array([str(name) for name in bunch.target_names])
    write_npz(folder / "digits.npz", {"images": images, "labels": bunch.target.astype(np.int64), "class_names": names})
