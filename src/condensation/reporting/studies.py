"""Studies: what a method loses or gains when its parameters are others, and how its sets suit other networks."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from condensation.core.results import CondensedCell, JudgedCell
from condensation.reporting.cells import Cell, Table, head, missing, nothing
from condensation.reporting.display import (
    RANDOMS,
    dataset_name,
    duration,
    method_name,
    percent,
    protocol_name,
    signed,
    signed_interval,
    size_name,
)
from condensation.reporting.headline import accuracy_cell
from condensation.reporting.records import Records
from condensation.reporting.table import accuracy_columns, cost_columns

Square = tuple[str, int | None, str, str]
Judged = dict[str, JudgedCell]
"""The cells of one row, by the network that judged."""
Single = dict[tuple[str, str], JudgedCell]
"""The cells of one network, by method and variant."""


def studies(records: Records) -> list[Table]:
    """A table for each data set, size, kind of labels and protocol under which variants were judged.

    Each method as it is, where it was judged, then its variants. Under one network with the difference from the
    method's own, paired by the sets' seeds, and what a set took; under several, a column for each and their mean.
    Where no method was judged as it is, random images stand in its place. Variants of one network that are every
    combination of two choices have a table of both before it.
    """
    squares = list(dict.fromkeys(map(_square, records.variants)))
    return [table for square in squares for table in _tables(square, records)]


def _square(cell: JudgedCell) -> Square:
    return cell.dataset, cell.images_per_class, cell.label_kind, cell.protocol


def _tables(square: Square, records: Records) -> list[Table]:
    rows: dict[tuple[str, str], Judged] = {}
    variants = [cell for cell in records.variants if _square(cell) == square]
    methods = list(dict.fromkeys(cell.method for cell in variants))
    plain = [cell for cell in records.judged if _square(cell) == square]
    own = [cell for cell in plain if cell.method in methods]
    floor = "" if own else RANDOMS[square[2]]
    if floor:
        own, methods = [cell for cell in plain if cell.method == floor], [floor, *methods]
    networks = list(dict.fromkeys(cell.network for cell in variants))
    for cell in sorted([*own, *variants], key=lambda cell: methods.index(cell.method)):
        rows.setdefault((cell.method, cell.variant), {})[cell.network] = cell
    dataset, size, kind, protocol = square
    name = f"{dataset_name(dataset)}, {size_name(size)}, {kind} labels, protocol {protocol_name(protocol)}"
    if len(networks) > 1:
        columns = ("Method", "Variant", *(f"{network}, %" for network in networks), "Mean of networks")
        lines = [(*_names(*key), *_across(cells, networks)) for key, cells in rows.items()]
        return [Table(columns, tuple(lines), f"{name}, by the network that judges")]
    (network,) = networks
    beside = "random" if floor and own else "the method's own"
    columns = ("Method", "Variant", "Accuracy in %", f"Difference from {beside}", "Time per set")
    single = {key: cells[network] for key, cells in rows.items() if network in cells}
    lines = [
        (*_names(*key), *_beside(cell, single.get((floor or cell.method, ""))), _time(cell, records.making(cell)))
        for key, cell in single.items()
    ]
    name = f"{name}, network {network}"
    varied = dict.fromkeys(cell.method for cell in variants)
    crossed = [_crossed(f"{name}: {method_name(each)}", each, single, floor or each) for each in varied]
    return [*(table for table in crossed if table), Table(columns, tuple(lines), name)]


def _crossed(name: str, method: str, single: Single, own: str) -> Table | None:
    """A method's accuracies, one choice down and the other across, each with its difference from ``own``."""
    parts = factors([variant for name, variant in single if name == method and variant])
    if parts is None:
        return None

    def square(first: str, second: str) -> Cell:
        cell = single[method, f"{first}-{second}"]
        difference = _difference(cell, single.get((own, "")))
        told = "" if difference.number is None else f"{difference.text} ({difference.note})"
        return replace(_accuracy(cell), note=told, mark=difference.mark)

    rows, columns = parts
    lines = [(head(row), *(square(row, column) for column in columns)) for row in rows]
    beside = "the method's own" if own == method else method_name(own).lower()
    return Table(("Variant", *columns), tuple(lines), f"{name}, with the difference from {beside}")


def factors(names: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """The two lists of which ``names`` are every combination, joined by a hyphen; None where there are no such.

    Of several such pairs the one whose longer list is shortest.
    """
    found = []
    for cut in (i for i, letter in enumerate(names[0]) if letter == "-") if names else ():
        before, after = names[0][: cut + 1], names[0][cut:]
        firsts = [name.removesuffix(after) for name in names if name.endswith(after)]
        seconds = [name.removeprefix(before) for name in names if name.startswith(before)]
        every = {f"{first}-{second}" for first, second in product(firsts, seconds)}
        if len(firsts) > 1 and len(seconds) > 1 and every == set(names):
            found.append((firsts, seconds))
    return min(found, key=lambda pair: max(map(len, pair)), default=None)


def _names(method: str, variant: str) -> tuple[Cell, Cell]:
    return head(method_name(method)), head(variant or "as it is")


def _across(cells: Judged, networks: Sequence[str]) -> list[Cell]:
    found = [_accuracy(cells[network]) if network in cells else missing("not judged") for network in networks]
    if len(cells) < len(networks):
        return [*found, missing("not judged by all")]
    mean = sum(cells[network].spread().mean for network in networks) / len(networks)
    return [*found, Cell(percent(mean), mean)]


def _beside(cell: JudgedCell, own: JudgedCell | None) -> tuple[Cell, Cell]:
    return _accuracy(cell), _difference(cell, own) if cell.variant else Cell("baseline", mark="none")


def _accuracy(cell: JudgedCell) -> Cell:
    return accuracy_cell(accuracy_columns(cell))


def _time(cell: JudgedCell, made: CondensedCell | None) -> Cell:
    seconds = cost_columns(cell, made).get("condense_seconds")
    return nothing("not recorded") if seconds is None else Cell(duration(seconds), seconds)


def _difference(cell: JudgedCell, own: JudgedCell | None) -> Cell:
    spread = None if own is None else cell.gain_over(own)
    if spread is None:
        return nothing("method not judged")
    if spread.ci_low is None or spread.ci_high is None:
        return Cell(signed(spread.mean), spread.mean, "no interval; 1 seed")
    mark = "up" if spread.ci_low > 0 else "down" if spread.ci_high < 0 else ""
    return Cell(
        signed(spread.mean), spread.mean, f"{signed_interval(spread.ci_low, spread.ci_high)}; {spread.n} seeds", mark
    )
