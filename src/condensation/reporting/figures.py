"""Which figures a comparison has: each for light and for dark paper."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from condensation.core.results import JudgedCell, named_by
from condensation.reporting.charts import (
    Chart,
    accuracy_against_seconds,
    accuracy_by_size,
    accuracy_of_classes,
    gain_over_random,
)
from condensation.reporting.curves import (
    Line,
    condensing_curves,
    judge_curves,
    lines_of_sizes,
    lines_of_variants,
    mean_curve,
)
from condensation.reporting.dark import darkened
from condensation.reporting.display import WHOLE, dataset_name, dataset_order, known, method_name, method_order
from condensation.reporting.headline import Results, Row
from condensation.reporting.records import Key, Records
from condensation.reporting.style import COLOURS, render
from condensation.reporting.table import accuracy_columns, cost_columns


@dataclass(frozen=True)
class Drawing:
    """One figure: its file's name, the part of the page that it belongs to, its caption and two PNGs."""

    name: str
    part: str
    dataset: str
    caption: str
    light: bytes
    dark: bytes


def drawings(records: Records, results: Results, curves: Mapping[Key, pd.DataFrame]) -> list[Drawing]:
    """Every figure of a comparison, in the page's order. Hard and soft labels never share one.

    What compares methods is left out where there is one alone, and accuracies by size where there is one size.
    """
    plans = [
        *(
            plan
            for dataset in _datasets(results)
            for kind in results.label_kinds()
            for plan in _of(dataset, kind, results)
        ),
        *_budgets(records, results),
        *_judging(records, results),
        *_condensing(curves),
        *_classes(records, results),
    ]
    return [draw(*plan) for plan in plans]


Plan = tuple[str, str, str, str, Chart]


def draw(name: str, part: str, dataset: str, caption: str, chart: Chart) -> Drawing:
    """The figure of a plan."""
    paint, height = chart
    light = render(paint, height)
    return Drawing(name, part, dataset, caption, light, darkened(light))


def _datasets(results: Results) -> list[str]:
    return sorted({row["dataset"] for row in results.rows}, key=dataset_order)


def _of(dataset: str, kind: str, results: Results) -> Iterator[Plan]:
    whole = results.find(dataset, WHOLE, 0)
    rows = [r for r in results.rows if (r["dataset"], r["label_kind"]) == (dataset, kind) and r["method"] != WHOLE]
    if not rows:
        return
    title, labels = dataset_name(dataset), _labels(kind)
    sizes = sorted({int(row["images_per_class"]) for row in rows})
    if len(sizes) > 1:
        caption = f"{title}: accuracy by images per class{labels}, with 95 % intervals."
        chart = accuracy_by_size(f"{title}{labels}", rows, whole)
        yield f"accuracy-{dataset}-{kind}", "sizes", dataset, caption, chart
    for size in sizes:
        mine = [row for row in rows if row["images_per_class"] == size]
        yield from _at_size(dataset, kind, size, mine)


def _labels(kind: str) -> str:
    return "" if kind == "hard" else f", {kind} labels"


def _place(dataset: str, size: int | None, kind: str) -> str:
    return f"{dataset_name(dataset)}, {size} per class{_labels(kind)}"


def _at_size(dataset: str, kind: str, size: int, rows: list[Row]) -> Iterator[Plan]:
    place = _place(dataset, size, kind)
    timed = [row for row in rows if known(row["condense_seconds"])]
    if len(timed) > 1:
        caption = f"{place}: accuracy against seconds. Methods on the line are beaten by no other in both."
        yield f"seconds-{dataset}-{size}-{kind}", "seconds", dataset, caption, accuracy_against_seconds(place, timed)
    gained = [row for row in rows if known(row["gain_over_random"])]
    if len(gained) > 1:
        caption = f"{place}: gain over random, paired by seed, with 95 % intervals."
        yield f"gain-{dataset}-{size}-{kind}", "gain", dataset, caption, gain_over_random(place, gained)


def _budgets(records: Records, results: Results) -> Iterator[Plan]:
    """Each method as it is and under its variants that are budgets: whose names end in a number of their own."""
    places: dict[tuple[str, int, str, str], list[Row]] = {}
    for cell in [*records.variants, *records.judged]:
        timed = cost_columns(cell, records.making(cell))
        if results.judge in (None, (cell.protocol, cell.network)) and "condense_seconds" in timed:
            row = {"method": cell.method, "variant": cell.variant, **accuracy_columns(cell), **timed}
            square = (cell.dataset, cell.images_per_class or 0, cell.label_kind, cell.network)
            places.setdefault(square, []).append(row)
    for (dataset, size, kind, network), rows in places.items():
        budgets = [row for row in rows if re.fullmatch(r"(.*-)?\d+", row["variant"])]
        methods = {row["method"] for row in budgets}
        budgets += [row for row in rows if not row["variant"] and row["method"] in methods]
        place = _place(dataset, size, kind)
        caption = f"{place}: accuracy against seconds, each method with more and more time; network {network}."
        if budgets:
            chart = accuracy_against_seconds(place, budgets)
            yield f"budgets-{dataset}-{size}-{kind}-{network}", "seconds", dataset, caption, chart


def _judging(records: Records, results: Results) -> Iterator[Plan]:
    cells = [c for c in _judged(records, results) if c.images_per_class is not None and len(mean_curve(c))]
    places = dict.fromkeys((c.dataset, c.images_per_class, c.label_kind) for c in cells)
    for dataset, size, kind in places:
        mine = [c for c in cells if (c.dataset, c.images_per_class, c.label_kind) == (dataset, size, kind)]
        place = _place(dataset, size, kind)
        caption = f"{place}: the judge's networks while they learn."
        yield f"learning-{dataset}-{size}-{kind}", "learning", dataset, caption, judge_curves(place, mine)


def _judged(records: Records, results: Results) -> list[JudgedCell]:
    return [cell for cell in records.judged if (cell.protocol, cell.network) == results.judge]


def _condensing(curves: Mapping[Key, pd.DataFrame]) -> Iterator[Plan]:
    """While condensing: each method by its sizes, and at each size its variants, where they are not too many."""
    own: dict[tuple[str, str], dict[int, pd.DataFrame]] = {}
    varied: dict[Key, dict[str, pd.DataFrame]] = {}
    for (dataset, folder, size), curve in curves.items():
        method, variant = named_by(folder)
        if variant:
            varied.setdefault((dataset, method, size), {})[variant] = curve
        else:
            own.setdefault((dataset, method), {})[size] = curve
    for dataset, method in sorted(own, key=lambda cell: (dataset_order(cell[0]), method_order(cell[1]))):
        place = f"{dataset_name(dataset)}, {method_name(method)}"
        lines = lines_of_sizes(method, own[dataset, method])
        yield f"condensing-{dataset}-{method}", "condensing", dataset, *_learned(place, lines)
    for (dataset, method, size), by_variant in varied.items():
        if len(by_variant) <= len(COLOURS):
            place = f"{dataset_name(dataset)}, {method_name(method)}, {size} per class"
            lines = lines_of_variants(by_variant)
            yield f"condensing-{dataset}-{method}-{size}-variants", "condensing", dataset, *_learned(place, lines)


def _learned(place: str, lines: list[Line]) -> tuple[str, Chart]:
    """Caption and chart of some lines."""
    seeds = sorted({int(seed) for line in lines for seed in line.curve["seed"]})
    spread = "mean of the seeds and their range" if len(seeds) > 1 else f"seed {seeds[0]}"
    return f"{place}: while condensing; {spread}.", condensing_curves(place, lines)


def _classes(records: Records, results: Results) -> Iterator[Plan]:
    judged = [c for c in _judged(records, results) if c.label_kind == "hard"]
    for dataset in dict.fromkeys(c.dataset for c in judged):
        sizes = [c.images_per_class for c in judged if c.dataset == dataset and c.images_per_class is not None]
        cells = [c for c in judged if c.dataset == dataset and sizes and c.images_per_class in (max(sizes), None)]
        if len(cells) < 2:
            continue
        values = np.array([np.mean([j.accuracy_per_class for j in c.judgements], axis=0) for c in cells]).T
        names = cells[0].class_names or [str(label) for label in range(len(values))]
        place = f"{dataset_name(dataset)}, {max(sizes)} per class"
        caption = f"{place}: accuracy of each class."
        chart = accuracy_of_classes(place, names, [c.method for c in cells], values)
        yield f"classes-{dataset}-{max(sizes)}", "classes", dataset, caption, chart
