"""The tables of scores: what is left of a method's lead without its tricks, other judges, bytes and spreads."""

from collections.abc import Callable
from typing import NamedTuple

from condensation.reporting.cells import Cell, Table, head, nothing
from condensation.reporting.display import (
    RANDOMS,
    WHOLE,
    byte_count,
    dataset_name,
    fraction,
    known,
    method_name,
    method_order,
    percent,
    signed,
)
from condensation.reporting.headline import Results, Row
from condensation.reporting.scored import DD_RANKING

ABOUT = (
    "DD-Ranking's scores (arXiv 2505.13300) from accuracies as fractions: hard-label recovery is what is lost against "
    "the whole training set by hard labels, the smaller the better; improvement is over random images with the same "
    "kind of labels; both robust scores lie between 0 and 1, 0.269 being that of no difference. What was not measured "
    "is left out: docs/architecture.md says which command measures it."
)


class Column(NamedTuple):
    """A column of scores: its title, its name in comparison.csv, how its numbers are written and what lies beneath."""

    title: str
    name: str
    write: Callable[[float], str]
    note: Callable[[Row], str] = lambda row: ""


COLUMNS = (
    Column("Hard-label recovery", "hard_label_recovery", fraction),
    Column("Improvement over random", "improvement_over_random", fraction),
    Column("Label-robust score", "label_robust_score", fraction),
    Column("Augmentation-robust score", "augmentation_robust_score", fraction),
    Column("Loss without augmentation", "loss_without_augmentation", signed, lambda row: _from(row)),
    Column(
        "Mean of other networks, %",
        "cross_architecture_mean",
        percent,
        lambda row: str(row["cross_architecture_networks"]).replace(" ", ", "),
    ),
    Column("With the learned step size, %", "accuracy_learned_step_size", percent),
    Column("Keras judge, %", "accuracy_keras", percent),
    Column("Deviation between sets, points", "std_between_sets", percent),
    Column("Deviation between networks, points", "std_between_networks", percent),
    Column("Size of images", "image_bytes", byte_count),
    Column("Size of labels", "label_bytes", byte_count),
)


def _from(row: Row) -> str:
    return f"to {percent(row['accuracy_no_augmentation'])} %"


def scores_table(dataset: str, results: Results) -> Table | None:
    """A row for each method, size and kind of labels, a column for each score that any has; None where none has one."""
    mine = [row for row in results.rows if row["dataset"] == dataset and row["method"] != WHOLE]
    columns = [column for column in COLUMNS if any(known(row[column.name]) for row in mine)]
    if not columns:
        return None
    mine.sort(key=lambda row: (int(row["images_per_class"]), method_order(row["method"]), row["label_kind"]))
    titles = ("Method", "Images per class", "Labels", *(column.title for column in columns))
    rows = tuple((*_names(row), *(_cell(row, column) for column in columns)) for row in mine)
    return Table(titles, rows, f"{dataset_name(dataset)}, scores")


def _names(row: Row) -> tuple[Cell, Cell, Cell]:
    size = int(row["images_per_class"])
    method = head(method_name(row["method"]), float(method_order(row["method"])[0]))
    return method, Cell(str(size), float(size)), Cell(str(row["label_kind"]))


def _cell(row: Row, column: Column) -> Cell:
    value = row[column.name]
    if known(value):
        return Cell(column.write(value), float(value), column.note(row))
    against_random = column.name in DD_RANKING[1:]
    return nothing("baseline" if against_random and row["method"] in RANDOMS.values() else "not measured")
