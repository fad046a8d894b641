"""Ablations: what a method loses or gains when one of its parameters is another."""

from condensation.core.results import JudgedCell
from condensation.reporting.cells import Cell, Table, head, missing
from condensation.reporting.display import (
    dataset_name,
    interval,
    method_name,
    percent,
    signed,
    signed_interval,
    size_name,
)
from condensation.reporting.records import Records

COLUMNS = ("Method", "Variant", "Accuracy in %", "Difference from the method's own")


def ablations(records: Records) -> list[Table]:
    """A table for each data set, size and judge under which variants were judged: each method, then its variants.

    The difference is paired by the sets' seeds.
    """
    squares = list(dict.fromkeys(map(_square, records.variants)))
    return [_table(square, records) for square in squares]


def _square(cell: JudgedCell) -> tuple[str, int | None, str, str, str]:
    return cell.dataset, cell.images_per_class, cell.label_kind, cell.protocol, cell.network


def _table(square: tuple[str, int | None, str, str, str], records: Records) -> Table:
    own = {cell.method: cell for cell in records.judged if _square(cell) == square}
    variants = [cell for cell in records.variants if _square(cell) == square]
    rows = []
    for method in dict.fromkeys(cell.method for cell in variants):
        rows.append(_own_row(method, own.get(method)))
        rows += [_row(cell, own.get(method)) for cell in variants if cell.method == method]
    dataset, size, kind, protocol, network = square
    name = f"{dataset_name(dataset)}, {size_name(size)}, {kind} labels, protocol {protocol}, network {network}"
    return Table(COLUMNS, tuple(rows), name)


def _own_row(method: str, cell: JudgedCell | None) -> tuple[Cell, ...]:
    accuracy = missing("not judged") if cell is None else _accuracy(cell)
    return head(method_name(method)), Cell("as it is"), accuracy, Cell("baseline", mark="none")


def _row(cell: JudgedCell, own: JudgedCell | None) -> tuple[Cell, ...]:
    return head(method_name(cell.method)), Cell(cell.variant), _accuracy(cell), _difference(cell, own)


def _accuracy(cell: JudgedCell) -> Cell:
    spread = cell.spread()
    n = f"n = {len(cell.judgements)}"
    if spread.ci_low is None or spread.ci_high is None:
        return Cell(percent(spread.mean), spread.mean, f"no interval; {n}")
    return Cell(percent(spread.mean), spread.mean, f"{interval(spread.ci_low, spread.ci_high)}; {n}")


def _difference(cell: JudgedCell, own: JudgedCell | None) -> Cell:
    spread = None if own is None else cell.gain_over(own)
    if spread is None:
        return missing("method not judged")
    if spread.ci_low is None or spread.ci_high is None:
        return Cell(signed(spread.mean), spread.mean, "no interval; 1 seed")
    mark = "up" if spread.ci_low > 0 else "down" if spread.ci_high < 0 else ""
    return Cell(
        signed(spread.mean), spread.mean, f"{signed_interval(spread.ci_low, spread.ci_high)}; {spread.n} seeds", mark
    )
