"""A study that any number of processes work on: no trial twice, none lost with a process that dies, none too many.

Trials are claimed in turns (``Storage.turn``), and a claim writes down which process works on it. Whoever has the turn
first fails the trials whose process is gone and queues them once more. A database's study has Optuna's heartbeat beside
that, for processes on other machines.
"""

import copy
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import optuna
import psutil
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from condensation.core.errors import InputError, ProcessDiedError
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.core.tuned import State, TriedTrial
from condensation.tuning.axes import Axes, Axis, Values
from condensation.tuning.plan import PrunerParams, SearchParams
from condensation.tuning.storage import Storage, experiments_allowed

WAIT_SECONDS = 2.0
"""Between two looks at the trials of other processes, when none is left to begin."""


@dataclass(frozen=True)
class Attempt:
    """A trial as the objective sees it.

    origin: the number under which these values were tried first; another one where a process had died.
    report: tells a step's score, steps from 0; whether the trial is hopeless. note: keeps a word with the trial.
    """

    number: int
    origin: int
    values: Values
    report: Callable[[int, float], bool]
    note: Callable[[str, str], None]


@dataclass(frozen=True)
class Tried:
    """What came of an attempt: its scores by step, the second goal, and whether it was given up as hopeless."""

    scores: list[float]
    cost: float
    pruned: bool


Objective = Callable[[Attempt], Tried]


@dataclass
class Study:
    """One study in a storage; see ``open_study``."""

    name: str
    axes: Axes
    params: SearchParams
    storage: Storage
    on_killed: Callable[[Mapping[str, str]], None]
    study: optuna.Study = field(init=False)

    def run(self, objective: Objective, log: RunLog) -> None:
        """Try what is left of ``params.trials``, then wait until no other process works on the study.

        An exception of the objective fails its trial and the search goes on. Ctrl-C fails and queues it.
        """
        self._say(log)
        while True:
            with ExitStack() as turn:
                turn.enter_context(self.storage.turn())
                self.fail_the_dead()
                begun = self.left() > 0
                if begun:
                    self._attempt(objective, turn, log)
                elif not self._numbered(TrialState.RUNNING):
                    return
            self._say(log)
            if not begun:
                time.sleep(WAIT_SECONDS)

    def left(self) -> int:
        """How many trials may still begin: new ones, and those that wait once more for a process that died."""
        return max(self.params.trials - len(self._counted()), 0) + len(self._numbered(TrialState.WAITING))

    @property
    def began(self) -> str:
        """When it was begun: tells it from a study of its name that was thrown away."""
        return str(self.study.user_attrs["began"])

    def tried(self) -> list[TriedTrial]:
        """Every trial by number."""
        killed = self.study.user_attrs.get("killed", [])
        return [_record(trial, killed) for trial in self.study.get_trials(deepcopy=False)]

    def errors(self) -> list[str]:
        """What went wrong in the trials that failed."""
        trials = self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        return [trial.user_attrs["error"] for trial in trials if "error" in trial.user_attrs]

    def noted(self, name: str) -> list[str]:
        """What the trials' objectives noted under a name: each word once, in the trials' order."""
        notes = [trial.user_attrs.get(name) for trial in self.study.get_trials(deepcopy=False)]
        return list(dict.fromkeys(filter(None, notes)))

    def importance(self) -> dict[str, float]:
        """Share of the scores' variance that each axis explains (fANOVA); empty where there is too little to say.

        Trials that were given up count too, as the search learned most about the worst values from them: every trial
        by its mean over the first steps, as many as all of them have.
        """
        trials = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        scores = [trial.user_attrs["scores"] for trial in trials]
        steps = min(map(len, scores), default=0)
        means = [sum(each[:steps]) / steps for each in scores]
        if len(set(means)) < 3 or len(self.axes) < 2:
            return {}
        told = optuna.create_study(direction=StudyDirection.MAXIMIZE)
        for trial, mean in zip(trials, means, strict=True):
            told.add_trial(create_trial(params=trial.params, distributions=trial.distributions, value=mean))
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        return {n: float(v) for n, v in optuna.importance.get_param_importances(told, evaluator=evaluator).items()}

    def fail_the_dead(self) -> None:
        """Fail and queue once more the trials whose process, or its worker, is gone; to be called in a turn."""
        with experiments_allowed():
            optuna.storages.fail_stale_trials(self.study)
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not _alive(trial.user_attrs.get("process")):
                self.study.tell(trial.number, state=TrialState.FAIL)
                self.killed(self.study, trial)
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
            if trial.user_attrs.get("died") and trial.number not in self.study.user_attrs.get("killed", []):
                self.killed(self.study, trial)

    def killed(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Remember that a failed trial's process died, and queue its values unless they had ``params.retries``."""
        study.set_user_attr("killed", [*study.user_attrs.get("killed", []), trial.number])
        _queue(study, trial, self.params.retries)
        self.on_killed(trial.user_attrs)

    def _say(self, log: RunLog, *mine: str) -> None:
        """How far the search is; mine: words on the trial that this process has begun, where it has."""
        scores = [trial.score for trial in self.tried() if trial.score is not None]
        running = len(self._numbered(TrialState.RUNNING))
        words = [*mine, f"best {max(scores):.2f} %" if scores else "none complete yet"]
        if others := running - len(mine):
            words.append(f"{others} with other processes")
        log.progress(max(self.params.trials - self.left() - running, 0), self.params.trials, "; ".join(words))

    def _attempt(self, objective: Objective, turn: ExitStack, log: RunLog) -> None:
        """One trial, claimed in a turn that ends with the claim."""
        self.study.sampler = self._sampler()
        try:
            self.study.optimize(partial(self._try, objective, turn, log), n_trials=1, catch=(Exception,))
        except KeyboardInterrupt:
            turn.close()
            self._queue_mine()
            raise

    def _try(
        self, objective: Objective, turn: ExitStack, log: RunLog, trial: optuna.Trial
    ) -> float | tuple[float, float]:
        trial.set_user_attr("process", _this_process())
        values = {name: _suggest(trial, name, axis) for name, axis in self.axes.items()}
        turn.close()
        report = partial(self._report, log, trial, [])
        try:
            tried = objective(Attempt(trial.number, self._origin(trial.number), values, report, trial.set_user_attr))
        except Exception as error:
            trial.set_user_attr("error", f"{type(error).__name__}: {error}")
            trial.set_user_attr("died", isinstance(error, ProcessDiedError))
            raise
        trial.set_user_attr("scores", tried.scores)
        if tried.pruned:
            raise optuna.TrialPruned
        trial.set_user_attr("cost", tried.cost)
        score = sum(tried.scores) / len(tried.scores)
        return (score, tried.cost) if len(self.params.goals) == 2 else score

    def _report(self, log: RunLog, trial: optuna.Trial, before: list[float], step: int, score: float) -> bool:
        """Wilcoxon pairs the scores themselves, halving compares their running means."""
        before.append(score)
        self._say(log, f"trial {trial.number}: {', '.join(f'{one:.2f}' for one in before)} %")
        if len(self.params.goals) == 2:
            return False
        if self.params.pruner.name == "successive_halving":
            trial.report(sum(before) / len(before), step + 1)
        else:
            trial.report(score, step)
        return trial.should_prune()

    def _queue_mine(self) -> None:
        with self.storage.turn():
            for trial in self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
                mine = trial.user_attrs.get("process") == _this_process() and "error" not in trial.user_attrs
                if mine and trial.number not in self._queued_again():
                    _queue(self.study, trial, None)

    def _sampler(self) -> optuna.samplers.BaseSampler:
        """TPE, seeded by the trial's number: no two processes draw the same start."""
        seed = derive(self.params.seed, "sampler", len(self.study.get_trials(deepcopy=False))) % 2**32
        return optuna.samplers.TPESampler(n_startup_trials=self.params.startup, seed=seed)

    def _numbered(self, *states: TrialState) -> set[int]:
        return {trial.number for trial in self.study.get_trials(deepcopy=False, states=states)}

    def _origin(self, number: int) -> int:
        """The number of the trial that this one takes up again, or its own."""
        return int(self.study.get_trials(deepcopy=False)[number].system_attrs.get("failed_trial", number))

    def _queued_again(self) -> set[int]:
        history = (trial.system_attrs.get("retry_history", []) for trial in self.study.get_trials(deepcopy=False))
        return {number for numbers in history for number in numbers}

    def _counted(self) -> set[int]:
        """Trials that use up the budget; one that was queued again counts once."""
        return {trial.number for trial in self.study.get_trials(deepcopy=False)} - self._queued_again()


def open_study(
    name: str,
    storage: Storage,
    axes: Axes,
    params: SearchParams,
    *,
    settings: Mapping[str, Any],
    own: Values | None,
    restart: bool,
    on_killed: Callable[[Mapping[str, str]], None],
) -> Study:
    """Begin the study, or join it.

    settings: JSON values that make scores comparable; InputError when the study was begun with others, unless
    ``restart`` throws it away. own: values that are tried first. on_killed: told the notes of a trial that died.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    mine = Study(name, axes, params, storage, on_killed)
    spoken = {**settings, "goals": list(params.goals), "axes": {key: axis.model_dump() for key, axis in axes.items()}}
    with storage.turn():
        known = optuna.get_all_study_names(storage.studies)
        if name in known and restart and _other(optuna.load_study(study_name=name, storage=storage.studies), spoken):
            optuna.delete_study(study_name=name, storage=storage.studies)
        mine.study = optuna.create_study(
            study_name=name,
            storage=storage.studies,
            load_if_exists=True,
            pruner=_pruner(params.pruner),
            directions=_directions(params),
        )
        _settle(mine.study, spoken, own)
    return mine


def _directions(params: SearchParams) -> list[StudyDirection]:
    ways = {"accuracy": StudyDirection.MAXIMIZE, "seconds": StudyDirection.MINIMIZE}
    return [ways[goal] for goal in params.goals]


def _settle(study: optuna.Study, settings: Mapping[str, Any], own: Values | None) -> None:
    if "settings" not in study.user_attrs:
        if own is not None:
            study.enqueue_trial(own)
        study.set_user_attr("began", datetime.now(UTC).isoformat())
        study.set_user_attr("settings", dict(settings))
    elif other := _other(study, settings):
        raise InputError(
            f"study {study.study_name} was begun with other {' and '.join(other)}; put them back, or let --restart "
            f"throw its {len(study.get_trials(deepcopy=False))} trials away"
        )


def _other(study: optuna.Study, settings: Mapping[str, Any]) -> list[str]:
    """The names of the settings with which a study was not begun."""
    began = study.user_attrs.get("settings", {})
    return sorted(key for key in {*began, *settings} if began.get(key) != settings.get(key)) if began else []


def _pruner(params: PrunerParams) -> optuna.pruners.BasePruner:
    if params.name == "wilcoxon":
        with experiments_allowed():
            return optuna.pruners.WilcoxonPruner(p_threshold=params.p, n_startup_steps=params.after)
    if params.name == "successive_halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=params.after, reduction_factor=params.factor)
    return optuna.pruners.NopPruner()


def _suggest(trial: optuna.Trial, name: str, axis: Axis) -> Any:
    if axis.choices is not None:
        return trial.suggest_categorical(name, axis.choices)
    assert axis.low is not None
    assert axis.high is not None
    if axis.whole:
        return trial.suggest_int(name, int(axis.low), int(axis.high), log=axis.log)
    return trial.suggest_float(name, axis.low, axis.high, log=axis.log)


def _queue(study: optuna.Study, trial: FrozenTrial, retries: int | None) -> None:
    with experiments_allowed():
        again = RetryHeartbeatStaleTrialCallback(max_retry=retries)
    again(study, copy.deepcopy(trial))  # it appends to a list of the trial's


def _this_process() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": psutil.Process().create_time()}


def _alive(process: Mapping[str, Any] | None) -> bool:
    """Whether the process that claimed a trial lives; on another machine only its heartbeat can tell."""
    if process is None:
        return False  # it died within its turn
    if process["host"] != socket.gethostname():
        return True
    try:
        found = psutil.Process(process["pid"])
        return bool(found.create_time() == process["started"] and found.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _record(trial: FrozenTrial, killed: list[int]) -> TriedTrial:
    names: dict[TrialState, State] = {
        TrialState.COMPLETE: "complete",
        TrialState.PRUNED: "pruned",
        TrialState.FAIL: "killed" if trial.number in killed else "failed",
        TrialState.RUNNING: "running",
        TrialState.WAITING: "waiting",
    }
    return TriedTrial(
        number=trial.number,
        state=names[trial.state],
        values=trial.params,
        scores=trial.user_attrs.get("scores", []),
        seconds=trial.duration.total_seconds() if trial.duration else None,
        cost=trial.user_attrs.get("cost"),
    )
