"""Condensed sets as PyTorch reads them."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import TensorDataset

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError


def to_torch(condensed: CondensedDataset) -> TensorDataset:
    """Pairs of float32 (c, h, w) at pixel scale and an int64 label, or a float32 soft label (classes,).

    An image that holds several pictures gives as many pairs.
    """
    count = condensed.provenance.pictures_per_image
    return TensorDataset(
        torch.from_numpy(pictures(condensed.images, count).transpose(0, 3, 1, 2).copy()),
        targets(condensed.labels, condensed.soft_labels, count),
    )


def targets(labels: np.ndarray, soft_labels: np.ndarray | None, pictures_per_image: int = 1) -> Tensor:
    """What each picture is to be called: int64 (n * pictures,), or float32 (n * pictures, classes) rows summing to 1.

    labels: int64 (n,). soft_labels: float (n, pictures, classes), taken in place of the labels, or None.
    """
    if soft_labels is None:
        return torch.from_numpy(np.repeat(labels, pictures_per_image))
    soft = soft_labels.astype(np.float32).reshape(-1, soft_labels.shape[-1])
    return torch.from_numpy(soft / soft.sum(1, keepdims=True))


def pictures(images: np.ndarray, pictures_per_image: int) -> np.ndarray:
    """float32 (n, h, w, c) to (n * pictures, h, w, c): each image is a square grid of pictures, read by rows.

    The pictures are enlarged bilinearly to the size of the image. InputError when they do not form such a grid.
    """
    side = math.isqrt(pictures_per_image)
    n, h, w, c = images.shape
    if side * side != pictures_per_image or h % side or w % side:
        raise InputError(
            f"{pictures_per_image} pictures do not fit an image of {h}x{w}; allowed: squares of common divisors"
        )
    if side == 1:
        return images
    cells = images.reshape(n, side, h // side, side, w // side, c).transpose(0, 1, 3, 5, 2, 4)
    small = torch.from_numpy(cells.reshape(n * pictures_per_image, c, h // side, w // side))
    large = functional.interpolate(small, size=(h, w), mode="bilinear", align_corners=False)
    return large.numpy().transpose(0, 2, 3, 1)
