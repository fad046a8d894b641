"""Learned images on their way in and out: the scale they are optimised at, what they start from, what they hold."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from condensation.core.images import ImageSet
from condensation.core.pictures import grid_side
from condensation.core.randomness import generator
from condensation.pytorch.teacher import normalisation

Initialisation = Literal["noise", "real", "white", "black", "grey"]
LEVELS = {"white": 1.0, "black": 0.0, "grey": 0.5}
PARTING = 0.01
STATISTICS_PER_CLASS = 16


@dataclass(frozen=True)
class Scale:
    """Pixel scale to normalised and back: per channel, mean 0 and deviation 1 over the training images.

    mean, deviation: float32 (1, c, 1, 1), at pixel scale.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    @staticmethod
    def of(train: ImageSet) -> "Scale":
        """The scale of a training set."""
        mean, deviation = normalisation(train)
        return Scale(torch.tensor(mean).view(1, -1, 1, 1), torch.tensor(deviation).view(1, -1, 1, 1))

    def normalise(self, images: np.ndarray) -> torch.Tensor:
        """Pixel scale float32 (n, h, w, c) to normalised float32 (n, c, h, w)."""
        return (channels_first(images) - self.mean) / self.deviation

    def pixels(self, images: torch.Tensor) -> np.ndarray:
        """Normalised float32 (n, c, h, w) to pixel scale float32 (n, h, w, c); nothing is clipped."""
        return (images.detach() * self.deviation + self.mean).permute(0, 2, 3, 1).contiguous().numpy()


def channels_first(images: np.ndarray) -> torch.Tensor:
    """A copy of float32 (n, h, w, c) as (n, c, h, w), aligned and with the plain strides of that shape.

    With one channel, permute and contiguous leave strides that also pass for channels-last: convolutions then take
    another path, and equal pixels give unequal rounding before and after a checkpoint.
    """
    n, h, w, c = images.shape
    return torch.empty(n, c, h, w).copy_(torch.from_numpy(images).permute(0, 3, 1, 2))


def real_batch(train: ImageSet, label: int, count: int | None, scale: Scale, seed: int) -> torch.Tensor:
    """Up to ``count`` (None: all) distinct random images of a class: normalised float32 (k, c, h, w)."""
    members = train.indices_of(label)
    if count is not None and count < len(members):
        members = generator(seed, "real", label).choice(members, count, replace=False)
    return scale.normalise(train.pixels(members))


def statistics_batch(train: ImageSet, scale: Scale, seed: int) -> torch.Tensor:
    """16 random real images of each class, as BatchNorm statistics are taken from: normalised (k, c, h, w)."""
    return torch.cat([real_batch(train, c, STATISTICS_PER_CLASS, scale, seed) for c in range(train.classes)])


def initialise(
    kind: Initialisation,
    train: ImageSet,
    *,
    images_per_class: int,
    seed: int,
    scale: Scale,
    pictures_per_image: int = 1,
) -> torch.Tensor:
    """Normalised float32 (classes * images_per_class, c, h, w), sorted by class.

    noise: standard normal at normalised scale, as published; real: distinct training images of the class (shrunk to
    ``pictures_per_image`` for each image, repeating where a class has too few); white, black, grey: that level,
    exactly at one image per class; with more, noise of deviation 0.01 lets the images of a class part (equal images
    would get equal gradients for ever).
    """
    rng = generator(seed, "initialisation")
    height, width, channels = train.image_shape
    n = train.classes * images_per_class
    if kind == "real":
        return _real(train, images_per_class, pictures_per_image, scale, rng)
    noise = rng.standard_normal((n, height, width, channels), np.float32)
    if kind == "noise":
        return channels_first(noise)
    spread = np.float32(PARTING if images_per_class > 1 else 0)
    return scale.normalise(np.float32(LEVELS[kind]) + spread * noise)


def _real(train: ImageSet, images_per_class: int, count: int, scale: Scale, rng: np.random.Generator) -> torch.Tensor:
    wanted = images_per_class * count
    members = [train.indices_of(label) for label in range(train.classes)]
    chosen = np.concatenate([rng.choice(m, wanted, replace=wanted > len(m)) for m in members])
    return tiled(scale.normalise(train.pixels(chosen)), count)


def tiled(images: torch.Tensor, count: int) -> torch.Tensor:
    """(n * count, c, h, w) to (n, c, h, w): each ``count`` images shrunk (by means) into a square grid, by rows.

    Pixels that the grid leaves over (core/pictures.py) are 0, the mean.
    """
    n, c, h, w = images.shape
    side = grid_side(h, w, count)
    if side == 1:
        return images
    high, wide = h // side, w // side
    small = functional.adaptive_avg_pool2d(images, (high, wide)).view(n // count, side, side, c, high, wide)
    grid = small.permute(0, 3, 1, 4, 2, 5).reshape(n // count, c, side * high, side * wide)
    return functional.pad(grid, (0, w - side * wide, 0, h - side * high))


def untiled(images: torch.Tensor, count: int) -> torch.Tensor:
    """(n, c, h, w) to (n * count, c, h, w): the pictures of each grid, enlarged bilinearly; differentiable.

    What a network sees of images that hold several pictures: ``core.pictures.pictures``, for tensors.
    """
    n, c, h, w = images.shape
    side = grid_side(h, w, count)
    if side == 1:
        return images
    high, wide = h // side, w // side
    grid = images[:, :, : side * high, : side * wide].reshape(n, c, side, high, side, wide)
    small = grid.permute(0, 2, 4, 1, 3, 5).reshape(n * count, c, high, wide)
    return functional.interpolate(small, size=(h, w), mode="bilinear", align_corners=False)


def labels_of(classes: int, images_per_class: int) -> torch.Tensor:
    """The labels of a set sorted by class: int64 (classes * images_per_class,)."""
    return torch.arange(classes).repeat_interleave(images_per_class)
