"""Stored images that hold several pictures: a square grid, read by rows, each enlarged to the size of the image.

The one decoder of the project: judges and exports read through it; grids and galleries show images as they are stored.
Storage is counted in stored images.
"""

import math

import numpy as np

from condensation.core.errors import InputError

LEAST_SIDE = 2


def grid_side(height: int, width: int, count: int) -> int:
    """Pictures along a side of an image that holds ``count``; InputError when they do not fit.

    A picture has ``height // side`` by ``width // side`` pixels; what is left over at the right and below is not read.
    """
    side = math.isqrt(max(count, 0))
    most = min(height, width) // LEAST_SIDE
    if side < 1 or side * side != count or (side > 1 and side > most):
        raise InputError(
            f"{count} pictures do not fit an image of {height}x{width}; "
            f"allowed: the squares of 1..{max(most, 1)}, a picture having at least {LEAST_SIDE}x{LEAST_SIDE} pixels"
        )
    return side


def pictures(images: np.ndarray, pictures_per_image: int) -> np.ndarray:
    """float32 (n, h, w, c) to (n * pictures, h, w, c), enlarged bilinearly; InputError when they do not fit."""
    n, height, width, channels = images.shape
    side = grid_side(height, width, pictures_per_image)
    if side == 1:
        return images
    high, wide = height // side, width // side
    grid = images[:, : side * high, : side * wide].reshape(n, side, high, side, wide, channels)
    small = grid.transpose(0, 1, 3, 5, 2, 4)  # (n, side, side, c, high, wide)
    large = enlargement(high, height) @ small @ enlargement(wide, width).T
    return np.ascontiguousarray(large.reshape(-1, channels, height, width).transpose(0, 2, 3, 1))


def enlargement(small: int, large: int) -> np.ndarray:
    """The weights of linear interpolation between centres of pixels, float32 (large, small); the border repeats."""
    centres = np.clip((np.arange(large) + 0.5) * (small / large) - 0.5, 0, small - 1)
    weights: np.ndarray = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(small)))
    return weights.astype(np.float32)
