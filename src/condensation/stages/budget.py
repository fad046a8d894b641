"""A cell of the benchmark within its budget: made, or left with a record that says how far it came, to go on there."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any

import psutil

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.files import read_json, turn, write_json
from condensation.reporting.unfinished import State, UnfinishedCell
from condensation.stages.benchmark import BenchmarkLayout
from condensation.stages.condense import condense, condense_seed, order
from condensation.stages.layout import Cell
from condensation.tracking import Tracker

OWNER = "CONDENSATION_BENCHMARK"
"""The number of the process that runs the benchmark, for the stages that it starts."""
AGAIN = 60.0
"""Seconds after which a process is told again that its budget is spent, should a library have swallowed it."""


class OutOfBudget(KeyboardInterrupt):
    """The budget is spent; the work stops as it does at Ctrl-C."""


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """A block that ends with OutOfBudget after so many seconds (in the main thread of a process)."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise OutOfBudget

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def save_within(seconds: float) -> None:
    """Let checkpoints of this process come several times within a budget, so that a short one makes headway, too."""
    os.environ.setdefault("CONDENSATION_CHECKPOINT_SECONDS", str(min(20.0, seconds / 4)))


class Attempt:
    """The record of a cell that is not finished: there from the start of the work, so that a kill leaves it too."""

    def __init__(self, layout: BenchmarkLayout, cell: Cell, sets: int, budget_seconds: float) -> None:
        self.path, self._start, self.sets_made = layout.metrics("unfinished", cell), time.monotonic(), 0
        self._cell, self._sets, self._budget = cell, sets, budget_seconds
        self._before = UnfinishedCell.model_validate(read_json(self.path)).seconds if self.path.exists() else 0.0

    def write(self, state: State, reason: str = "") -> None:
        """Say how far the cell is."""
        record = UnfinishedCell(
            dataset=self._cell.dataset,
            method=self._cell.method,
            images_per_class=self._cell.images_per_class,
            state=state,
            sets_made=self.sets_made,
            sets=self._sets,
            seconds=round(self._before + time.monotonic() - self._start, 1),
            budget_seconds=self._budget,
            reason=reason,
        )
        write_json(self.path, record.model_dump(mode="json"))


def condense_within(
    layout: BenchmarkLayout, tree: Mapping[str, Any], cell: Cell, seeds: Sequence[int], tracker: Tracker, seconds: float
) -> None:
    """Make a cell as ``condense`` does, in at most so many seconds; a finished one leaves no record of an attempt.

    Raises OutOfBudget when they are over: the record says so, finished sets and the checkpoint are kept for the
    next run.
    """
    attempt = Attempt(layout, cell, len(seeds), seconds)
    try:
        with budget(seconds):
            attempt.write("begun")
            job = order(layout, tree, cell)
            for seed in seeds:
                condense_seed(layout, job, seed, tracker)
                attempt.sets_made += 1
                attempt.write("begun")
        condense(layout, tree, cell, seeds, tracker)
    except OutOfBudget:
        attempt.write("out of budget")
        raise
    except KeyboardInterrupt:
        attempt.write("stopped")
        raise
    except Exception as error:
        attempt.write("failed", str(error) if isinstance(error, InputError) else type(error).__name__)
        raise
    attempt.path.unlink()


def write_parameters(layout: BenchmarkLayout, cell: Cell, seed: int, preset: str) -> None:
    """The parameters as they were run, from the set's provenance, beside its metrics."""
    made = CondensedDataset.load(layout.condensed_set(cell, seed)).provenance
    write_json(layout.metrics("parameters", cell), {"preset": preset, "parameters": made.params})


def alone(layout: BenchmarkLayout, *names: str) -> AbstractContextManager[None]:
    """A block that one process at a time can be in, told to whoever waits for it by the same names."""
    return turn(layout.work(*names), f"{' '.join(names)}: waiting for the process that is at it")


def end_with_the_benchmark() -> None:
    """Stop this process and its siblings, as SIGTERM does, once the process that runs the benchmark is gone."""
    if owner := os.environ.get(OWNER):
        threading.Thread(target=_watch, args=(int(owner),), daemon=True).start()


def _watch(owner: int) -> None:
    while _lives(owner):
        time.sleep(0.2)
    os.killpg(os.getpgid(0), signal.SIGTERM)


def _lives(number: int) -> bool:
    """Whether there is a process of that number that has not ended (one that nobody asked for its status has)."""
    try:
        return bool(psutil.Process(number).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
