"""Learned images on their way in and out: the scale they are optimised at, and what they start from."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from condensation.core.images import ImageSet
from condensation.core.randomness import generator

Initialisation = Literal["noise", "real", "white", "black", "grey"]
LEVELS = {"white": 1.0, "black": 0.0, "grey": 0.5}
PARTING = 0.01


@dataclass(frozen=True)
class Scale:
    """Pixel scale to normalised and back: per channel, mean 0 and deviation 1 over the training images.

    mean, deviation: float32 (1, c, 1, 1), in pixel scale.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    @staticmethod
    def of(train: ImageSet) -> "Scale":
        """The scale of a training set, exact: from the counts of the 256 values of each channel."""
        channels = train.image_shape[2]
        counts = np.stack([np.bincount(train.images[..., c].ravel(), minlength=256) for c in range(channels)])
        share, level = counts / counts.sum(1, keepdims=True), np.arange(256) / 255
        mean = share @ level
        deviation = np.sqrt(np.maximum((share * (level - mean[:, None]) ** 2).sum(1), 1e-12))
        shaped = [torch.tensor(v, dtype=torch.float32).view(1, channels, 1, 1) for v in (mean, deviation)]
        return Scale(*shaped)

    def normalise(self, pixels: np.ndarray) -> torch.Tensor:
        """Pixel scale float32 (n, h, w, c) to normalised float32 (n, c, h, w)."""
        return (channels_first(pixels) - self.mean) / self.deviation

    def pixels(self, images: torch.Tensor) -> np.ndarray:
        """Normalised float32 (n, c, h, w) to pixel scale float32 (n, h, w, c); nothing is clipped."""
        return (images.detach().cpu() * self.deviation + self.mean).permute(0, 2, 3, 1).contiguous().numpy()


def channels_first(images: np.ndarray) -> torch.Tensor:
    """A copy of float32 (n, h, w, c) as (n, c, h, w), aligned and with the plain strides of that shape.

    With one channel, permute and contiguous leave strides that also pass for channels-last: convolutions then take
    another path, and equal pixels give unequal rounding before and after a checkpoint.
    """
    n, h, w, c = images.shape
    return torch.empty(n, c, h, w).copy_(torch.from_numpy(images).permute(0, 3, 1, 2))


def initialise(
    kind: Initialisation, train: ImageSet, *, images_per_class: int, scale: Scale, seed: int
) -> torch.Tensor:
    """Normalised float32 (classes * images_per_class, c, h, w), sorted by class.

    noise: standard normal at normalised scale, as published; real: distinct training images of the class;
    white, black, grey: that level, exactly at one image per class; with more, noise of deviation 0.01 lets the
    images of a class part (equal images would get equal gradients for ever).
    """
    rng = generator(seed, "initialisation")
    height, width, channels = train.image_shape
    n = train.classes * images_per_class
    if kind == "real":
        chosen = [rng.choice(train.indices_of(c), images_per_class, replace=False) for c in range(train.classes)]
        return scale.normalise(train.pixels(np.concatenate(chosen)))
    noise = rng.standard_normal((n, height, width, channels), np.float32)
    if kind == "noise":
        return channels_first(noise)
    return scale.normalise(
        np.float32(LEVELS[kind]) + (noise * np.float32(PARTING) if images_per_class > 1 else noise * 0)
    )


def labels_of(classes: int, images_per_class: int) -> torch.Tensor:
    """The labels of a set sorted by class: int64 (classes * images_per_class,)."""
    return torch.arange(classes).repeat_interleave(images_per_class)
