"""Condensed sets as PyTorch reads them."""

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from condensation.core.condensed import CondensedDataset
from condensation.core.pictures import pictures


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
