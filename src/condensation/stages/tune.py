"""tune: search a method's parameters on validation images; the test split is not opened."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from condensation import registry
from condensation.core.errors import InputError, one_of
from condensation.core.files import file_digest, write_bytes, write_json
from condensation.core.params import at, check, section
from condensation.core.runlog import RunLog
from condensation.core.tuned import Search
from condensation.reporting.tuning import drawings
from condensation.stages.layout import Cell, Layout
from condensation.stages.process import hardware
from condensation.stages.run import as_yaml, data_steps, step
from condensation.stages.trial import (
    Examination,
    Made,
    check_cell,
    check_protocols,
    check_sections,
    make,
    protocol_of,
    score_set,
)
from condensation.stages.workers import Workers
from condensation.tracking import PARENT, Run, Tracker, commit
from condensation.tuning.axes import Axes, Values, check_axes, extremes, own_values, with_values, without
from condensation.tuning.outcome import best_of, outcome
from condensation.tuning.plan import TuningParams
from condensation.tuning.search import Attempt, Study, Tried, open_study
from condensation.tuning.storage import JOURNAL, open_storage

TRIAL = "trial"
STATE = "trial_state"
"""The tag that says how a trial ended: complete, pruned, failed or killed."""


@dataclass(frozen=True)
class Order:
    """Where a search keeps its study, how many trials it has, and whether a study of other settings is thrown away."""

    storage: str = JOURNAL
    trials: int | None = None
    restart: bool = False


def tune(layout: Layout, tree: Mapping[str, Any], cell: Cell, order: Order, *, source: str, tracker: Tracker) -> Search:
    """Search what ``tuning.axes`` names for the cell's method; write and return what was found.

    source: the data set as a person names it; it is fetched and prepared where that was not done. Any number of
    processes may call this at the same time; each returns when the study is finished. InputError before any work for
    an axis, a range, a storage or a study that cannot be used.
    """
    plan = planned(tree, order)
    axes = _axes(tree, plan, cell.method)
    with Workers(layout.work("tune")) as workers:
        killed = Killed(tracker)
        storage = open_storage(order.storage, layout.journal, killed.by_silence)
        task = _Task(layout, tree, cell, plan, axes, workers, tracker)
        task.check()
        with storage.turn():
            prepare(layout, tree, cell, source)
        task.check_cell()
        study = open_study(
            str(cell),
            storage,
            axes,
            plan,
            settings=task.settings(),
            own=task.own(),
            restart=order.restart,
            on_killed=killed.told,
        )
        killed.study = study
        task.search(study)
    record = Search(**outcome(study, plan.seeds, task.own()), **origin(cell, study))
    write_record(layout, f"{cell.dataset}-{cell.method}", record)
    return record


def planned(tree: Mapping[str, Any], order: Order) -> TuningParams:
    """The section ``tuning`` with the number of trials that was ordered."""
    plan: TuningParams = section(tree, "tuning", TuningParams)
    if order.trials is None:
        return plan
    if order.trials < 1:
        raise InputError(f"--trials is {order.trials}; allowed: 1 or more")
    return plan.model_copy(update={"trials": order.trials})


def _axes(tree: Mapping[str, Any], plan: TuningParams, method: str) -> Axes:
    registry.entry(method)
    if method not in plan.axes:
        raise one_of("method with axes", method, plan.axes)
    check_axes(tree, f"methods.{method}", plan.axes[method])
    return plan.axes[method]


def prepare(layout: Layout, tree: Mapping[str, Any], cell: Cell, source: str) -> None:
    """Fetch, prepare and teach, as far as that was not done."""
    seeded = {**tree, "seeds": at(tree, "tuning.seeds")}
    todo = data_steps(layout, seeded, cell, source=source)
    params = layout.work("tune") / "params.yaml"
    if todo:
        write_bytes(params, as_yaml(seeded).encode())
    for words in todo:
        step(layout, *words, params=params)


def data_digests(layout: Layout, dataset: str) -> dict[str, str]:
    """sha256 of the splits that a search may open, by name."""
    return {name: file_digest(layout.prepared(dataset) / f"{name}.npz") for name in ("train", "validation")}


def origin(cell: Cell, study: Study) -> dict[str, Any]:
    """The fields of a record that say of what and on what; commit: of the trials, whatever is checked out by now."""
    names = {"dataset": cell.dataset, "method": cell.method, "images_per_class": cell.images_per_class}
    return {**names, "hardware": hardware(), "commit": ", ".join(study.noted("commit")) or None}


def write_record(layout: Layout, name: str, record: Search) -> None:
    """The record and its figures beside it."""
    path = layout.tuned(name)
    write_json(path, record.model_dump(mode="json"))
    for drawing in drawings(record):
        write_bytes(path.parent / f"{drawing.name}.png", drawing.light)


def told(record: Search) -> str:
    """A search in a few lines, for the screen."""
    score = record.score
    width = "" if score.ci_low is None else f" ({score.ci_low:.1f} to {score.ci_high:.1f})"
    own = "" if record.own is None else f", as it was {record.own.mean:.1f} %"
    states = ", ".join(f"{record.count(s)} {s}" for s in ("complete", "pruned", "failed", "killed") if record.count(s))
    lines = [f"best {score.mean:.1f} %{width} on validation images over {score.n} seeds{own}; trials: {states}"]
    return "\n".join([*lines, *(f"  {name}: {value}" for name, value in record.best.items())])


@dataclass
class Killed:
    """Marks the runs of trials whose process died."""

    tracker: Tracker
    study: Study | None = None

    def told(self, notes: Mapping[str, str]) -> None:
        """End the run that a trial's notes name."""
        if run := notes.get("run"):
            self.tracker.end(run, "KILLED", {STATE: "killed"})

    def by_silence(self, study: Any, trial: Any) -> None:
        """What a database's heartbeat calls."""
        if self.study is not None:
            self.study.killed(study, trial)


@dataclass(frozen=True)
class _Task:
    """One method's search: what a trial does."""

    layout: Layout
    tree: Mapping[str, Any]
    cell: Cell
    plan: TuningParams
    axes: Axes
    workers: Workers
    tracker: Tracker

    @property
    def _own(self) -> dict[str, Any]:
        return dict(at(self.tree, f"methods.{self.cell.method}"))

    @property
    def _room(self) -> str:
        return registry.entry(self.cell.method).module.split(".")[1]

    def own(self) -> Values | None:
        """The parameters as they are, where the axes hold them."""
        return own_values(self._own, self.axes, self.cell.dataset)

    def check(self) -> None:
        """InputError unless every end of every axis is possible, and the judge; nothing is fetched for it."""
        sections = [self._own, *extremes(self._own, self.axes, self.cell.dataset)]
        self.workers.of(self._room).call(check_sections, self.cell.method, sections)
        self.workers.of("pytorch").call(check_protocols, [self._examination().protocol])

    def check_cell(self) -> None:
        """InputError unless the data, prepared, allow such sets."""
        self.workers.of(self._room).call(check_cell, self.layout, dict(self.tree), self.cell)

    def settings(self) -> dict[str, Any]:
        """What makes the scores of two processes comparable."""
        examination = self._examination()
        return {
            "parameters": without(self._own, self.axes, self.cell.dataset),
            "seeds": list(self.plan.seeds),
            "judge": {**examination.protocol, "seed": examination.seed},
            "data": data_digests(self.layout, self.cell.dataset),
        }

    def _examination(self) -> Examination:
        seed = check(at(self.tree, "judge.seed"), int, "judge.seed")
        return Examination(self.layout.root, self.cell.dataset, protocol_of(self.tree, self.plan.judge), seed)

    def search(self, study: Study) -> None:
        """Try what is left, in runs below the study's own."""
        with whole_run(self.tracker, study, f"tune {self.cell}", self.settings()) as parent:
            study.run(lambda attempt: self._try(study, parent, attempt), RunLog(f"tune {self.cell}", show=True))

    def _try(self, study: Study, parent: str, attempt: Attempt) -> Tried:
        """Make a set and score it for each seed, until the trial is hopeless."""
        cell = replace(self.cell, variant=f"{TRIAL}-{attempt.origin}")
        tags = {"dataset": cell.dataset, "method": cell.method, PARENT: parent, "trial": str(attempt.number)}
        with tracked(self.tracker, f"{self.cell} trial {attempt.number}", attempt, tags) as run:
            tried, first = self._scores(cell, attempt, run)
            run.tags({STATE: "pruned" if tried.pruned else "complete"})
            best = best_of(study.tried())
            if not tried.pruned and (best is None or np.mean(tried.scores) > (best.score or 0.0)):
                self.tracker.keep(parent, "best", [first / "set.npz", first / "set.png"])
        shutil.rmtree(self.layout.work(*cell.path.parts), ignore_errors=True)
        return tried

    def _scores(self, cell: Cell, attempt: Attempt, run: Run) -> tuple[Tried, Path]:
        """What was tried, and the folder of the first seed's set."""
        tree = {**self.tree, "methods": {cell.method: with_values(self._own, attempt.values, cell.dataset)}}
        maker, judge = self.workers.of(self._room), self.workers.of("pytorch")
        scores: list[float] = []
        sets: list[Made] = []
        for place, seed in enumerate(self.plan.seeds):
            sets.append(maker.call(make, self.layout, tree, cell, seed))
            scores.append(float(np.mean(judge.call(score_set, self._examination(), sets[-1].file, seed))))
            run.metrics(place, {"validation_accuracy": scores[-1], "condense_seconds": sets[-1].seconds})
            if attempt.report(place, scores[-1]) and place + 1 < len(self.plan.seeds):
                break
        cost = float(np.mean([made.seconds for made in sets]))
        return Tried(scores, cost, pruned=len(scores) < len(self.plan.seeds)), sets[0].file.parent


@contextmanager
def whole_run(tracker: Tracker, study: Study, name: str, params: Mapping[str, Any]) -> Iterator[str]:
    """The run of a study, shared by all of its processes: its id."""
    with study.storage.turn():
        parent = tracker.parent(name, params, {"study": study.name, "began": study.began})
    status = "FAILED"
    try:
        yield parent
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        tracker.end(parent, status, {})


@contextmanager
def tracked(tracker: Tracker, name: str, attempt: Attempt, tags: Mapping[str, str]) -> Iterator[Run]:
    """The run of a trial, noted with it so that another process can end it."""
    with tracker.run(name, attempt.values, tags) as run:
        attempt.note("run", run.id)
        attempt.note("commit", commit(Path()) or "")
        try:
            yield run
        except BaseException as error:
            run.tags({STATE: "failed" if isinstance(error, Exception) else "killed"})
            raise
