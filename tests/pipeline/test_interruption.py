"""A real process is killed in the middle; the next one goes on and comes to the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import contract
import mlflow
import pytest
from code_reach import ROOT

from condensation.core.files import write_json
from condensation.tracking import EXPERIMENT, MlflowTracker

CELL = ["condense", "--dataset", "toy", "--method", "gradient_matching", "--images-per-class", "2", "--seeds", "[0]"]
BUDGET = ["--methods.gradient_matching.iterations", "60"]
MADE = Path("data/condensed/toy/gradient_matching/ipc-2")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a prepared toy data set and an empty tracking database."""
    folder = tmp_path_factory.mktemp("template")
    shutil.copy(ROOT / "params.yaml", folder)
    contract.toy().save(folder / "data/prepared/toy/train.npz")
    write_json(folder / "data/prepared/toy/facts.json", {})
    MlflowTracker(folder)
    return folder


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """The method, or a command, in a process of its own, which saves at every chance."""
    settings = {
        "CONDENSATION_CHECKPOINT_SECONDS": "0",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "DO_NOT_TRACK": "true",
    }
    command = [sys.executable, "-m", "condensation", *(words or CELL), *BUDGET]
    return subprocess.Popen(command, cwd=folder, env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True)


def finish(folder: Path) -> bytes:
    """Run to the end; the bytes of the set."""
    process = start(folder)
    _, words = process.communicate(timeout=240)
    assert process.returncode == 0, words
    return (folder / MADE / "seed-0.npz").read_bytes()


def stop_in_the_middle(folder: Path, number: signal.Signals, *words: str) -> int:
    """Send a signal once this process has written a checkpoint; the exit status."""
    begin = time.time()
    process = start(folder, *words)
    while not any(path.stat().st_mtime > begin for path in folder.rglob(".condense/**/checkpoint.npz")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert not (folder / MADE).exists(), "it was over before the signal; give it more to do"
    return process.returncode


def statuses(folder: Path) -> list[str]:
    """How the runs ended, oldest first."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    return [run.info.status for run in runs]


@pytest.mark.slow
def test_stopped_and_resumed_gives_the_same_bytes(template: Path, tmp_path: Path) -> None:
    whole = finish(shutil.copytree(template, tmp_path / "whole"))
    folder = shutil.copytree(template, tmp_path / "stopped")
    assert stop_in_the_middle(folder, signal.SIGKILL) == -signal.SIGKILL
    assert statuses(folder) == ["RUNNING"]
    assert stop_in_the_middle(folder, signal.SIGTERM) == 130
    assert statuses(folder) == ["KILLED", "KILLED"], "the first is reaped, the second said so itself"
    assert finish(folder) == whole
    assert statuses(folder)[-1] == "FINISHED"
    assert not list((folder / ".condense").rglob("checkpoint.npz")), "what is finished leaves no checkpoint behind"


@pytest.mark.slow
def test_a_run_that_is_stopped_tells_its_step(template: Path, tmp_path: Path) -> None:
    """SIGTERM reaches the run alone, as a scheduler sends it."""
    folder = shutil.copytree(template, tmp_path / "project")
    shutil.move(folder / "data", folder / "runs/data")
    write_json(folder / "runs/data/prepared/toy/facts.json", {"params": contract.TREE["prepare"]})
    (folder / "runs/data/raw/toy").mkdir(parents=True)
    assert stop_in_the_middle(folder, signal.SIGTERM, "run", *CELL[1:], "--no-judge") == 130
    assert statuses(folder) == ["KILLED"]
