"""The picture of a condensed set: a grid with a row for each class."""

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from condensation.core.condensed import CondensedDataset
from condensation.core.files import write_bytes
from condensation.core.pictures import Tiling, pictures

TILE, GAP, NAMES, COLUMNS = 40, 3, 92, 20


def grid(condensed: CondensedDataset) -> Image.Image:
    """Images enlarged to 40 pixels or more without smoothing, named rows, at most 20 columns a row."""
    scale = max(1, round(TILE / condensed.images.shape[1]))
    height, width = (scale * side for side in condensed.images.shape[1:3])
    rows = [row for label in range(len(condensed.provenance.class_names)) for row in _rows(condensed, label)]
    columns = max(len(indices) for _, indices in rows)
    canvas = Image.new("RGB", (NAMES + columns * (width + GAP) + GAP, len(rows) * (height + GAP) + GAP), "white")
    draw = ImageDraw.Draw(canvas)
    for line, (name, indices) in enumerate(rows):
        top = GAP + line * (height + GAP)
        draw.text((NAMES - 6, top + height // 2), name[:14], fill="#333333", anchor="rm")
        for column, index in enumerate(indices):
            canvas.paste(_cell(condensed, index, (width, height)), (NAMES + column * (width + GAP), top))
    return canvas


def _rows(condensed: CondensedDataset, label: int) -> list[tuple[str, np.ndarray]]:
    members = np.flatnonzero(condensed.labels == label)
    name = condensed.provenance.class_names[label]
    return [(name if start == 0 else "", members[start : start + COLUMNS]) for start in range(0, len(members), COLUMNS)]


def _cell(condensed: CondensedDataset, index: int, size: tuple[int, int]) -> Image.Image:
    """An image as it is stored; its pictures one by one where they are narrow or share colours."""
    image, count = condensed.images[index], condensed.provenance.pictures_per_image
    tiling = Tiling.of(condensed.images.shape[1:], count)
    if tiling.rows == tiling.columns and not tiling.shared_colours:
        return _picture(image).resize(size, Image.Resampling.NEAREST)
    cell, side = Image.new("RGB", size, "white"), math.ceil(math.sqrt(count))
    wide, high = (length // side for length in size)
    for place, read in enumerate(pictures(image[None], count)):
        small = _picture(read).resize((wide, high), Image.Resampling.BOX)
        cell.paste(small, (place % side * wide, place // side * high))
    return cell


def _picture(image: np.ndarray) -> Image.Image:
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")


def write_grid(condensed: CondensedDataset, path: Path) -> None:
    """Write the grid as a PNG beside the set."""
    buffer = io.BytesIO()
    grid(condensed).save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())
