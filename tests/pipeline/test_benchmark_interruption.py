"""The real ``condense benchmark`` with DVC: killed in the middle it leaves nothing running, then makes equal bytes."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import contract
import psutil
import pytest
from code_reach import ROOT

from condensation.core.files import read_json, write_npz, write_text
from condensation.reporting.records import read_records
from condensation.stages.benchmark import BenchmarkLayout
from condensation.stages.layout import Cell, Layout
from condensation.stages.run import as_yaml

METHOD = "gradient_matching"
CELL = Cell("toy", METHOD, 2)
GRID: dict[str, Any] = {
    "datasets": ["toy"],
    "optional": [],
    "images_per_class": [2],
    "seeds": [0],
    "networks": 1,
    "preset": "quick",
    "budget_seconds": 600,
    "pipeline": {
        "selection": ["random"],
        "taught": ["herding"],
        "pytorch": [METHOD],
        "pytorch_taught": ["mps3"],
        "tfkeras": ["mps2u"],
    },
}
GRID["pipeline"]["judged"] = ["random", METHOD, "herding", "mps3", "mps2u"]
ONLY = f"{METHOD},random"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with its own data set, a small judge and a method that takes some seconds."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "src/condensation", folder / "src/condensation")
    shutil.copytree(ROOT / "benchmark", folder / "benchmark", ignore=shutil.ignore_patterns("dvc.lock"))
    tree = contract.TREE
    quick = {"epochs": 1, "min_steps": 2, "network": {"name": "convnet", "width": 4}}
    judge = {**tree["judge"], "standard": {**tree["judge"]["standard"], **quick}}
    preset = {"iterations": 61, "network": {"name": "convnet", "width": 8}, "datasets": {"toy": {"iterations": 60}}}
    presets = {"quick": {METHOD: preset}}
    write_text(folder / "params.yaml", as_yaml({**tree, "judge": judge, "presets": presets}))
    write_text(folder / "benchmark/params.yaml", as_yaml(GRID))
    write_text(folder / ".dvc/config", "[core]\n    no_scm = true\n    analytics = false\n")
    toy = contract.toy()
    write_npz(folder / "own/toy.npz", {"images": toy.images, "labels": toy.labels})
    return folder


def start(project: Path, *words: str) -> subprocess.Popen[bytes]:
    settings = {
        "CONDENSATION_CHECKPOINT_SECONDS": "0",
        "CONDENSATION_DATA": str(project / "own"),
        "CONDENSATION_TRACKING": "off",
        "PYTHONPATH": str(project / "src"),
    }
    command = [sys.executable, "-m", "condensation", *words]
    with (project / "log.txt").open("ab") as log:
        return subprocess.Popen(command, cwd=project, env={**os.environ, **settings}, stdout=log, stderr=log)


def at_work(project: Path) -> list[psutil.Process]:
    """Processes that work in this project, those of the benchmark's group."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(project.resolve()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found


def wait_for(what: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_to_the_same_bytes(project: Path) -> None:
    layout, work = BenchmarkLayout(project), project / ".condense/benchmark/work"
    process = start(project, "benchmark", "--only", ONLY)
    wait_for(lambda: process.poll() is not None or list(work.glob("toy/*/*/*/checkpoint.npz")), 300)
    assert process.poll() is None, (project / "log.txt").read_text()
    process.kill()
    process.wait(90)
    wait_for(lambda: not at_work(project), 90)
    assert not layout.condensed(CELL).exists(), "it was over before the signal; give it more to do"
    (left,) = read_records(layout.reports / "metrics").unfinished.values()
    assert left.key == ("toy", METHOD, 2)
    assert left.state == "stopped"
    assert list(work.glob("toy/*/*/*/checkpoint.npz"))

    process = start(project, "benchmark", "--only", ONLY)
    assert process.wait(300) == 0, (project / "log.txt").read_text()
    found = read_records(layout.reports / "metrics")
    assert found.judged_keys() == {("toy", METHOD, 2), ("toy", "random", 2)}
    assert not found.unfinished
    assert "Of 2 cells 2 are made" in (project / "log.txt").read_text()
    assert read_json(layout.metrics("parameters", CELL))["parameters"]["iterations"] == 60
    plain = Layout(project / "runs")
    shutil.copytree(layout.prepared("toy"), plain.prepared("toy"))
    words = ("--dataset", "toy", "--method", METHOD, "--images-per-class", "2", "--preset", "quick", "--seeds", "[0]")
    assert start(project, "condense", *words, "--root", "runs").wait(300) == 0
    assert layout.condensed_set(CELL, 0).read_bytes() == plain.condensed_set(CELL, 0).read_bytes()
