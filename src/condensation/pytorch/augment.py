"""Augmentation of whole batches, with every draw taken from a generator that is passed in."""

import math

import torch
from torch import Tensor
from torch.nn import functional

TURN = math.radians(10)
SHIFT = 0.1
SCALE = 0.1


def light_affine(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image turned by up to 10 degrees, scaled by up to 10 % along each axis and shifted by up to 10 %.

    images: (n, c, h, w). What comes in from outside repeats the border.
    """
    draws = 2 * torch.rand(5, len(images), generator=generator) - 1
    angle, scale_x, scale_y = TURN * draws[0], 1 + SCALE * draws[1], 1 + SCALE * draws[2]
    shift_x, shift_y = 2 * SHIFT * draws[3], 2 * SHIFT * draws[4]
    top = torch.stack([scale_x * angle.cos(), -scale_x * angle.sin(), shift_x], 1)
    bottom = torch.stack([scale_y * angle.sin(), scale_y * angle.cos(), shift_y], 1)
    grid = functional.affine_grid(torch.stack([top, bottom], 1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
