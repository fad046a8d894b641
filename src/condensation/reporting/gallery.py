"""The condensed images on the page: the same number of columns, classes and the same scale for every method."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from condensation.core.errors import InputError
from condensation.reporting.display import dataset_order, method_order
from condensation.reporting.records import Key, first_seeds

COLUMNS, CLASSES = 5, 10
"""At most so many images of a class and so many classes are shown of one set."""
GAP = 2


@dataclass(frozen=True)
class Frame:
    """How the grid writer lays a set out: a margin for names, a gap around each image, at most so many columns."""

    margin: int
    gap: int
    columns: int


@dataclass(frozen=True)
class Picture:
    """A part of one condensed set of ``classes``, as a PNG with transparent gaps: columns and rows of images."""

    key: Key
    seed: int
    png: bytes
    columns: int
    rows: int
    classes: int


def pictures(condensed: Path, frame: Frame, classes: dict[str, int]) -> list[Picture]:
    """The first seed's picture of every set under ``<condensed>/<dataset>/<method>/ipc-<k>/seed-<s>.png``.

    classes: number of classes of each data set. Sets of other data sets, and pictures that are not such a grid, are
    left out. Raises InputError when a file is not a PNG.
    """
    found = first_seeds(condensed, "png")
    made = [_picture(key, *one, frame, classes[key[0]]) for key, one in found.items() if key[0] in classes]
    return in_order(picture for picture in made if picture is not None)


def in_order(pictures: Iterable[Picture]) -> list[Picture]:
    """By data set, size and method, as on the page."""
    return sorted(pictures, key=lambda one: (dataset_order(one.key[0]), one.key[2], method_order(one.key[1])))


def _picture(key: Key, seed: int, path: Path, frame: Frame, classes: int) -> Picture | None:
    try:
        with Image.open(path) as image:
            whole = image.convert("RGB")
    except OSError as error:
        raise InputError(f"{path} is not a readable PNG: {error}") from None
    shown = min(CLASSES, classes)
    columns = min(COLUMNS, key[2])
    part = excerpt(whole, key[2], classes, frame, columns, shown)
    if part is None:
        return None
    buffer = io.BytesIO()
    red, green, blue, _ = part.split()
    grey = red.tobytes() == green.tobytes() == blue.tobytes()
    (part.convert("LA") if grey else part).save(buffer, "PNG", optimize=True)
    return Picture(key, seed, buffer.getvalue(), columns, shown, classes)


def excerpt(
    whole: Image.Image, images_per_class: int, classes: int, frame: Frame, columns: int, shown: int
) -> Image.Image | None:
    """The first ``columns`` images of the first ``shown`` classes of a grid, its names left off.

    None when the picture is not a grid of so many images of each class, as where a method made unequal classes.
    """
    across = min(images_per_class, frame.columns)
    lines = -(-images_per_class // frame.columns)
    width, rest = divmod(whole.width - frame.margin - frame.gap, across)
    height, more = divmod(whole.height - frame.gap, classes * lines)
    if rest or more or width <= frame.gap or height <= frame.gap:
        return None
    tile = (width - frame.gap, height - frame.gap)
    part = Image.new("RGBA", (columns * (tile[0] + GAP) - GAP, shown * (tile[1] + GAP) - GAP))
    for row in range(shown):
        for column in range(columns):
            left, top = frame.margin + column * width, frame.gap + row * lines * height
            image = whole.crop((left, top, left + tile[0], top + tile[1]))
            part.paste(image, (column * (tile[0] + GAP), row * (tile[1] + GAP)))
    return part
