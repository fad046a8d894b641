"""RunLog: metrics, progress and checkpoints."""

import time
from pathlib import Path

import numpy as np
import pytest

from condensation.core.randomness import derive, generator
from condensation.core.results import Spread
from condensation.core.runlog import RunLog


def test_null_object_keeps_nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log = RunLog()
    log.metrics(0, loss=1.0)
    log.progress(1, 2)
    log.checkpoint(lambda: {"x": np.ones(2)}, now=True)
    assert log.resume() is None
    assert list(tmp_path.iterdir()) == []


def test_resume_gives_state_history_and_spent_time(tmp_path: Path) -> None:
    path = tmp_path / "work" / "checkpoint.npz"
    first = RunLog(checkpoint=path)
    first.metrics(0, loss=1.5)
    first.checkpoint(lambda: {"x": np.arange(3), "n": np.array(7)}, now=True)
    first.metrics(1, loss=0.5)  # after the checkpoint: lost with the process
    told: list[tuple[int, dict[str, float]]] = []
    second = RunLog(checkpoint=path, on_metrics=lambda step, values: told.append((step, dict(values))))
    state = second.resume()
    assert state is not None
    assert state["x"].tolist() == [0, 1, 2]
    assert state["n"] == 7
    assert second.history == [{"step": 0, "loss": 1.5}]
    assert told == [(0, {"loss": 1.5})]
    assert second.spent_before[0] > 0


def test_checkpoint_waits_for_its_time(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    RunLog(checkpoint=path, checkpoint_seconds=60).checkpoint(lambda: {"x": np.ones(1)})
    assert not path.exists()
    RunLog(checkpoint=path, checkpoint_seconds=0).checkpoint(lambda: {"x": np.ones(1)})
    assert path.exists()


def test_what_is_kept_is_made_once_and_read_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    made = RunLog(checkpoint=path).keep("pool-3", lambda: {"x": np.arange(3)})
    again = RunLog(checkpoint=path).keep("pool-3", lambda: pytest.fail("made twice"))
    assert made["x"].tolist() == again["x"].tolist() == [0, 1, 2]
    assert RunLog(checkpoint=path).keep("pool-4", lambda: {"x": np.ones(1)})["x"].tolist() == [1]
    assert RunLog().keep("pool-3", lambda: {"x": np.zeros(1)})["x"].tolist() == [0]


def test_runs_that_share_a_folder_make_the_same_once_with_its_metrics_and_time(tmp_path: Path) -> None:
    def run(name: str, told: list[int]) -> RunLog:
        path, shared = tmp_path / name / "checkpoint.npz", tmp_path / "shared"
        return RunLog(checkpoint=path, shared=shared, on_metrics=lambda step, values: told.append(step))

    def train(log: RunLog) -> dict[str, np.ndarray]:
        log.metrics(1, loss=0.5)
        time.sleep(0.05)
        return {"x": np.arange(3)}

    told: list[int] = []
    first = run("first", [])
    first.keep("cnn", lambda: train(first), of=["data", 0])
    assert first.spent_before == (0.0, 0.0)
    begin, second = time.perf_counter(), run("second", told)
    made = second.keep("cnn", lambda: pytest.fail("made twice"), of=["data", 0])
    assert made.keys() == {"x"}
    assert second.history == [{"step": 1, "loss": 0.5}]
    assert told == [1]
    assert 0.05 <= second.spent_before[0] + time.perf_counter() - begin < 5
    assert run("third", []).keep("cnn", lambda: {"x": np.ones(1)}, of=["data", 1])["x"].tolist() == [1]
    assert run("first", []).keep("cnn", lambda: {"x": np.zeros(1)})["x"].tolist() == [0]


def test_what_a_run_does_itself_beside_what_it_shares_is_counted_once(tmp_path: Path) -> None:
    def run(name: str) -> RunLog:
        log = RunLog(checkpoint=tmp_path / name / "checkpoint.npz", shared=tmp_path / "shared")
        log.keep("cnn", lambda: {"x": np.arange(3)}, of=0)
        time.sleep(0.2)
        log.keep("features", lambda: {"x": np.arange(3)}, of=0)
        return log

    run("first")
    assert abs(run("second").spent_before[0]) < 0.15


def test_what_is_shared_is_not_counted_again_by_a_run_that_goes_on(tmp_path: Path) -> None:
    def run() -> RunLog:
        return RunLog(checkpoint=tmp_path / "checkpoint.npz", shared=tmp_path / "shared")

    first = run()
    first.keep("cnn", lambda: {"x": np.arange(3)}, of=0)
    first.metrics(2, loss=0.25)
    first.checkpoint(lambda: {"y": np.ones(1)}, now=True)
    again = run()
    assert again.resume() is not None
    spent = again.spent_before
    again.keep("cnn", lambda: pytest.fail("made twice"), of=0)
    assert again.spent_before == spent
    assert again.history == [{"step": 2, "loss": 0.25}]


def test_a_run_that_goes_on_counts_once_what_was_kept_after_its_checkpoint(tmp_path: Path) -> None:
    told: list[int] = []

    def run(*, dies: bool) -> RunLog:
        """A piece of two epochs with a checkpoint after each, then one with none, and the end, where it may die."""
        log = RunLog(checkpoint=tmp_path / "checkpoint.npz", on_metrics=lambda step, values: told.append(step))
        state = log.resume() or {"epoch": np.array(0)}

        def train() -> dict[str, np.ndarray]:
            for epoch in range(int(state["epoch"]), 2):
                time.sleep(0.1)
                log.metrics(epoch, loss=1.0)
                if dies and epoch == 0:
                    log.checkpoint(lambda: {"epoch": np.array(1)}, now=True)
            return {"x": np.ones(1)}

        def grow() -> dict[str, np.ndarray]:
            time.sleep(0.1)
            log.metrics(9, loss=9.0)
            return {"y": np.ones(1)}

        log.keep("cnn", train)
        log.keep("pool", grow)
        if not dies:
            log.metrics(10, loss=0.5)
        return log

    run(dies=True)
    told.clear()
    whole = run(dies=False)
    assert [row["step"] for row in whole.history] == told == [0, 1, 9, 10]
    assert 0.3 <= whole.spent_before[0] < 0.45


def test_another_runs_piece_adds_to_the_history_and_takes_nothing_away(tmp_path: Path) -> None:
    def run(name: str, loss: float) -> RunLog:
        log = RunLog(checkpoint=tmp_path / name / "checkpoint.npz", shared=tmp_path / "shared")

        def train() -> dict[str, np.ndarray]:
            log.metrics(1, loss=loss)
            return {"x": np.ones(1)}

        log.keep("cnn", train, of=loss)
        log.keep("features", lambda: {"x": np.ones(1)}, of="all alike")
        return log

    run("narrow", 0.5)
    assert run("wide", 0.25).history == [{"step": 1, "loss": 0.25}]


def test_progress_says_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    log = RunLog("digits random", show=True)
    log.progress(1, 10)
    for _ in range(3):  # as where a network that is trained is asked, part after part
        log.progress(10, 10, "epoch 3")
    assert capsys.readouterr().err == "digits random: 10/10, epoch 3\n"


def test_each_piece_of_work_has_its_own_estimate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 0.0, 1000.0, 1010.0])  # the log's start, then a time for each call
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    log = RunLog("cell", show=True)
    log.progress(0, 1, "pool")
    log.progress(0, 100)
    log.progress(10, 100)
    assert capsys.readouterr().err.splitlines()[-1] == "cell: 10/100, about 90 s left"


def test_seeds_differ_by_purpose() -> None:
    made = {derive(seed, *purpose) for seed in (0, 1) for purpose in [("a",), ("b",), ("a", 0), ("a", 1), (0, "a")]}
    assert len(made) == 10
    assert derive(3, "network", 2) == derive(3, "network", 2)
    assert generator(1, "x").random() == generator(1, "x").random()


def test_spread_by_hand() -> None:
    spread = Spread.of([1.0, 2.0, 3.0])
    assert spread.mean == 2.0
    assert spread.std == 1.0
    assert spread.ci_high is not None
    assert spread.ci_high == pytest.approx(2 + 4.302653 / 3**0.5)  # t(0.975, 2) = 4.302653
    assert Spread.of([5.0]).ci_low is None
