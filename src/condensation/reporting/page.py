"""The page: a template filled with plain tables; one file that opens without a network."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from condensation.reporting.content import MARKS, STUDIED, Content
from condensation.reporting.display import dataset_name, listed, method_name
from condensation.reporting.gallery import GAP, Picture
from condensation.reporting.ranked import ABOUT

TILE = 32
"""CSS pixels of one condensed image on the page, the same for every method and data set."""

PARTS = {
    "sizes": "Accuracy by size",
    "gain": "Gain over random",
    "seconds": "Accuracy against seconds",
    "learning": "Learning curves of the judge",
    "condensing": "Learning curves of the methods",
    "classes": "Accuracy of each class",
    "searching": "What the searches tried",
}


@dataclass(frozen=True)
class Shown:
    """One picture of the gallery with its caption."""

    png: bytes
    name: str


@dataclass(frozen=True)
class Shelf:
    """The pictures of one data set and size, so many CSS pixels wide; the largest size lies open."""

    title: str
    note: str
    is_open: bool
    width: int
    pictures: Sequence[Shown]


def html(content: Content) -> str:
    """The whole page: styles, script and PNGs inside, no reference to anything outside."""
    environment = Environment(
        loader=PackageLoader("condensation.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html.jinja").render(
        content=content,
        marks=MARKS,
        about_scores=ABOUT,
        about_studies=STUDIED,
        parts=[(part, title, [d for d in content.drawings if d.part == part]) for part, title in PARTS.items()],
        shelves=shelves(content.pictures),
        style=Markup(_text("page.css")),
        script=Markup(_text("page.js")),
        data_uri=_data_uri,
    )


def _text(name: str) -> str:
    return resources.files("condensation.reporting").joinpath(name).read_text("utf-8")


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def shelves(pictures: Sequence[Picture]) -> list[Shelf]:
    """Pictures by data set and size, the largest first, all at one scale."""
    groups = [list(group) for _, group in groupby(pictures, key=lambda picture: (picture.key[0], picture.key[2]))]
    largest = {group[0].key[0]: group[0].key[2] for group in groups}
    found = [_shelf(group, group[0].key[2] == largest[group[0].key[0]]) for group in groups]
    names = list(dict.fromkeys(group[0].key[0] for group in groups))
    order = sorted(range(len(groups)), key=lambda i: (names.index(groups[i][0].key[0]), -groups[i][0].key[2]))
    return [found[i] for i in order]


def _shelf(pictures: Sequence[Picture], is_open: bool) -> Shelf:
    first = pictures[0]
    dataset, _, size = first.key
    rows = (
        f"A row for each class{f' (the first {first.rows} of {first.classes})' if first.rows < first.classes else ''}"
    )
    some = f", the first {first.columns} of {size} images" if size > first.columns else ""
    seeds = f", seed {listed(str(seed) for seed in sorted({p.seed for p in pictures}))}."
    width = first.columns * (TILE + GAP) - GAP
    shown = [Shown(p.png, method_name(p.key[1])) for p in pictures]
    return Shelf(f"{dataset_name(dataset)}, {size} per class", rows + some + seeds, is_open, width, shown)
