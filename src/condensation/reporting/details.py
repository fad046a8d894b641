"""The tables behind the main one: every result, what it cost, what is missing and under which conditions."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from condensation.core.results import CondensedCell, JudgedCell
from condensation.reporting.cells import Cell, Footnotes, Table, head, missing, nothing
from condensation.reporting.display import (
    RANDOMS,
    WHOLE,
    dataset_name,
    dataset_order,
    duration,
    known,
    listed,
    memory,
    method_name,
    method_order,
    protocol_name,
    share,
    signed,
    signed_interval,
    size_name,
)
from condensation.reporting.headline import Results, Row, accuracy_cell, published_cell
from condensation.reporting.records import Key, Records

SIGNIFICANT = 0.05


def datasets(table: pd.DataFrame, expected: Sequence[Key]) -> list[str]:
    """Every data set that was run or asked for, in the report's order."""
    return sorted({*table["dataset"], *(dataset for dataset, _, _ in expected)}, key=dataset_order)


def results_table(dataset: str, results: Results, expected: Sequence[Key], notes: Footnotes) -> Table:
    """All methods and sizes of one data set: accuracy, gain and share for each kind of labels, and what papers say."""
    kinds = results.label_kinds()
    few = len(kinds) == 1
    titles = ["Accuracy in %", "Gain over random", "Share of whole set"]
    columns = [title if few else f"{title}, {kind} labels" for kind in kinds for title in titles]
    rows = []
    for method, size in _cells(dataset, results, expected):
        found = {kind: results.find(dataset, method, size, kind) for kind in kinds}
        lost = _lost(found, results.lost(dataset, method, size))
        squares = [square for kind in kinds for square in _scores(found[kind], lost[kind])]
        paper = published_cell(dataset, method, size or None, notes)
        rows.append((_method(method), _size(size), *squares, paper))
    return Table(("Method", "Images per class", *columns, "Published, hard labels"), tuple(rows), dataset_name(dataset))


def _cells(dataset: str, results: Results, expected: Sequence[Key]) -> list[tuple[str, int]]:
    found = {(r["method"], 0 if r["method"] == WHOLE else int(r["images_per_class"])) for r in _of(dataset, results)}
    asked = {(method, size) for name, method, size in expected if name == dataset}
    every = {*found, *asked} | ({(WHOLE, 0)} if results.asked(dataset, WHOLE, 0) else set())
    return sorted(every, key=lambda cell: (cell[1] == 0, cell[1], method_order(cell[0])))


def _of(dataset: str, results: Results) -> list[Row]:
    return [row for row in results.rows if row["dataset"] == dataset]


def _method(method: str) -> Cell:
    return head(method_name(method), float(method_order(method)[0]))


def _size(size: int) -> Cell:
    return Cell(str(size) if size else "all", float(size) if size else 1e9)


def _lost(found: Mapping[str, Row | None], why: Cell) -> dict[str, Cell]:
    """What stands where a kind of labels was not judged: hard ones are missing, unless the method has others."""
    other = any(found.values())
    return {kind: why if kind == "hard" and not other else nothing("none") for kind in found}


def _scores(row: Row | None, lost: Cell) -> tuple[Cell, Cell, Cell]:
    if row is None:
        return lost, nothing(), nothing()
    part = Cell(share(row["share_of_whole"]), float(row["share_of_whole"])) if known(row["share_of_whole"]) else None
    return accuracy_cell(row), gain_cell(row), part or nothing()


def gain_cell(row: Row) -> Cell:
    """The paired gain over random with its interval, marked when the interval excludes zero or Holm's p is small."""
    if row["method"] in RANDOMS.values():
        return nothing("baseline")
    if row["method"] == WHOLE:
        return nothing("does not apply")
    if not known(row["gain_over_random"]):
        return missing("no random to compare")
    gain, low, high = float(row["gain_over_random"]), row["gain_ci_low"], row["gain_ci_high"]
    if not known(low):
        return Cell(signed(gain), gain, "no interval; 1 seed")
    sure = "surely-" if known(row["gain_p_holm"]) and row["gain_p_holm"] < SIGNIFICANT else ""
    mark = f"{sure}up" if low > 0 else f"{sure}down" if high < 0 else ""
    return Cell(signed(gain), gain, f"{signed_interval(low, high)}; {row['gain_pairs']} seeds", mark)


def load_table(results: Results, dataset: str) -> Table | None:
    """What condensing one set took, and training one network on it; None of a data set where nothing was judged."""
    rows = []
    for method, size in _cells(dataset, results, []):
        row = next((r for kind in results.label_kinds() if (r := results.find(dataset, method, size, kind))), None)
        if row is not None:
            rows.append((_method(method), _size(size), *_costs(row, method)))
    if not rows:
        return None
    columns = ("Time to condense", "Teacher's share", "CPU time", "Cores busy", "Peak memory", "Training one network")
    return Table(("Method", "Images per class", *columns), tuple(rows), dataset_name(dataset))


def _costs(row: Row, method: str) -> tuple[Cell, ...]:
    train = _seconds(row["train_seconds"])
    if method == WHOLE:
        return (*(nothing("does not apply"),) * 5, train)
    if not known(row["condense_seconds"]):
        return (*(missing("not measured"),) * 5, train)
    own = row["condense_seconds"] - row["teacher_seconds"]
    cores = row["condense_cpu_seconds"] / own if own > 0.05 else None
    return (
        _seconds(row["condense_seconds"]),
        _seconds(row["teacher_seconds"]) if row["teacher_seconds"] else nothing("no teacher"),
        _seconds(row["condense_cpu_seconds"]),
        nothing("too short") if cores is None else Cell(f"{cores:.1f}", float(cores)),
        Cell(memory(row["peak_memory_mb"]), float(row["peak_memory_mb"])),
        train,
    )


def _seconds(value: float) -> Cell:
    return Cell(duration(value), float(value))


def absent(records: Records, expected: Sequence[Key]) -> list[str]:
    """What was asked for and is not there, methods and data sets of one fate in one sentence; empty when all is."""
    asked = present(records, expected)
    sentences = [
        f"{_names(datasets)}, {listed(map(method_name, methods))}, {sizes} per class: {reason}."
        for (datasets, sizes, reason), methods in _fates(records, asked).items()
    ]
    for counts, datasets in _alike(idle_sizes(records, expected)).items():
        many = sum(n for _, n in counts) * len(datasets)
        where = f"{_names(datasets)}, {listed(str(size) for size, _ in counts)} per class"
        sentences.append(f"{where}: not run, none of {_their(datasets)} {many} cells.")
    if nowhere := idle(records, expected):
        named = tuple(dataset for dataset, _ in nowhere)
        many = sum(n for _, n in nowhere)
        sentences.append(f"{_names(named)}: not run, none of {_their(named)} {many} cells.")
    for dataset in sorted(records.absent, key=dataset_order):
        sentences.append(f"{dataset_name(dataset)}: not run; its images are not here and could not be downloaded.")
    whole = {cell.dataset for cell in records.judged if cell.method == WHOLE}
    lost = sorted({dataset for dataset, _, _ in asked} - whole, key=dataset_order)
    return sentences + ([f"{_names(lost)}: the whole training set was not judged."] if lost else [])


def progress(records: Records, expected: Sequence[Key]) -> str:
    """How many of the cells that were asked for are judged, by size: ``5 of 36 cells at 50 per class are measured``.

    Of the data sets and sizes that are begun; empty where there is none.
    """
    asked, judged = dict.fromkeys(present(records, expected)), records.judged_keys()
    counts = Counter(size for _, _, size in asked)
    done = Counter(key[2] for key in asked if key in judged)
    words = [f"{done[size]} of {n} cells at {size} per class" for size, n in counts.items()]
    return f"{listed(words)} are measured" if words else ""


def _names(datasets: Sequence[str]) -> str:
    return listed(map(dataset_name, datasets))


def _their(datasets: Sequence[str]) -> str:
    return "its" if len(datasets) == 1 else "their"


Fate = tuple[tuple[str, ...], str, str]
"""Data sets, sizes and why something is not there."""


def _fates(records: Records, asked: Sequence[Key]) -> dict[Fate, list[str]]:
    """The methods that are not there, by data sets, sizes and reason."""
    judged, made = records.judged_keys(), set(records.condensed)
    sizes: dict[tuple[str, str, str], list[int]] = {}
    for dataset, method, size in dict.fromkeys(asked):
        if reason := _reason((dataset, method, size), records, judged, made):
            sizes.setdefault((method, reason, dataset), []).append(size)
    places: dict[tuple[str, str, str], list[str]] = {}
    for (method, reason, dataset), found in sizes.items():
        places.setdefault((method, listed(map(str, found)), reason), []).append(dataset)
    fates: dict[Fate, list[str]] = {}
    for (method, words, reason), datasets in places.items():
        fates.setdefault((tuple(datasets), words, reason), []).append(method)
    return fates


def _alike(sizes: Mapping[str, Mapping[int, int]]) -> dict[tuple[tuple[int, int], ...], list[str]]:
    """The data sets that have the same numbers of cells at the same sizes, by (size, number of cells)."""
    found: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for dataset, counts in sizes.items():
        found.setdefault(tuple(counts.items()), []).append(dataset)
    return found


def idle(records: Records, expected: Sequence[Key]) -> list[tuple[str, int]]:
    """The data sets of which several cells were asked for and nothing is there, each with the number of cells."""
    begun = {key[0] for key in (*records.judged_keys(), *records.condensed, *records.unfinished)}
    begun |= {*(cell.dataset for cell in records.judged), *records.absent}
    counts = Counter(dataset for dataset, _, _ in dict.fromkeys(expected))
    return [(dataset, counts[dataset]) for dataset in counts if counts[dataset] > 1 and dataset not in begun]


def idle_sizes(records: Records, expected: Sequence[Key]) -> dict[str, dict[int, int]]:
    """The sizes likewise, by data set, each with the number of cells, of data sets that are not idle as a whole."""
    begun = {(dataset, size) for dataset, _, size in (*records.judged_keys(), *records.condensed, *records.unfinished)}
    left_out = _left_out(records, expected)
    counts = Counter((d, size) for d, _, size in dict.fromkeys(expected) if d not in left_out)
    found: dict[str, dict[int, int]] = {}
    for (dataset, size), n in counts.items():
        if n > 1 and (dataset, size) not in begun:
            found.setdefault(dataset, {})[size] = n
    return found


def present(records: Records, expected: Sequence[Key]) -> list[Key]:
    """What was asked for, less what one sentence says all about: data sets and sizes that are idle, or no images."""
    left_out, sizes = _left_out(records, expected), idle_sizes(records, expected)
    return [key for key in expected if key[0] not in left_out and key[2] not in sizes.get(key[0], {})]


def _left_out(records: Records, expected: Sequence[Key]) -> set[str]:
    return {*records.absent, *(dataset for dataset, _ in idle(records, expected))}


def unseen(records: Records, shown: Collection[Key]) -> list[str]:
    """A sentence about the judged cells that have no picture in the gallery, if there are any."""
    judged = records.judged_keys()
    lost = sorted(judged - set(shown), key=lambda key: (dataset_order(key[0]), key[2], method_order(key[1])))
    if not lost:
        return []
    names = [f"{dataset_name(d)} {method_name(m)} {size_name(s)}" for d, m, s in lost]
    which = listed(names) if len(names) <= 3 else f"{len(names)} of {len(judged)} sets"
    return [f"Gallery: no picture of {which}."]


def _reason(key: Key, records: Records, judged: set[Key], made: set[Key]) -> str:
    if key in records.unfinished:
        return f"not finished: {records.unfinished[key].words()}"
    if key not in judged:
        return "condensed, but not judged" if key in made else "not run"
    return "" if key in made else "judged, but what it cost was not measured"


def conditions(records: Records, results: Results, expected: Sequence[Key]) -> list[tuple[str, str]]:
    """What the numbers stand on: judge, n, seeds, hardware, versions, commit."""
    judged = [*records.judged, *records.variants]
    cells: list[JudgedCell | CondensedCell] = [*judged, *records.condensed.values()]
    wholes = sorted({(c.dataset, c.protocol) for c in records.judged if c.method == WHOLE})
    versions = sorted({f"{name} {version}" for cell in cells for name, version in cell.versions.items()})
    per_set = sorted({len(c.judgements) // len(c.set_means()) for c in judged})
    seeds = sorted({j.set_seed for c in judged if c.method != WHOLE for j in c.judgements})
    extra = sorted(records.judged_keys() - set(expected), key=lambda k: (dataset_order(k[0]), k[2], method_order(k[1])))
    judges = sorted(
        {f"network {c.network} under protocol {protocol_name(c.protocol)}, products in {c.precision}" for c in judged}
    )
    found = [
        ("Judge", "; ".join(judges) or "none"),
        (
            "Whole training set",
            ", ".join(f"{dataset_name(d)} under protocol {protocol_name(p)}" for d, p in wholes) or "not judged",
        ),
        ("Networks for each set", listed(map(str, per_set))),
        ("Seeds of the sets", listed(map(str, seeds))),
        ("Hardware", "; ".join(sorted({cell.hardware for cell in cells})) or "not recorded"),
        ("Versions", ", ".join(versions) or "not recorded"),
        ("Commit", ", ".join(sorted({cell.commit for cell in cells if cell.commit})) or "not recorded"),
    ]
    if not judged:
        found = [(name, value) for name, value in found if value not in ("none", "not judged", "not recorded")]
    if results.judge:
        found.insert(1, ("Tables and figures show", f"protocol {results.judge[0]}, network {results.judge[1]}"))
    if expected and extra:  # a run of one method and a study ask for nothing beyond what they made
        names = [f"{dataset_name(d)} {method_name(m)} {size_name(s)}" for d, m, s in extra]
        found.append(("Found, but not asked for", ", ".join(names)))
    return found
