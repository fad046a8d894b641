"""The idx files of MNIST and Fashion-MNIST (LeCun's format: magic, sizes, then the bytes), read with numpy alone."""

import math
from pathlib import Path

import numpy as np

from condensation.core.errors import InputError
from condensation.data.splits import Splits

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
CLASS_NAMES = {
    "mnist": tuple("0123456789"),
    "fashionmnist": (
        *("T-shirt", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
}


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """An idx file of bytes as uint8 with that many dimensions; InputError when magic or size is wrong."""
    content = path.read_bytes()
    magic, header = 0x0800 + dimensions, 4 + 4 * dimensions
    if len(content) < header or int.from_bytes(content[:4], "big") != magic:
        raise InputError(
            f"{path} is not an idx file of {dimensions} dimensions: it starts with {content[:4].hex() or 'nothing'}, "
            f"expected {magic:08x}"
        )
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, 4))
    promised = header + math.prod(shape)
    if len(content) != promised:
        raise InputError(f"{path} has {len(content)} bytes, but its header promises {promised}: cut short or damaged")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_idx_splits(raw: Path, dataset: str) -> Splits:
    """MNIST or Fashion-MNIST from its four files: images uint8 (n, 28, 28, 1)."""
    arrays = {
        split: (read_idx(raw / images, 3)[..., None], read_idx(raw / labels, 1))
        for split, (images, labels) in FILES.items()
    }
    return Splits.build(dataset, CLASS_NAMES[dataset], arrays["train"], arrays["test"])
