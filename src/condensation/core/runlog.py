"""RunLog: what a method says while it works, and where it left off when it was stopped."""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from condensation.core.files import canonical_json, read_npz, write_npz

State = Mapping[str, np.ndarray]
LOG = "_log"
"""The name, among arrays on disk, of what the log itself has to remember."""


class RunLog:
    """Metrics, progress with an estimate, and checkpoints of one run of one method.

    ``RunLog()`` alone is a complete null object: nothing is printed, kept on disk or tracked.
    """

    def __init__(
        self,
        label: str = "",
        *,
        checkpoint: Path | None = None,
        checkpoint_seconds: float = 20.0,
        shared: Path | None = None,
        on_metrics: Callable[[int, Mapping[str, float]], None] | None = None,
        show: bool = False,
    ) -> None:
        self.history: list[dict[str, float]] = []
        self.figures: dict[str, np.ndarray] = {}
        self.tables: dict[str, dict[str, np.ndarray]] = {}
        self._label, self._show, self._on_metrics = label, show, on_metrics
        self._path, self._interval, self._shared = checkpoint, checkpoint_seconds, shared
        self._saved = self._printed = time.monotonic()
        self._first: tuple[int, int, float] | None = None
        self._said: tuple[int, int, str] | None = None
        self._start = (time.perf_counter(), time.process_time())
        self._begun: dict[str, tuple[int, float, float]] = {}
        """By what is kept: rows of the history, wall and CPU seconds that there were before it was begun."""
        self._kept: set[str] = set()
        """What is kept and counted in the history and in the time spent."""
        self.spent_before = (0.0, 0.0)
        """Wall and CPU seconds to add to this run's own: of the runs that it goes on from, or whose work it shares."""

    def metrics(self, step: int, **values: float) -> None:
        """Record values of one step (an epoch, an iteration): to MLflow and to the cell's CSV."""
        plain = {name: float(value) for name, value in values.items()}
        self.history.append({"step": step, **plain})
        if self._on_metrics:
            self._on_metrics(step, plain)

    def figure(self, name: str, images: np.ndarray) -> None:
        """Keep a picture as an artifact of the run: uint8 (h, w, 3) or (h, w)."""
        self.figures[name] = images

    def table(self, name: str, **columns: np.ndarray) -> None:
        """Keep columns of equal length, (n,), as an artifact of the run."""
        self.tables[name] = columns

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Say how far the work is; prints at most every 5 seconds, with the time left, and once that all is done.

        Another total is another piece of work: its time is told from its own beginning.
        """
        now = time.monotonic()
        if self._first is None or self._first[1] != total:
            self._first = (done, total, now)
        said = done >= total and self._said == (done, total, note)
        if not self._show or said or (now - self._printed < 5 and done < total):
            return
        self._printed, self._said = now, (done, total, note)
        first_done, _, first_time = self._first
        left = (now - first_time) / max(done - first_done, 1) * (total - done)
        estimate = f"about {left:.0f} s left" if done > first_done and done < total else ""
        parts = [f"{self._label}: {done}/{total}", note, estimate]
        print(", ".join(part for part in parts if part), file=sys.stderr, flush=True)

    def checkpoint(self, state: Callable[[], State], *, now: bool = False) -> None:
        """Save ``state()``, which must be whole, when the last save is ``checkpoint_seconds`` old (or ``now``)."""
        if self._path is None or (not now and time.monotonic() - self._saved < self._interval):
            return
        write_npz(self._path, {**state(), **self._so_far()})
        self._saved = time.monotonic()

    def keep(self, name: str, make: Callable[[], State], *, of: object = None) -> dict[str, np.ndarray]:
        """The arrays of ``make()``, made once: a resumed run reads them from a file beside the checkpoint.

        For what is long to make, large and then stays as it is, so that no checkpoint carries it. of: JSON-like values
        that alone decide what is made: runs with the same folder ``shared`` then make it once, and each has the
        metrics and counts the time of its making, as a run does that was stopped after it.
        """
        if self._path is None:
            return dict(make())
        path = self._path.with_name(f"{self._path.stem}-{name}.npz")
        if self._shared is not None and of is not None:
            path = self._shared / f"{name}-{hashlib.sha256(canonical_json(of).encode()).hexdigest()[:16]}.npz"
        if not path.exists():
            rows, *before = self._begun.setdefault(path.name, (len(self.history), *self._spent()))
            arrays = dict(make())
            spent = [now - then for now, then in zip(self._spent(), before, strict=True)]
            write_npz(path, {**arrays, LOG: np.array(json.dumps({"history": self.history[rows:], "spent": spent}))})
            self._kept.add(path.name)
        state = read_npz(path)
        told = json.loads(str(state.pop(LOG)[()]))
        if path.name not in self._kept:
            rows, *before = self._begun.get(path.name, (len(self.history), *self.spent_before))
            spent = [then + its for then, its in zip(before, told["spent"], strict=True)]
            self._take(self.history[:rows] + told["history"], spent)
            self._kept.add(path.name)
        return state

    def resume(self) -> dict[str, np.ndarray] | None:
        """The arrays of the last checkpoint, or None to start anew; restores the metrics' history too."""
        if self._path is None or not self._path.exists():
            return None
        state = read_npz(self._path)
        told = json.loads(str(state.pop(LOG)[()]))
        self._take(told["history"], told["spent"])
        self._begun, self._kept = told["begun"], set(told["kept"])
        return state

    def _spent(self) -> tuple[float, float]:
        """Wall and CPU seconds so far, in all processes."""
        wall, cpu = time.perf_counter() - self._start[0], time.process_time() - self._start[1]
        return self.spent_before[0] + wall, self.spent_before[1] + cpu

    def _so_far(self) -> State:
        told = {"history": self.history, "spent": self._spent(), "begun": self._begun, "kept": sorted(self._kept)}
        return {LOG: np.array(json.dumps(told))}

    def _take(self, history: list[dict[str, float]], spent: Sequence[float]) -> None:
        """Make this the past of the run; what is new of it is told."""
        new, self.history = history[len(self.history) :], history
        self.spent_before = (spent[0], spent[1])
        for row in new:
            if self._on_metrics:
                self._on_metrics(int(row["step"]), {k: v for k, v in row.items() if k != "step"})
