"""Studies: what a method loses or gains when its parameters are others, and how its sets suit other networks."""

from collections.abc import Sequence

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


def studies(records: Records) -> list[Table]:
    """A table for each data set, size, kind of labels and protocol under which variants were judged.

    Each method as it is, where it was judged, then its variants. Under one network with the difference from the
    method's own, paired by the sets' seeds, and what a set took; under several, a column for each and their mean.
    Where no method was judged as it is, random images stand in its place.
    """
    squares = list(dict.fromkeys(map(_square, records.variants)))
    return [_table(square, records) for square in squares]


def _square(cell: JudgedCell) -> Square:
    return cell.dataset, cell.images_per_class, cell.label_kind, cell.protocol


def _table(square: Square, records: Records) -> Table:
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
        return Table(columns, tuple(lines), f"{name}, by the network that judges")
    (network,) = networks
    beside = "random" if floor and own else "the method's own"
    columns = ("Method", "Variant", "Accuracy in %", f"Difference from {beside}", "Time per set")
    single = {key: cells[network] for key, cells in rows.items() if network in cells}
    lines = [
        (*_names(*key), *_beside(cell, single.get((floor or cell.method, ""))), _time(cell, records.making(cell)))
        for key, cell in single.items()
    ]
    return Table(columns, tuple(lines), f"{name}, network {network}")


def _names(method: str, variant: str) -> tuple[Cell, Cell]:
    return head(method_name(method)), Cell(variant or "as it is")


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
