"""Stored images that hold several pictures, each enlarged bilinearly to the size of the image when it is read.

The one decoder of the project: judges and exports read through it. Storage is counted in stored images.

A square number of pictures is a grid, read by rows, each picture with its channels. Twice a square: one channel has a
grid of twice as many columns as rows, so a picture keeps more of its height. Three channels share colours as JPEG does
(ITU-T T.81; 4:2:0): the first two hold a grid of brightnesses each, and the third a grid of the colours of all, red
less brightness and blue less brightness in turn, at half the resolution: twice as many pictures, and little is lost.
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
    """A grid of ``rows * columns`` tiles in a channel; with ``shared_colours`` two channels have one each.

    What height and width leave over at the right and below is not read.
    """

    rows: int
    columns: int
    shared_colours: bool

    @staticmethod
    def of(image_shape: tuple[int, int, int], count: int) -> "Tiling":
        """How images (h, w, c) hold ``count`` pictures; InputError when they do not fit."""
        found = Tiling.found(image_shape, count)
        if found is not None:
            return found
        height, width, channels = image_shape
        raise InputError(
            f"{count} pictures do not fit an image of {height}x{width} and {channels} "
            f"channel{'s' * (channels > 1)}; allowed: the squares of 1..{min(_most(height), _most(width))}, or twice a "
            f"square, a picture having at least {LEAST_SIDE}x{LEAST_SIDE} pixels"
        )

    @staticmethod
    def found(image_shape: tuple[int, int, int], count: int) -> "Tiling | None":
        """Likewise; None when they do not fit."""
        height, width, channels = image_shape
        twice = _twice_a_square(count)
        side, shared = math.isqrt(max(count, 0) // (2 if twice else 1)), twice and channels == 3
        tiling = Tiling(side, 2 * side if twice and not shared else side, shared)
        fits = 1 <= tiling.rows <= _most(height) and tiling.columns <= _most(width)
        return tiling if fits and tiling.count == count else None

    @property
    def count(self) -> int:
        """Pictures of an image."""
        return self.rows * self.columns * (2 if self.shared_colours else 1)

    @property
    def colours(self) -> "Tiling":
        """Where colours are shared, the grid of the third channel."""
        return Tiling(2 * self.rows, 2 * self.columns, shared_colours=False)


def _most(size: int) -> int:
    return max(size // LEAST_SIDE, 1)


def _twice_a_square(count: int) -> bool:
    return count > 0 and 2 * math.isqrt(count // 2) ** 2 == count


def pictures(images: np.ndarray, pictures_per_image: int) -> np.ndarray:
    """float32 (n, h, w, c) to (n * pictures, h, w, c), enlarged bilinearly; InputError when they do not fit."""
    _, height, width, channels = images.shape
    tiling = Tiling.of((height, width, channels), pictures_per_image)
    if tiling.count == 1:
        return images
    if tiling.shared_colours:
        bright = _large(images[..., :2], tiling).swapaxes(1, 2).reshape(-1, 1, height, width)
        colours = _large(images[..., 2:], tiling.colours).reshape(-1, 2, height, width)
        red, blue = colours[:, :1], colours[:, 1:]
        large = bright + np.concatenate([red, (RED * red + BLUE * blue) / -GREEN, blue], 1)
    else:
        large = _large(images, tiling).reshape(-1, channels, height, width)
    return np.ascontiguousarray(large.transpose(0, 2, 3, 1))


def _large(images: np.ndarray, tiling: Tiling) -> np.ndarray:
    """(n, h, w, c) to (n, rows * columns, c, h, w): the tiles of each image by rows, enlarged."""
    n, height, width, channels = images.shape
    rows, columns = tiling.rows, tiling.columns
    high, wide = height // rows, width // columns
    grid = images[:, : rows * high, : columns * wide].reshape(n, rows, high, columns, wide, channels)
    small = grid.transpose(0, 1, 3, 5, 2, 4)  # (n, rows, columns, c, high, wide)
    large = enlargement(high, height) @ small @ enlargement(wide, width).T
    return np.asarray(large.reshape(n, rows * columns, channels, height, width))


def enlargement(small: int, large: int) -> np.ndarray:
    """The weights of linear interpolation between centres of pixels, float32 (large, small); the border repeats."""
    centres = np.clip((np.arange(large) + 0.5) * (small / large) - 0.5, 0, small - 1)
    weights: np.ndarray = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(small)))
    return weights.astype(np.float32)
