"""Learned images on their way in and out: the scale they are optimised at, what they start from, what they hold."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from condensation.core.images import ImageSet
from condensation.core.pictures import BLUE, GREEN, RED, Tiling, enlargement
from condensation.core.randomness import generator
from condensation.pytorch.teacher import normalisation

Shrink = Callable[[torch.Tensor, tuple[int, int]], torch.Tensor]
"""(n, c, h, w) to another height and width."""
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
    return Storage(count, scale).store(scale.normalise(train.pixels(chosen)), functional.adaptive_avg_pool2d)


def nearest(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(n, c, h, w) to (n, c, *size): what enlarged bilinearly has the least squared distance from the images."""
    down, across = (_inverse(small, large) for small, large in zip(size, images.shape[2:], strict=True))
    return down @ images @ across.T


@cache
def _inverse(small: int, large: int) -> torch.Tensor:
    """The pseudo-inverse of enlarging, float32 (small, large)."""
    return torch.from_numpy(np.linalg.pinv(enlargement(small, large).astype(np.float64)).astype(np.float32))


@dataclass(frozen=True)
class Storage:
    """How images hold ``count`` pictures each: ``core.pictures`` for tensors, and its inverse.

    scale: of the images, stored and read. InputError from both when so many pictures do not fit.
    """

    count: int
    scale: Scale

    def store(self, images: torch.Tensor, shrink: Shrink = nearest) -> torch.Tensor:
        """(n * count, c, h, w) to (n, c, h, w): each ``count`` images shrunk and put side by side."""
        _, channels, height, width = images.shape
        tiling = Tiling.of((height, width, channels), self.count)
        if tiling.count == 1:
            return images
        if not tiling.shared_colours:
            return _side_by_side(images.unflatten(0, (-1, self.count)), tiling, shrink)
        pixels = images * self.scale.deviation + self.scale.mean
        bright = (pixels * pixels.new_tensor([RED, GREEN, BLUE]).view(1, 3, 1, 1)).sum(1, keepdim=True)
        colours = pixels[:, ::2] - bright
        planes = [
            _side_by_side(bright.view(-1, 2, self.count // 2, height, width).transpose(1, 2), tiling, shrink),
            _side_by_side(colours.view(-1, 2 * self.count, 1, height, width), tiling.colours, shrink),
        ]
        return (torch.cat(planes, 1) - self.scale.mean) / self.scale.deviation

    def read(self, images: torch.Tensor) -> torch.Tensor:
        """(n, c, h, w) to (n * count, c, h, w): the pictures, enlarged bilinearly; differentiable."""
        _, channels, height, width = images.shape
        tiling = Tiling.of((height, width, channels), self.count)
        if tiling.count == 1:
            return images
        if not tiling.shared_colours:
            return _large(images, tiling).flatten(0, 1)
        planes = images * self.scale.deviation + self.scale.mean
        bright = _large(planes[:, :2], tiling).transpose(1, 2).reshape(-1, 1, height, width)
        red, blue = _large(planes[:, 2:], tiling.colours).reshape(-1, 2, height, width).split(1, 1)
        pixels = bright + torch.cat([red, (RED * red + BLUE * blue) / -GREEN, blue], 1)
        return (pixels - self.scale.mean) / self.scale.deviation


def _side_by_side(images: torch.Tensor, tiling: Tiling, shrink: Shrink) -> torch.Tensor:
    """(n, rows * columns, c, h, w) to (n, c, h, w): the images shrunk into a grid, by rows, and 0 beside it."""
    n, _, c, h, w = images.shape
    rows, columns = tiling.rows, tiling.columns
    high, wide = h // rows, w // columns
    small = shrink(images.flatten(0, 1), (high, wide)).view(n, rows, columns, c, high, wide)
    grid = small.permute(0, 3, 1, 4, 2, 5).reshape(n, c, rows * high, columns * wide)
    return functional.pad(grid, (0, w - columns * wide, 0, h - rows * high))


def _large(images: torch.Tensor, tiling: Tiling) -> torch.Tensor:
    """(n, c, h, w) to (n, rows * columns, c, h, w): the tiles of each image by rows, enlarged."""
    n, c, h, w = images.shape
    rows, columns = tiling.rows, tiling.columns
    high, wide = h // rows, w // columns
    grid = images[:, :, : rows * high, : columns * wide].reshape(n, c, rows, high, columns, wide)
    small = grid.permute(0, 2, 4, 1, 3, 5).reshape(n * rows * columns, c, high, wide)
    large = functional.interpolate(small, size=(h, w), mode="bilinear", align_corners=False)
    return large.view(n, rows * columns, c, h, w)


def labels_of(classes: int, images_per_class: int) -> torch.Tensor:
    """The labels of a set sorted by class: int64 (classes * images_per_class,)."""
    return torch.arange(classes).repeat_interleave(images_per_class)
