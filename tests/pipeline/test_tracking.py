"""What a tracked run holds, and that tracking off costs nothing."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import contract
import mlflow
import pytest
from code_reach import ROOT

from condensation.core.files import file_digest, write_json
from condensation.core.params import read_params
from condensation.stages.condense import condense
from condensation.stages.layout import Cell, Layout
from condensation.tracking import EXPERIMENT, MlflowTracker, NullTracker, tracker


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    contract.toy().save(tmp_path / "data/prepared/toy/train.npz")
    write_json(tmp_path / "data/prepared/toy/facts.json", {})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def test_a_run_holds_everything(project: Path) -> None:
    keeper = MlflowTracker(project)
    condense(Layout(project), read_params(project / "params.yaml"), Cell("toy", "random", 2), [0, 1], keeper)
    made = project / "data/condensed/toy/random/ipc-2/seed-1.npz"
    keeper.judged(file_digest(made), {"test_accuracy": 81.5})
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    assert [run.data.params["seed"] for run in runs] == ["0", "1"]
    run = runs[1]
    assert run.info.status == "FINISHED"
    assert run.data.params["method"] == "random"
    assert run.data.metrics["test_accuracy"] == 81.5
    assert run.data.metrics["condense_seconds"] > 0
    assert {item.path for item in client.list_artifacts(run.info.run_id)} == {"set.npz", "set.png"}
    train = project / "data/prepared/toy/train.npz"
    assert run.data.tags["data_md5"] == hashlib.md5(train.read_bytes()).hexdigest()
    assert {"commit", "dirty", "dvc_stage", "dvc_lock"} <= set(run.data.tags)
    assert [item.dataset.digest for item in run.inputs.dataset_inputs] == [file_digest(train, "md5")]
    assert [item.dataset.name for item in run.inputs.dataset_inputs] == ["toy"]


def test_a_failed_run_is_marked(project: Path) -> None:
    keeper = MlflowTracker(project)
    with pytest.raises(ZeroDivisionError), keeper.run("bad", {}, {}):
        raise ZeroDivisionError
    runs = mlflow.MlflowClient().search_runs([keeper.experiment])
    assert [run.info.status for run in runs] == ["FAILED"]


def test_processes_that_begin_at_once_share_a_new_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    program = "import sys; from pathlib import Path; from condensation.tracking import MlflowTracker"
    program += "; print(MlflowTracker(Path(sys.argv[1])).experiment)"
    command = [sys.executable, "-c", program, str(tmp_path)]
    begun = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    told = [process.communicate() for process in begun]
    assert [process.returncode for process in begun] == [0] * 3, told
    assert len({out for out, _ in told}) == 1


def test_tracking_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONDENSATION_TRACKING", "off")
    assert isinstance(tracker(tmp_path), NullTracker)
    assert list(tmp_path.iterdir()) == []
