"""Cells that were begun and not finished, and data sets that could not be had: said in every form of the comparison."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from condensation.core.results import Record
from condensation.reporting.cells import Cell, missing
from condensation.reporting.display import duration

State = Literal["begun", "out of budget", "stopped", "failed"]


class UnfinishedCell(Record):
    """A cell whose sets are not all made. It is no output of the pipeline, so nothing takes it for finished.

    state: ``begun`` while it runs, and when its process was killed. sets_made: of ``sets``, one for each seed.
    seconds: spent so far in all runs that came to say so. budget_seconds: of the last run. reason: of a failure.
    """

    dataset: str
    method: str
    images_per_class: int
    state: State
    sets_made: int
    sets: int
    seconds: float
    budget_seconds: float
    reason: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        """The cell as the records' key."""
        return self.dataset, self.method, self.images_per_class

    def words(self) -> str:
        """``out of its budget of 1.0 h; 1 of 3 sets made``."""
        state = f"out of its budget of {duration(self.budget_seconds)}" if self.state == "out of budget" else self.state
        why = f" ({self.reason})" if self.reason else ""
        spent = f" in {duration(self.seconds)}" if self.seconds else ""
        return f"{state}{why}; {self.sets_made} of {self.sets} sets made{spent}"


class AbsentData(Record):
    """A data set that was asked for, whose images are not here and could not be downloaded."""

    dataset: str


Read = Callable[[Path, type[UnfinishedCell]], UnfinishedCell]


def read_unfinished(metrics: Path, read: Read) -> list[UnfinishedCell]:
    """The records under ``metrics/unfinished``, which may be missing; ``read`` makes one of a file."""
    return [read(path, UnfinishedCell) for path in sorted((metrics / "unfinished").rglob("*.json"))]


def read_absent_data(metrics: Path, read: Callable[[Path, type[AbsentData]], AbsentData]) -> frozenset[str]:
    """The data sets under ``metrics/absent``, which may be missing."""
    return frozenset(read(path, AbsentData).dataset for path in sorted((metrics / "absent").glob("*.json")))


def unfinished_square(found: UnfinishedCell | None) -> Cell:
    """What a table shows in place of a number."""
    return missing() if found is None else missing("not finished", note=f"{found.sets_made} of {found.sets} sets made")
