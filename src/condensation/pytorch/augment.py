"""Augmentation of batches (n, c, h, w): parameters are drawn once, from a generator that is passed in, then applied.

``draw`` is differentiable siamese augmentation (Zhao and Bilen, ICML 2021, section 3.2 and appendix): one transform,
the same for every image that it is applied to, so that real and synthetic batches of a class can be treated alike.
``draw_each`` is what the authors' networks are trained with: one operation, its parameters of each image's own.
``light_affine`` is the judge's: other parameters for each image.

Every transform is linear or affine in the pixels and made of plain gathers and sums: it can be differentiated any
number of times, forward or backward. What comes in from outside is zero, the mean of normalised images, as the
authors did.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import torch
from pydantic import AfterValidator
from torch import Tensor
from torch.nn import functional

from condensation.core.errors import one_of

Transform = Callable[[Tensor], Tensor]
Matrix = tuple[tuple[float, float], tuple[float, float]]
Mode = Literal["single", "all"]

# The authors' strengths.
FLIP_PROBABILITY = 0.5
SCALE_RATIO = 1.2
ROTATE_DEGREES = 15.0
CROP_SHARE = 0.125
CUTOUT_SHARE = 0.5
BRIGHTNESS = 1.0
SATURATION = 2.0
CONTRAST = 0.5

# The judge's.
TURN = math.radians(15)
SHIFT = 0.1
STRETCH = 0.15


@dataclass(frozen=True)
class Augmentation:
    """Transforms with fixed parameters: the same function for every batch it is called with."""

    transforms: tuple[Transform, ...]

    def __call__(self, images: Tensor) -> Tensor:
        """Float (n, c, h, w) to the same shape."""
        for transform in self.transforms:
            images = transform(images)
        return images


@dataclass(frozen=True)
class Each:
    """A transform for each image of a batch, in its order."""

    transforms: tuple[Augmentation, ...]

    def __call__(self, images: Tensor) -> Tensor:
        """Float (n, c, h, w) to the same shape; n is the number of transforms."""
        matrices = [_matrix(transform) for transform in self.transforms]
        if None not in matrices:
            return affine_each(images, torch.tensor(matrices, dtype=torch.float64))
        alone = zip(self.transforms, images.split(1), strict=True)
        return torch.cat([transform(image) for transform, image in alone])

    def part(self, rows: slice) -> "Each":
        """Those of some images of the batch."""
        return Each(self.transforms[rows])


def parse(strategy: str) -> tuple[str, ...]:
    """``"flip_crop"`` as names of operations, ``"none"`` as no names; InputError for an unknown one."""
    if strategy == "none":
        return ()
    names = tuple(strategy.split("_"))
    for name in names:
        if name not in OPERATIONS:
            raise one_of("augmentation", name, [*OPERATIONS, "none"])
    return names


def _known(strategy: str) -> str:
    parse(strategy)
    return strategy


Strategy = Annotated[str, AfterValidator(_known)]
"""A parameter that is a strategy of ``draw``, or "none"; an unknown operation is refused."""


def draw(
    strategy: str, *, image_shape: tuple[int, int, int], generator: torch.Generator, mode: Mode = "single"
) -> Augmentation:
    """Draw parameters for images of shape (h, w, c).

    strategy: operations joined by ``_`` out of colour, crop, cutout, flip, scale, rotate, or "none". mode: one of
    them each time, as the authors did, or all of them in the order given. Leave flip out for digits.
    """
    names = parse(strategy)
    if names and mode == "single":
        names = (names[int(torch.randint(len(names), (), generator=generator))],)
    h, w, _ = image_shape
    return Augmentation(tuple(OPERATIONS[name](h, w, generator) for name in names))


def draw_each(strategy: str, *, count: int, image_shape: tuple[int, int, int], generator: torch.Generator) -> Each:
    """Draw one operation for a batch, and its parameters for each of ``count`` images: how networks are trained."""
    names = parse(strategy)
    name = names[int(torch.randint(len(names), (), generator=generator))] if names else "none"
    drawn = [draw(name, image_shape=image_shape, generator=generator) for _ in range(count)]
    return Each(tuple(drawn))


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def _whole(low: int, high: int, generator: torch.Generator) -> int:
    return int(torch.randint(low, high + 1, (), generator=generator))


def _draw_colour(h: int, w: int, generator: torch.Generator) -> Transform:
    amount = _uniform(-BRIGHTNESS / 2, BRIGHTNESS / 2, generator)
    saturated, contrasted = _uniform(0, SATURATION, generator), _uniform(CONTRAST, 1 + CONTRAST, generator)
    return Augmentation(
        (partial(brighten, amount=amount), partial(saturate, factor=saturated), partial(contrast, factor=contrasted))
    )


def _draw_crop(h: int, w: int, generator: torch.Generator) -> Transform:
    most_down, most_right = round(h * CROP_SHARE), round(w * CROP_SHARE)
    down, right = _whole(-most_down, most_down, generator), _whole(-most_right, most_right, generator)
    return partial(shift, down=down, right=right)


def _draw_cutout(h: int, w: int, generator: torch.Generator) -> Transform:
    high, wide = round(h * CUTOUT_SHARE), round(w * CUTOUT_SHARE)
    top, left = _whole(0, h, generator) - high // 2, _whole(0, w, generator) - wide // 2
    return partial(cutout, top=top, left=left, high=high, wide=wide)


def _draw_flip(h: int, w: int, generator: torch.Generator) -> Transform:
    flipped = float(torch.rand((), generator=generator)) < FLIP_PROBABILITY
    return flip if flipped else Augmentation(())


def _draw_scale(h: int, w: int, generator: torch.Generator) -> Transform:
    down, right = (_uniform(1 / SCALE_RATIO, SCALE_RATIO, generator) for _ in range(2))
    return partial(affine, matrix=((down, 0.0), (0.0, right)))


def _draw_rotate(h: int, w: int, generator: torch.Generator) -> Transform:
    return partial(rotate, degrees=_uniform(-ROTATE_DEGREES, ROTATE_DEGREES, generator))


OPERATIONS: dict[str, Callable[[int, int, torch.Generator], Transform]] = {
    "colour": _draw_colour,
    "crop": _draw_crop,
    "cutout": _draw_cutout,
    "flip": _draw_flip,
    "scale": _draw_scale,
    "rotate": _draw_rotate,
}


def brighten(images: Tensor, amount: float) -> Tensor:
    """Add ``amount`` to every pixel."""
    return images + amount


def saturate(images: Tensor, factor: float) -> Tensor:
    """Scale each pixel's distance from its grey value (mean over channels); nothing changes in grey images."""
    grey = images.mean(1, keepdim=True)
    return grey + factor * (images - grey)


def contrast(images: Tensor, factor: float) -> Tensor:
    """Scale each pixel's distance from the mean of its image."""
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + factor * (images - mean)


def flip(images: Tensor) -> Tensor:
    """Left and right exchanged."""
    return images.flip(3)


def shift(images: Tensor, down: int, right: int) -> Tensor:
    """Moved by whole pixels."""
    return functional.pad(images, (right, -right, down, -down))


def cutout(images: Tensor, top: int, left: int, high: int, wide: int) -> Tensor:
    """A rectangle set to zero; the part of it that lies outside does nothing."""
    kept = torch.ones(images.shape[2:], dtype=images.dtype, device=images.device)
    kept[max(top, 0) : max(top + high, 0), max(left, 0) : max(left + wide, 0)] = 0
    return images * kept


def rotate(images: Tensor, degrees: float) -> Tensor:
    """Turned counter-clockwise about the centre."""
    return affine(images, _turning(degrees))


def _turning(degrees: float) -> Matrix:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (cos, sin), (-sin, cos)


def _matrix(augmentation: Augmentation) -> Matrix | None:
    """What ``affine`` does to images, where that is all that is done."""
    only = augmentation.transforms[0] if len(augmentation.transforms) == 1 else None
    if not isinstance(only, partial) or only.func not in (affine, rotate):
        return None
    matrix: Matrix = only.keywords["matrix"] if only.func is affine else _turning(only.keywords["degrees"])
    return matrix


def affine(images: Tensor, matrix: Matrix) -> Tensor:
    """Output pixel (row, column), measured from the centre, is the input at ``matrix`` times it, bilinearly."""
    flat = images.flatten(2)
    corners = [
        weight.to(images) * flat[:, :, place.to(images.device)]
        for place, weight in _sources(torch.tensor(matrix, dtype=torch.float64), *images.shape[2:])
    ]
    return torch.stack(corners).sum(0).view_as(images)


def affine_each(images: Tensor, matrices: Tensor) -> Tensor:
    """``affine`` of each image by its own matrix: float64 (n, 2, 2)."""
    flat = images.flatten(2)
    corners = [
        weight.to(images)[:, None] * flat.gather(2, place[:, None].to(images.device).expand_as(flat))
        for place, weight in _sources(matrices, *images.shape[2:])
    ]
    return torch.stack(corners).sum(0).view_as(images)


def _sources(matrices: Tensor, h: int, w: int) -> list[tuple[Tensor, Tensor]]:
    """From where each pixel comes: the corners of ``_corners``, (..., h * w) for matrices (..., 2, 2)."""
    row = torch.arange(h, dtype=torch.float64).view(h, 1) - (h - 1) / 2
    column = torch.arange(w, dtype=torch.float64).view(1, w) - (w - 1) / 2
    a, b, c, d = (entry[..., None, None] for entry in matrices.flatten(-2).unbind(-1))
    source_row = (a * row + b * column + (h - 1) / 2).flatten(-2)
    source_column = (c * row + d * column + (w - 1) / 2).flatten(-2)
    return _corners(source_row, source_column, h, w)


def _corners(row: Tensor, column: Tensor, h: int, w: int) -> list[tuple[Tensor, Tensor]]:
    """The four pixels around each point, as positions in the flat image, and their weights (0 outside)."""
    top, left = row.floor(), column.floor()
    found = []
    for y, x in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        weight = (1 - (row - y).abs()) * (1 - (column - x).abs())
        inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
        place = y.clamp(0, h - 1) * w + x.clamp(0, w - 1)
        found.append((place.long(), torch.where(inside, weight, 0.0)))
    return found


def light_affine(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image turned by up to 15 degrees, stretched by up to 15 % along each axis and shifted by up to 10 %.

    What comes in from outside repeats the border: it is background whatever the normalisation.
    """
    draws = 2 * torch.rand(5, len(images), generator=generator) - 1
    angle, stretch_x, stretch_y = TURN * draws[0], 1 + STRETCH * draws[1], 1 + STRETCH * draws[2]
    shift_x, shift_y = 2 * SHIFT * draws[3], 2 * SHIFT * draws[4]
    tall = images.shape[2] / images.shape[3]  # both axes run from -1 to 1, whatever the shape
    top = torch.stack([stretch_x * angle.cos(), -stretch_x * angle.sin() * tall, shift_x], 1)
    bottom = torch.stack([stretch_y * angle.sin() / tall, stretch_y * angle.cos(), shift_y], 1)
    grid = functional.affine_grid(torch.stack([top, bottom], 1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
