"""Figures for dark paper, made from the light ones by changing their colour tables."""

import io

import numpy as np
from PIL import Image

from condensation.reporting.style import INK, PAPER, compact_png

DARK_PAPER, DARK_INK = "#171b21", "#e6e9ee"
STRONG, LIGHTEST = 0.13, 0.68
"""Colours of this chroma (Oklab) get at least this lightness, weaker ones (mixed with paper) a part of it."""


def darkened(png: bytes) -> bytes:
    """A figure of ``render`` for dark paper: lightness turned round, hues kept, strong colours not let go dark.

    Works on the colour table alone, in the Oklab space, and so costs nothing beside drawing the figure again.
    """
    with Image.open(io.BytesIO(png)) as image:
        picture = image.copy()
    table = np.reshape(picture.getpalette() or [], (-1, 3)) / 255
    lab = _oklab(table)
    (ink, paper), (dark_ink, dark_paper) = (_oklab(_rgb(*pair)) for pair in ((INK, PAPER), (DARK_INK, DARK_PAPER)))
    whiteness = (lab[:, :1] - ink[0]) / (paper[0] - ink[0])
    lightness = dark_ink[0] + whiteness * (dark_paper[0] - dark_ink[0])
    strength = np.clip(np.hypot(lab[:, 1:2], lab[:, 2:]) / STRONG, 0, 1)
    lightness += strength * np.clip(LIGHTEST - lightness, 0, None)
    tint = np.clip(whiteness, 0, 1) * (dark_paper[1:] - paper[1:])
    colours = np.rint(255 * np.clip(_from_oklab(np.hstack([lightness, lab[:, 1:] + tint])), 0, 1))
    picture.putpalette(colours.astype(np.uint8).tobytes())
    return compact_png(picture)


# Oklab (Ottosson 2020): distances in it are close to those that eyes see.
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _rgb(*names: str) -> np.ndarray:
    return np.array([[int(name[i : i + 2], 16) / 255 for i in (1, 3, 5)] for name in names])


def _oklab(rgb: np.ndarray) -> np.ndarray:
    """Colours of sRGB in [0, 1], float (n, 3), as Oklab (n, 3)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lab: np.ndarray = np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T
    return lab


def _from_oklab(lab: np.ndarray) -> np.ndarray:
    linear = np.clip((lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T, 0, 1)
    rgb: np.ndarray = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb
