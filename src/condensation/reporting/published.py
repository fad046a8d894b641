"""Numbers of other people: what papers published and what the authors of a system claimed, with their sources.

``published_results.csv`` says how each number got here (``evidence``): ``read`` at its source, ``quoted`` there from
another paper, or ``recalled`` from memory. Recalled numbers are never shown.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

EVIDENCE = ("read", "quoted", "recalled")
CLAIMED = "as claimed"


@dataclass(frozen=True)
class Foreign:
    """One accuracy in percent that somebody else reported."""

    dataset: str
    method: str
    images_per_class: int
    accuracy: float
    deviation: float | None
    label_kind: str
    judge: str
    source: str
    evidence: str

    @property
    def note(self) -> str:
        """How it was judged, and where it stands."""
        judge = self.judge.replace(CLAIMED, "Claimed by the authors")
        return f"{judge}. {self.source}{' (quoted there from another paper)' if self.evidence == 'quoted' else ''}."


@dataclass(frozen=True)
class ClaimedCost:
    """What the authors of a method say that it takes: minutes, load in their words, and what else they say."""

    method: str
    minutes: float
    load: str
    note: str
    source: str


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = resources.files("condensation.reporting").joinpath(name).read_text("utf-8")
    yield from csv.DictReader(text.splitlines())


def foreign_results() -> tuple[Foreign, ...]:
    """All rows that may be shown, in the file's order."""
    return tuple(row for row in _every_result() if row.evidence != "recalled")


@cache
def _every_result() -> tuple[Foreign, ...]:
    found = []
    for row in _rows("published_results.csv"):
        if row["evidence"] not in EVIDENCE:
            raise ValueError(f"evidence {row['evidence']!r} is unknown; allowed: {', '.join(EVIDENCE)}")
        found.append(
            Foreign(
                dataset=row["dataset"],
                method=row["method"],
                images_per_class=int(row["images_per_class"]),
                accuracy=float(row["accuracy"]),
                deviation=float(row["deviation"]) if row["deviation"] else None,
                label_kind=row["label_kind"],
                judge=row["judge"],
                source=row["source"],
                evidence=row["evidence"],
            )
        )
    return tuple(found)


def published(dataset: str, method: str, images_per_class: int | None, label_kind: str = "hard") -> list[Foreign]:
    """What papers published for one cell; ``images_per_class`` None asks for the whole training set."""
    key = dataset, method, images_per_class, label_kind
    return [row for row in foreign_results() if _is_of(row, *key)]


def withheld(dataset: str, method: str, images_per_class: int | None, label_kind: str = "hard") -> bool:
    """Whether a number of the cell is known from memory alone, and so not shown."""
    key = dataset, method, images_per_class, label_kind
    return any(row.evidence == "recalled" and _is_of(row, *key) for row in _every_result())


def _is_of(row: Foreign, dataset: str, method: str, images_per_class: int | None, label_kind: str) -> bool:
    return (
        (row.dataset, row.method, row.label_kind) == (dataset, method, label_kind)
        and not row.judge.startswith(CLAIMED)
        and images_per_class in (None, row.images_per_class)
    )


def claimed(dataset: str, method: str, images_per_class: int) -> Foreign | None:
    """What the authors of the MPS family wrote for one cell of their table."""
    key = (dataset, method, images_per_class)
    rows = [row for row in foreign_results() if row.judge.startswith(CLAIMED)]
    return next((row for row in rows if (row.dataset, row.method, row.images_per_class) == key), None)


@cache
def claimed_costs() -> dict[str, ClaimedCost]:
    """What the same authors wrote about time and load, by method."""
    return {
        row["method"]: ClaimedCost(row["method"], float(row["minutes"]), row["load"], row["note"], row["source"])
        for row in _rows("claimed_costs.csv")
    }
