"""tune --proxy: search a network's parameters on a condensed set, and check its ranking on the whole training set."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.files import file_digest, read_json, write_json
from condensation.core.params import at, check
from condensation.core.runlog import RunLog
from condensation.core.tuned import Agreement, Checked, ProxySearch, TriedTrial
from condensation.stages.layout import Cell, Layout
from condensation.stages.process import digest_of
from condensation.stages.sets import read_set
from condensation.stages.trial import Examination, check_protocols, protocol_of, score_set, score_whole
from condensation.stages.tune import (
    STATE,
    Killed,
    Order,
    data_digests,
    origin,
    planned,
    prepare,
    tracked,
    whole_run,
    write_record,
)
from condensation.stages.workers import Workers
from condensation.tracking import PARENT, Tracker
from condensation.tuning.agreement import agreement
from condensation.tuning.axes import Values, check_axes, extremes, own_values, with_values, without
from condensation.tuning.outcome import outcome
from condensation.tuning.plan import ProxyParams
from condensation.tuning.search import Attempt, Study, Tried, open_study
from condensation.tuning.storage import open_storage


def tune_proxy(
    layout: Layout, tree: Mapping[str, Any], file: Path, order: Order, *, checked: bool, tracker: Tracker
) -> ProxySearch:
    """Search ``tuning.proxy.axes`` of the judge's protocol by networks trained on the set in ``file`` alone.

    checked: train a sample of the configurations on the whole training set too, and tell how well the set ranked
    them. Validation images score both. Other processes may take part, as in ``tune``.
    """
    made = CondensedDataset.load(file).provenance
    cell = Cell(made.dataset, made.method, made.images_per_class)
    plan = _planned(tree, order)
    name = f"proxy-{cell.dataset}-{cell.method}-{cell.images_per_class}-seed-{made.seed}"
    with Workers(layout.work("tune")) as workers:
        killed = Killed(tracker)
        storage = open_storage(order.storage, layout.journal, killed.by_silence)
        task = _Task(layout, tree, file, cell.dataset, plan, workers, tracker)
        task.check()
        with storage.turn():
            prepare(layout, tree, Cell(cell.dataset, "random", cell.images_per_class), cell.dataset)
        read_set(layout, cell.dataset, file)
        study = open_study(
            name,
            storage,
            plan.axes,
            plan,
            settings=task.settings(),
            own=task.own(),
            restart=order.restart,
            on_killed=killed.told,
        )
        killed.study = study
        with whole_run(tracker, study, f"tune {name}", task.settings()) as parent:
            study.run(lambda attempt: task.attempt(parent, attempt), RunLog(f"tune {name}", show=True))
            found = task.agreement(study) if checked else None
    fields = {**outcome(study, plan.seeds, task.own()), **origin(cell, study), "sha256": file_digest(file)}
    record = ProxySearch(**fields, set_seed=made.seed, agreement=found)
    write_record(layout, name, record)
    return record


def _planned(tree: Mapping[str, Any], order: Order) -> ProxyParams:
    plan = planned(tree, Order()).proxy
    if order.trials is None:
        return plan
    return plan.model_copy(update={"trials": planned(tree, order).trials})


@dataclass(frozen=True)
class _Task:
    """One set's search: what a trial does, and what a check."""

    layout: Layout
    tree: Mapping[str, Any]
    file: Path
    dataset: str
    plan: ProxyParams
    workers: Workers
    tracker: Tracker

    @property
    def _own(self) -> dict[str, Any]:
        return protocol_of(self.tree, self.plan.judge)

    def _examination(self, protocol: dict[str, Any]) -> Examination:
        return Examination(
            self.layout.root, self.dataset, protocol, check(at(self.tree, "judge.seed"), int, "judge.seed")
        )

    def own(self) -> Values | None:
        """The protocol as it is, where the axes hold it."""
        return own_values(self._own, self.plan.axes, self.dataset)

    def check(self) -> None:
        """InputError unless every end of every axis is possible, on the set and on the whole training set."""
        check_axes({"judge": self._own}, "judge", self.plan.axes)
        protocols = [self._own, *extremes(self._own, self.plan.axes, self.dataset), self._whole({})]
        self.workers.of("pytorch").call(check_protocols, protocols)

    def settings(self) -> dict[str, Any]:
        """What makes the scores of two processes comparable."""
        return {
            "judge": without(self._own, self.plan.axes, self.dataset),
            "judge seed": at(self.tree, "judge.seed"),
            "seeds": list(self.plan.seeds),
            "set": file_digest(self.file),
            "data": data_digests(self.layout, self.dataset),
        }

    def attempt(self, parent: str, attempt: Attempt) -> Tried:
        """Train fresh networks on the set for each seed, until the trial is hopeless."""
        examination = self._examination(with_values(self._own, attempt.values, self.dataset))
        scores: list[float] = []
        begin = perf_counter()
        with tracked(self.tracker, f"trial {attempt.number}", attempt, {PARENT: parent}) as run:
            for place, seed in enumerate(self.plan.seeds):
                accuracies = self.workers.of("pytorch").call(score_set, examination, self.file, seed)
                scores.append(float(np.mean(accuracies)))
                run.metrics(place, {"validation_accuracy": scores[-1]})
                if attempt.report(place, scores[-1]):
                    break
            pruned = len(scores) < len(self.plan.seeds)
            run.tags({STATE: "pruned" if pruned else "complete"})
        return Tried(scores, (perf_counter() - begin) / len(scores), pruned=pruned)

    def agreement(self, study: Study) -> Agreement:
        """Train the sample on the whole set, as far as that was not done, and compare."""
        log, chosen = RunLog(f"check {study.name}", show=True), sample(study.tried(), self.plan.check.configurations)
        configurations, data = [], data_digests(self.layout, self.dataset)
        for place, trial in enumerate(chosen):
            log.progress(place, len(chosen))
            configurations.append(self._checked(trial, data))
        log.progress(len(chosen), len(chosen))
        return agreement(configurations, resamples=self.plan.check.resamples, seed=self.plan.seed)

    def _checked(self, trial: TriedTrial, data: Mapping[str, str]) -> Checked:
        whole = self._on_the_whole_set(self._whole(trial.values), data)
        assert trial.score is not None
        assert trial.cost is not None
        return Checked(
            trial=trial.number,
            values=trial.values,
            condensed_accuracy=trial.score,
            condensed_seconds=trial.cost * len(trial.scores),
            whole_accuracy=whole["accuracy"],
            whole_seconds=whole["seconds"],
        )

    def _on_the_whole_set(self, protocol: dict[str, Any], data: Mapping[str, str]) -> dict[str, float]:
        """Accuracy and seconds of networks trained on the whole set: once for a protocol, whatever set is checked.

        data: the digests of the splits.
        """
        examination, seed = self._examination(protocol), self.plan.seeds[0]
        key = digest_of(protocol, examination.seed, seed, data)
        path = self.layout.work("tune", f"whole-{self.dataset}-{key}.json")
        if not path.exists():
            begin = perf_counter()
            accuracies = self.workers.of("pytorch").call(score_whole, examination, seed)
            write_json(path, {"accuracy": float(np.mean(accuracies)), "seconds": perf_counter() - begin})
        told: dict[str, float] = read_json(path)
        return told

    def _whole(self, values: Values) -> dict[str, Any]:
        """The protocol for the whole training set, under a configuration."""
        changed = {**self._own, **at(self.tree, "judge.whole"), "networks": self.plan.check.networks}
        return with_values(changed, values, self.dataset)


def sample(trials: list[TriedTrial], number: int) -> list[TriedTrial]:
    """So many complete trials, evenly by their rank, the best and the worst among them; by number.

    InputError when fewer than three are complete.
    """
    ranked = sorted((t for t in trials if t.score is not None), key=lambda t: (-(t.score or 0.0), t.number))
    if len(ranked) < 3:
        raise InputError(f"--check compares configurations, and {len(ranked)} are complete; allowed: 3 or more trials")
    places = np.unique(np.rint(np.linspace(0, len(ranked) - 1, number)).astype(int))
    return sorted((ranked[place] for place in places), key=lambda t: t.number)
