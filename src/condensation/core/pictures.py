"""Stored images that hold several pictures, each enlarged bilinearly to the size of the image when it is read.

The one decoder of the project: judges and exports read through it. Storage is counted in stored images.

A square number of pictures is a grid, read by rows, each picture with its channels. Twice a square, where there are
three channels, shares colours as JPEG does (ITU-T T.81; 4:2:0): the first two channels hold a grid of brightnesses
each, and the third a grid of the colours of all, red less brightness and blue less brightness in turn, at half the
resolution. Little is lost, and twice as many pictures fit.
"""

import math
from dataclasses import dataclass

import numpy as np

from condensation.core.errors import InputError

LEAST_SIDE = 2
RED, GREEN, BLUE = 0.299, 0.587, 0.114
"""What brightness is made of (ITU-R BT.601)."""


@dataclass(frozen=True)
class Tiling:
    """A square grid of ``side * side`` tiles in a channel; with ``shared_colours`` two channels have one each.

    What height and width leave over at the right and below is not read.
    """

    side: int
    shared_colours: bool

    @staticmethod
    def of(image_shape: tuple[int, int, int], count: int) -> "Tiling":
        """How images (h, w, c) hold ``count`` pictures; InputError when they do not fit."""
        height, width, channels = image_shape
        most, shared = max(min(height, width) // LEAST_SIDE, 1), shares_colours(count)
        found = Tiling(math.isqrt(max(count, 0) // (2 if shared else 1)), shared)
        if found.count == count and 1 <= found.side <= most and (channels == 3 or not shared):
            return found
        doubled = ", or twice such a square" if channels == 3 else ""
        raise InputError(
            f"{count} pictures do not fit an image of {height}x{width} and {channels} "
            f"channel{'s' * (channels > 1)}; allowed: the squares of 1..{most}{doubled}, "
            f"a picture having at least {LEAST_SIDE}x{LEAST_SIDE} pixels"
        )

    @property
    def count(self) -> int:
        """Pictures of an image."""
        return self.side**2 * (2 if self.shared_colours else 1)


def shares_colours(count: int) -> bool:
    """Whether so many pictures are twice a square, and so fit where there are colours only."""
    return count > 0 and 2 * math.isqrt(count // 2) ** 2 == count


def pictures(images: np.ndarray, pictures_per_image: int) -> np.ndarray:
    """float32 (n, h, w, c) to (n * pictures, h, w, c), enlarged bilinearly; InputError when they do not fit."""
    _, height, width, channels = images.shape
    tiling = Tiling.of((height, width, channels), pictures_per_image)
    if tiling.count == 1:
        return images
    if tiling.shared_colours:
        bright = _large(images[..., :2], tiling.side).swapaxes(1, 2).reshape(-1, 1, height, width)
        colours = _large(images[..., 2:], 2 * tiling.side).reshape(-1, 2, height, width)
        red, blue = colours[:, :1], colours[:, 1:]
        large = bright + np.concatenate([red, (RED * red + BLUE * blue) / -GREEN, blue], 1)
    else:
        large = _large(images, tiling.side).reshape(-1, channels, height, width)
    return np.ascontiguousarray(large.transpose(0, 2, 3, 1))


def _large(images: np.ndarray, side: int) -> np.ndarray:
    """(n, h, w, c) to (n, side * side, c, h, w): the tiles of each image by rows, enlarged."""
    n, height, width, channels = images.shape
    high, wide = height // side, width // side
    grid = images[:, : side * high, : side * wide].reshape(n, side, high, side, wide, channels)
    small = grid.transpose(0, 1, 3, 5, 2, 4)  # (n, side, side, c, high, wide)
    large = enlargement(high, height) @ small @ enlargement(wide, width).T
    return np.asarray(large.reshape(n, side * side, channels, height, width))


def enlargement(small: int, large: int) -> np.ndarray:
    """The weights of linear interpolation between centres of pixels, float32 (large, small); the border repeats."""
    centres = np.clip((np.arange(large) + 0.5) * (small / large) - 0.5, 0, small - 1)
    weights: np.ndarray = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(small)))
    return weights.astype(np.float32)
