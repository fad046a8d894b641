"""The main table: four data sets, average time and load by four methods; ours, claimed and published side by side."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from condensation.reporting.cells import Cell, Footnotes, head, missing, nothing
from condensation.reporting.display import (
    WHOLE,
    dataset_name,
    dataset_order,
    duration,
    interval,
    known,
    listed,
    memory,
    percent,
    sets_and_networks,
)
from condensation.reporting.published import Foreign, claimed, claimed_costs, published, withheld
from condensation.reporting.records import Key
from condensation.reporting.unfinished import UnfinishedCell, unfinished_square

MAIN_DATASETS = ("mnist", "fashionmnist", "cifar10", "cifar100")
MAIN_METHODS = {"mps2u": "MPS2U", "mutual_information": "MI", "mps2": "MPS2", "gradient_matching": "GM"}
MAIN_SIZE = 50

Place = tuple[str, int]
"""A data set and a number of images per class."""
Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Line:
    """A row of the main table: its name and, for each method, one cell of each kind."""

    name: Cell
    methods: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Headline:
    """The main table; ``kinds`` are the columns under each of ``methods``."""

    title: str
    methods: tuple[str, ...]
    kinds: tuple[str, ...]
    lines: tuple[Line, ...]


class Results:
    """The rows of one judge, found by data set, method, images per class and label kind.

    expected: the cells that were asked for; whole training sets are asked for with any cell of their data set.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        judge: tuple[str, str] | None,
        unfinished: Mapping[Key, UnfinishedCell] | None = None,
        expected: Iterable[Key] = (),
    ) -> None:
        self.judge, self._unfinished, self._expected = judge, unfinished or {}, set(expected)
        self._expected |= {(dataset, WHOLE, 0) for dataset, _, _ in self._expected}
        mine = table if judge is None else table[(table["protocol"] == judge[0]) & (table["network"] == judge[1])]
        self.rows: list[Row] = mine.to_dict("records")
        self._found = {self._key(row): row for row in self.rows}

    @staticmethod
    def _key(row: Row) -> tuple[str, str, int, str]:
        size = 0 if row["method"] == WHOLE else int(row["images_per_class"])
        return row["dataset"], row["method"], size, row["label_kind"]

    def find(self, dataset: str, method: str, size: int, label_kind: str = "hard") -> Row | None:
        """The row of one cell, or None when it was not judged; size 0 is the whole training set."""
        return self._found.get((dataset, method, size, label_kind))

    def lost(self, dataset: str, method: str, size: int) -> Cell:
        """The square of a cell that has no result: not run, or how far it came, or a dash where nobody asked for it."""
        found = self._unfinished.get((dataset, method, size))
        return unfinished_square(found) if found or self.asked(dataset, method, size) else nothing()

    def asked(self, dataset: str, method: str, size: int) -> bool:
        """Whether a cell was asked for; size 0 is the whole training set."""
        return (dataset, method, size) in self._expected

    def shows(self, place: Place, methods: Iterable[str]) -> bool:
        """Whether there is anything to say of these methods: one was judged there, begun or asked for."""
        kinds, (dataset, size) = self.label_kinds(), place
        return any(
            self.lost(dataset, method, size).mark == "missing"
            or any(self.find(dataset, method, size, k) for k in kinds)
            for method in methods
        )

    def places(self) -> list[Place]:
        """Data sets and sizes with any result, in the report's order."""
        found = {(row["dataset"], int(row["images_per_class"])) for row in self.rows if row["method"] != WHOLE}
        return sorted(found, key=lambda place: (dataset_order(place[0]), place[1]))

    def label_kinds(self, methods: Iterable[str] | None = None) -> list[str]:
        """``hard`` and whatever other kinds of labels were judged (of these methods)."""
        asked = None if methods is None else set(methods)
        found = {row["label_kind"] for row in self.rows if asked is None or row["method"] in asked}
        return ["hard", *sorted(found - {"hard"})]


def main_places(results: Results) -> list[Place]:
    """The four data sets at 50 per class and, where something else was run, its largest size.

    Places that nobody asked for and where no method of the table was judged are left out.
    """
    main = [(dataset, MAIN_SIZE) for dataset in MAIN_DATASETS]
    largest: dict[str, int] = {}
    for dataset, size in results.places():
        largest[dataset] = max(size, largest.get(dataset, 0))
    run = set(results.places())
    further = [(d, s) for d, s in largest.items() if (d, MAIN_SIZE) not in run or d not in MAIN_DATASETS]
    places = [*main, *(place for place in further if place not in main)]
    return [place for place in places if results.shows(place, MAIN_METHODS)]


def headlines(results: Results, notes: Footnotes) -> list[Headline]:
    """The main table first, then one of the same shape for every other size that was run."""
    main = main_places(results)
    sizes = [size for _, size in main]
    beside = "" if len(set(sizes)) == 1 else ", where nothing else is said"
    tables = [_headline(_images(sizes[0]) + beside, main, results, notes)] if main else []
    run = [place for place in results.places() if results.shows(place, MAIN_METHODS)]
    for size in sorted({size for _, size in run}, reverse=True):
        places = [place for place in run if place[1] == size]
        if not set(places) <= set(main):
            tables.append(_headline(_images(size), places, results, notes))
    return tables


def _images(size: int) -> str:
    return f"{size} {'image' if size == 1 else 'images'} per class"


def _headline(title: str, places: list[Place], results: Results, notes: Footnotes) -> Headline:
    labels = results.label_kinds(MAIN_METHODS)
    ours = ("ours",) if len(labels) == 1 else tuple(f"ours, {kind} labels" for kind in labels)
    lines = [_accuracy_line(place, labels, results, notes) for place in places]
    counted = _counted(places, results)
    lines += [_cost_line("Average time", "to condense one set", counted, labels, results, notes, _time, _claimed_time)]
    lines += [
        _cost_line(
            "Computational load", "CPU time; cores; memory", counted, labels, results, notes, _load, _claimed_load
        )
    ]
    return Headline(title, tuple(MAIN_METHODS.values()), (*ours, "claimed", "published"), tuple(lines))


def _counted(places: list[Place], results: Results) -> list[Place]:
    """The places that averages are taken over: those of the size of the first one, else all."""
    run = set(results.places())
    first = [place for place in places if place[1] == places[0][1] and place in run]
    return first or [place for place in places if place in run]


def _accuracy_line(place: Place, labels: list[str], results: Results, notes: Footnotes) -> Line:
    dataset, size = place
    groups = []
    for method in MAIN_METHODS:
        ours = [_our_accuracy(results, dataset, method, size, kind) for kind in labels]
        groups.append((*ours, _claim(dataset, method, size, notes), published_cell(dataset, method, size, notes)))
    note = "; ".join(["accuracy in %", f"{size} per class", *_ends(results, dataset, size)])
    return Line(head(dataset_name(dataset), note=note), tuple(groups))


def _ends(results: Results, dataset: str, size: int) -> list[str]:
    """What a selection by chance gives and what all images give, as far as that was measured: a gain lies between."""
    found = (("random", results.find(dataset, "random", size)), ("whole set", results.find(dataset, WHOLE, 0)))
    words = ", ".join(f"{name} {percent(row['accuracy_mean'])}" for name, row in found if row)
    return [words] if words else []


def _our_accuracy(results: Results, dataset: str, method: str, size: int, label_kind: str) -> Cell:
    row = results.find(dataset, method, size, label_kind)
    if row is None:
        return results.lost(dataset, method, size) if label_kind == "hard" else nothing("none")
    return accuracy_cell(row)


def accuracy_cell(row: Row) -> Cell:
    """Mean accuracy, with its 95 % interval beneath and what was judged."""
    n = sets_and_networks(int(row["sets"]), int(row["n"]))
    note = f"{interval(row['ci_low'], row['ci_high'])}; {n}" if known(row["ci_low"]) else f"no interval; {n}"
    return Cell(percent(row["accuracy_mean"]), float(row["accuracy_mean"]), note)


def _claim(dataset: str, method: str, size: int, notes: Footnotes) -> Cell:
    claim = claimed(dataset, method, size)
    if claim is None:
        return nothing("no claim")
    cost = claimed_costs().get(method)
    remark = f" {cost.note}." if cost and cost.note and dataset_name(dataset) in cost.note else ""
    return Cell(f"{claim.accuracy:g}", claim.accuracy, sources=(notes.number(f"{claim.note}{remark}"),))


def published_cell(dataset: str, method: str, size: int | None, notes: Footnotes, label_kind: str = "hard") -> Cell:
    """All published accuracies of one cell, each with the footnote of its judge and source.

    Where one is only recalled it is not shown, and the square says that it was not verified.
    """
    found = published(dataset, method, size, label_kind)
    if not found:
        return nothing("not verified") if withheld(dataset, method, size, label_kind) else nothing()
    text = "; ".join(f"{_foreign(row)}" for row in found)
    return Cell(text, found[0].accuracy, sources=tuple(notes.number(row.note) for row in found))


def _foreign(row: Foreign) -> str:
    return f"{row.accuracy:g}" if row.deviation is None else f"{row.accuracy:g} ± {row.deviation:g}"


def _cost_line(
    name: str,
    note: str,
    places: list[Place],
    labels: list[str],
    results: Results,
    notes: Footnotes,
    measured: Callable[[list[Row]], Cell],
    claim: Callable[[str, Footnotes], Cell],
) -> Line:
    groups = []
    for method in MAIN_METHODS:
        ours = []
        for kind in labels:
            rows = [row for d, s in places if (row := results.find(d, method, s, kind)) is not None]
            ours.append(measured(rows) if rows else nothing())
        groups.append((*ours, claim(method, notes), nothing()))
    return Line(head(name, note=note), tuple(groups))


def _measured(rows: list[Row], name: str) -> list[Row]:
    return [row for row in rows if known(row[name])]


def _over(rows: list[Row]) -> str:
    return listed(dataset_name(row["dataset"]) for row in rows)


def _time(rows: list[Row]) -> Cell:
    rows = _measured(rows, "condense_seconds")
    if not rows:
        return missing("not measured")
    mean = float(np.mean([row["condense_seconds"] for row in rows]))
    return Cell(duration(mean), mean, f"over {_over(rows)}")


def _load(rows: list[Row]) -> Cell:
    rows = _measured(rows, "condense_cpu_seconds")
    if not rows:
        return missing("not measured")
    cpu = float(np.mean([row["condense_cpu_seconds"] for row in rows]))
    own = float(np.mean([row["condense_seconds"] - row["teacher_seconds"] for row in rows]))
    cores = f"{cpu / own:.1f} cores; " if own > 0.05 else ""
    return Cell(duration(cpu), cpu, f"of CPU; {cores}{memory(max(row['peak_memory_mb'] for row in rows))}")


def _claimed_time(method: str, notes: Footnotes) -> Cell:
    cost = claimed_costs()[method]
    return Cell(
        duration(60 * cost.minutes).replace(".0 ", " "), 60 * cost.minutes, sources=(notes.number(f"{cost.source}."),)
    )


def _claimed_load(method: str, notes: Footnotes) -> Cell:
    cost = claimed_costs()[method]
    return Cell(cost.load, sources=(notes.number(f"{cost.source}."),)) if cost.load else nothing("no claim")
