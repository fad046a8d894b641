"""Studies: processes share one, none of its trials is done twice or lost, and each of them can be killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import search_process
from search_process import open_in

from condensation.core.errors import InputError, ProcessDiedError
from condensation.core.runlog import RunLog
from condensation.tuning import search, storage
from condensation.tuning.axes import Axis
from condensation.tuning.outcome import best_of, front, outcome
from condensation.tuning.search import Attempt, Study, Tried
from condensation.tuning.storage import JOURNAL


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "WAIT_SECONDS", 0.1)


def start(place: str, folder: Path, trials: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, search_process.__file__, place, str(folder), str(trials), str(seconds)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> None:
    _, words = process.communicate(timeout=120)
    assert process.returncode == 0, words


def lines(path: Path) -> list[str]:
    return path.read_text().split("\n")[:-1] if path.exists() else []


def run(study: Study, objective: Any = None) -> list[str]:
    study.run(objective or (lambda attempt: Tried([attempt.values["x"]], 1.0, pruned=False)), RunLog())
    return [trial.state for trial in study.tried()]


def test_a_search_runs_what_is_left_and_no_more(tmp_path: Path) -> None:
    assert run(open_in(JOURNAL, tmp_path, 3, own={"x": 0.25, "kind": "b"})) == ["complete"] * 3
    again = open_in(JOURNAL, tmp_path, 5, own={"x": 0.25, "kind": "b"})
    assert again.left() == 2
    assert run(again) == ["complete"] * 5
    assert run(open_in(JOURNAL, tmp_path, 4)) == ["complete"] * 5
    assert again.tried()[0].values == {"x": 0.25, "kind": "b"}, "the parameters as they are come first, once"


def test_a_trial_that_fails_is_counted_and_the_search_goes_on(tmp_path: Path) -> None:
    def objective(attempt: Attempt) -> Tried:
        if attempt.number == 1:
            raise ZeroDivisionError("of all things")
        return Tried([attempt.values["x"]], 1.0, pruned=False)

    study = open_in(JOURNAL, tmp_path, 3)
    assert run(study, objective) == ["complete", "failed", "complete"]
    assert study.errors() == ["ZeroDivisionError: of all things"]


def test_a_trial_whose_worker_died_is_tried_again_as_often_as_retries_allow(tmp_path: Path) -> None:
    tried: list[float] = []

    def objective(attempt: Attempt) -> Tried:
        tried.append(attempt.values["x"])
        if len(tried) == 1 or attempt.values["x"] == 0.75:
            raise ProcessDiedError("out of memory")
        return Tried([attempt.values["x"]], 1.0, pruned=False)

    study = open_in(JOURNAL, tmp_path, 2, own={"x": 0.25, "kind": "b"})
    assert run(study, objective) == ["killed", "complete", "complete"]
    assert tried[:2] == [0.25, 0.25]
    study = open_in(JOURNAL, tmp_path / "again", 1, own={"x": 0.75, "kind": "b"})
    assert run(study, objective) == ["killed"] * (1 + study.params.retries)


def test_when_nothing_is_complete_the_reason_is_told(tmp_path: Path) -> None:
    study = open_in(JOURNAL, tmp_path, 2)
    run(study, lambda attempt: 1 // 0)
    with pytest.raises(RuntimeError, match="none of the 2 trials of test is complete: ZeroDivisionError"):
        outcome(study, [0], None)


def test_ctrl_c_queues_the_trial(tmp_path: Path) -> None:
    def stopped(attempt: Attempt) -> Tried:
        raise KeyboardInterrupt

    study = open_in(JOURNAL, tmp_path, 2)
    with pytest.raises(KeyboardInterrupt):
        run(study, stopped)
    again = open_in(JOURNAL, tmp_path, 2)
    assert again.left() == 2
    seen: list[Attempt] = []
    run(again, lambda attempt: (seen.append(attempt), Tried([0.5], 1.0, pruned=False))[1])
    assert [trial.state for trial in again.tried()] == ["failed", "complete", "complete"]
    assert (seen[0].origin, seen[0].values) == (0, again.tried()[0].values)


def test_two_processes_share_a_study(tmp_path: Path) -> None:
    share(JOURNAL, tmp_path)


def share(place: str, folder: Path) -> None:
    """Two processes at the same time do ten trials, each once."""
    processes = [start(place, folder, 10, 0.1) for _ in range(2)]
    for process in processes:
        end(process)
    assert sorted(map(int, lines(folder / "done"))) == list(range(10))
    study = open_in(place, folder, 10)
    assert [trial.state for trial in study.tried()] == ["complete"] * 10
    owners = {trial.user_attrs["process"]["pid"] for trial in study.study.trials}
    assert len(owners) == 2, "one process did everything"
    assert len({trial.values["x"] for trial in study.tried()}) == 10, "two processes drew the same start"


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    kill(JOURNAL, tmp_path)


def kill(place: str, folder: Path) -> None:
    """One of two processes is killed in its first trial; the other takes the values up and finishes the study."""
    first = start(place, folder, 4, 30)
    while not lines(folder / "begun"):
        assert first.poll() is None, first.communicate()[1]
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    end(start(place, folder, 4, 0.05))
    study = open_in(place, folder, 4)
    states = [trial.state for trial in study.tried()]
    assert sorted(states) == ["complete"] * 4 + ["killed"]
    dead, *others = study.tried()
    assert dead.state == "killed"
    assert sum(trial.values == dead.values for trial in others) == 1, "its values are tried once more"
    assert lines(folder / "killed") == ["run 0"]


def test_a_trial_is_given_up_after_its_retries(tmp_path: Path) -> None:
    """A claim of a process that is gone, three times over."""
    study = open_in(JOURNAL, tmp_path, 1)
    for _ in range(2):
        trial = study.study.ask()
        trial.set_user_attr("process", {"host": os.uname().nodename, "pid": 2**22, "started": 0.0})
        trial.suggest_float("x", 0.0, 1.0)
        study.fail_the_dead()
    assert [trial.state for trial in study.tried()] == ["killed", "killed"]
    assert study.left() == 0
    assert run(study) == ["killed", "killed"]


def test_a_process_of_another_machine_is_not_judged_by_its_number(tmp_path: Path) -> None:
    study = open_in(JOURNAL, tmp_path, 1)
    trial = study.study.ask()
    trial.set_user_attr("process", {"host": "elsewhere", "pid": 2**22, "started": 0.0})
    study.fail_the_dead()
    assert [trial.state for trial in study.tried()] == ["running"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": {"x": Axis(low=0.0, high=2.0)}}, "study test was begun with other axes; put them back"),
        ({"settings": {"seeds": [1]}}, "begun with other seeds"),
        ({"settings": {"seeds": [0], "judge": 1}}, "begun with other judge"),
        ({"goals": ["accuracy", "seconds"]}, "begun with other goals"),
    ],
)
def test_other_settings_are_refused_until_the_study_is_thrown_away(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    run(open_in(JOURNAL, tmp_path, 2))
    with pytest.raises(InputError, match=message):
        open_in(JOURNAL, tmp_path, 2, **changes)
    assert open_in(JOURNAL, tmp_path, 2, restart=True).left() == 0, "a study of the same settings is kept"
    assert open_in(JOURNAL, tmp_path, 2, restart=True, **changes).left() == 2


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("sqlite:///a.db", "unknown storage 'sqlite:///a.db'; allowed: journal, postgresql://"),
        ("nowhere", "unknown storage 'nowhere'"),
        ("mysql://me:secret@host/db", r"unknown storage 'mysql://me:\*\*\*@host/db'"),
    ],
)
def test_another_storage_is_refused(tmp_path: Path, place: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_in(place, tmp_path, 1)


def test_a_database_that_cannot_be_used_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"me:\*\*\*@127.0.0.1:1/none (cannot be reached|is not installed)") as told:
        open_in("postgresql://me:secret@127.0.0.1:1/none", tmp_path, 1)
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)


SCORES = {0: [5.0, 5.0, 5.0, 5.0], 1: [1.0, 1.1, 1.2, 1.3], 2: [6.0, 6.0, 6.0, 6.0]}


def stepped(attempt: Attempt) -> Tried:
    """The scores of a trial's number, given up where the study says so."""
    seen: list[float] = []
    for step, score in enumerate(SCORES[attempt.number]):
        seen.append(score)
        if attempt.report(step, score):
            break
    return Tried(seen, 1.0, pruned=len(seen) < 4)


@pytest.mark.parametrize(
    ("pruner", "steps"),
    [
        ({"name": "none"}, 4),
        ({"name": "wilcoxon", "p": 0.3, "after": 2}, 2),
        ({"name": "wilcoxon", "p": 0.2, "after": 2}, 3),
        ({"name": "successive_halving", "after": 1, "factor": 2}, 1),
    ],
)
def test_a_hopeless_trial_is_pruned(tmp_path: Path, pruner: dict[str, Any], steps: int) -> None:
    study = open_in(JOURNAL, tmp_path, 3, pruner=pruner)
    states = run(study, stepped)
    assert states == ["complete", "complete" if steps == 4 else "pruned", "complete"]
    assert study.tried()[1].scores == SCORES[1][:steps]
    best = best_of(study.tried())
    assert best is not None
    assert best.number == 2


def test_two_goals_have_a_front_and_nothing_is_pruned(tmp_path: Path) -> None:
    costs = {0: 3.0, 1: 1.0, 2: 4.0, 3: 9.0}
    scores = {0: 5.0, 1: 4.0, 2: 4.5, 3: 6.0}

    def objective(attempt: Attempt) -> Tried:
        assert not attempt.report(0, scores[attempt.number])
        return Tried([scores[attempt.number]], costs[attempt.number], pruned=False)

    pruner = {"name": "wilcoxon", "p": 0.3, "after": 2}
    study = open_in(JOURNAL, tmp_path, 4, goals=["accuracy", "seconds"], pruner=pruner)
    assert run(study, objective) == ["complete"] * 4
    assert front(study.tried()) == [1, 0, 3]
    assert outcome(study, [0], None)["front"] == [1, 0, 3]


def test_importance_names_the_axis_that_matters(tmp_path: Path) -> None:
    study = open_in(JOURNAL, tmp_path, 15)
    run(study)
    shares = study.importance()
    assert shares["x"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_importance_counts_what_was_given_up(tmp_path: Path) -> None:
    study = open_in(JOURNAL, tmp_path, 24)

    def tried(attempt: Attempt) -> Tried:
        bad, x = attempt.values["kind"] == "b", attempt.values["x"] / 100
        return Tried([x - 9.0] if bad else [x, x], 1.0, pruned=bad)

    study.run(tried, RunLog())
    assert {trial.state for trial in study.tried()} == {"complete", "pruned"}
    assert study.importance()["kind"] > 0.8


def test_the_outcome_pairs_the_best_with_the_parameters_as_they_were(tmp_path: Path) -> None:
    study = open_in(JOURNAL, tmp_path, 3, own={"x": 0.5, "kind": "a"})
    rows = {0: [1.0, 2.0], 1: [4.0, 3.0], 2: [0.0, 1.0]}
    run(study, lambda attempt: Tried(rows[attempt.number], 1.0, pruned=False))
    found = outcome(study, [0, 1], {"x": 0.5, "kind": "a"})
    assert (found["best_trial"], found["score"].mean, found["own"].mean, found["gain"].mean) == (1, 3.5, 1.5, 2.0)
    assert outcome(study, [0, 1], None)["own"] is None


SERVER = next((Path(found).resolve().parent for found in [shutil.which("initdb")] if found), None)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server, started for this file; it refuses to run as root, so then another user's."""
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed; pip install '.[tune]'")
    if SERVER is None:
        pytest.skip("no PostgreSQL server on the PATH (initdb): studies in a database are not tested")
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "nobody", "nogroup")
    create = [*user, SERVER / "initdb", "-D", folder / "data", "-U", "test", "-A", "trust"]
    subprocess.run(create, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    words = f"-c listen_addresses= -k {folder}"
    command = [*user, SERVER / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w"]
    subprocess.run([*command, "-o", words, "start"], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    yield f"postgresql://test@/postgres?host={folder}"
    subprocess.run([*command, "-m", "fast", "stop"], check=True, cwd=folder)
    shutil.rmtree(folder)


@pytest.fixture
def emptied(database: str) -> str:
    """The database without a study."""
    import optuna

    kept = storage.open_storage(database, Path("unused"), lambda study, trial: None)
    for name in optuna.get_all_study_names(kept.studies):
        optuna.delete_study(study_name=name, storage=kept.studies)
    return database


@pytest.mark.postgresql
@pytest.mark.parametrize("test", [share, kill])
def test_in_a_real_database(test: Any, emptied: str, tmp_path: Path) -> None:
    test(emptied, tmp_path)


@pytest.mark.postgresql
def test_a_silent_process_of_another_machine_loses_its_trial(
    emptied: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It claimed a trial, and its heart stopped beating longer ago than the grace that a database's study gives."""
    monkeypatch.setattr(storage, "GRACE", 1)
    study = open_in(emptied, tmp_path, 2)
    with pytest.warns(UserWarning, match="Heartbeat"):
        trial = study.study.ask()
    trial.set_user_attr("process", {"host": "elsewhere", "pid": 1, "started": 0.0})
    trial.suggest_float("x", 0.0, 1.0)
    study.storage.studies.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]
    study.fail_the_dead()
    assert [trial.state for trial in study.tried()] == ["running"]
    time.sleep(1.5)
    assert run(study) == ["killed", "complete", "complete"]
