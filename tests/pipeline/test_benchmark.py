"""The benchmark: which cells, in which order, within which budget; and what did not finish is shown as such."""

import re
import shutil
import sys
import time
from itertools import product
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import contract
import numpy as np
import pandas as pd
import pytest
from code_reach import ROOT
from report_files import ASKED, HERDING, RANDOM, judged, save, save_condensed
from ruamel.yaml import YAML

from condensation import registry
from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.files import read_json, write_json
from condensation.core.params import Section, check, read_params
from condensation.core.randomness import generator
from condensation.reporting.records import read_records
from condensation.reporting.unfinished import AbsentData, UnfinishedCell
from condensation.stages import benchmark_run
from condensation.stages.benchmark import BUDGET, PARAMS, BenchmarkLayout, BenchmarkParams, chosen, places, targets
from condensation.stages.budget import OutOfBudget, condense_within, write_parameters
from condensation.stages.layout import Cell
from condensation.stages.report import report
from condensation.tracking import NullTracker

GRID: BenchmarkParams = check(read_params(ROOT / PARAMS), BenchmarkParams, str(PARAMS))
TREE = read_params(ROOT / "params.yaml")


# Which cells


def cells(text: str) -> list[tuple[str, str, int | None]]:
    return [cell for part in chosen(GRID, places(text, GRID)) for cell in part]


def test_only_names_a_part_of_the_grid() -> None:
    assert cells("mnist/mps2u/50") == [("mnist", "mps2u", 50)]
    assert cells("50/mps2u/mnist") == [("mnist", "mps2u", 50)]
    assert set(cells("mps2u")) == {(d, "mps2u", s) for d, s in product(GRID.datasets, GRID.images_per_class)}
    assert set(cells("mnist/50, svhn/50")) == {(d, m, 50) for d in ("mnist", "svhn") for m in GRID.pipeline.judged}
    assert cells("whole/mnist") == [("mnist", "whole", None)]
    assert ("cifar10", "whole", None) in cells("cifar10")
    assert len(cells("")) == len(GRID.expected()) + len(GRID.datasets)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mnits", "ONLY has 'mnits' in 'mnits'; allowed: at most one data set, one method and one size"),
        ("mnist/5", "ONLY has '5' in 'mnist/5'"),
        ("mnist/cifar10", "ONLY has 'cifar10' in 'mnist/cifar10'"),
        ("mnist,", "ONLY has '' in ''"),
        ("whole/50", "allowed: whole without a size"),
    ],
)
def test_an_unknown_part_is_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as error:
        places(text, GRID)
    assert "\n" not in str(error.value)


def test_the_main_table_comes_first_and_optional_data_last() -> None:
    parts = chosen(GRID, places("", GRID))
    first = ("random", "mps3", "mps2u", "mutual_information", "mps2", "gradient_matching")
    main = [(d, m, 50) for m in first for d in main3]
    assert parts[0][:18] == main
    assert [{size for _, _, size in part} - {None} for part in parts] == [{50}, {10}, {1}] * 2
    assert [{dataset for dataset, _, _ in part} for part in parts] == [set(main3)] * 3 + [{"cifar100", "svhn"}] * 3
    wholes = [place for place, (_, method, _) in enumerate(parts[0]) if method == "whole"]
    assert wholes == list(range(len(parts[0]) - 3, len(parts[0])))


main3 = ["mnist", "fashionmnist", "cifar10"]


def test_targets_are_stages_of_the_pipeline_each_after_what_it_needs() -> None:
    named = targets(GRID, cells(""))
    stages = YAML(typ="safe").load(ROOT / "benchmark/dvc.yaml")["stages"]
    values = {"datasets": GRID.datasets, "images_per_class": GRID.images_per_class}
    values |= {f"pipeline.{name}": methods for name, methods in GRID.pipeline.model_dump().items()}
    grid = {
        f"benchmark/dvc.yaml:{stage}@{'-'.join(map(str, item))}"
        for stage, about in stages.items()
        for item in product(*(values[name[2:-1]] for name in about["matrix"].values()))
    }
    assert set(named) == grid
    assert len(named) == len(grid)
    place = {name.partition(":")[2]: index for index, name in enumerate(named)}
    for name, index in place.items():
        dataset = name.partition("@")[2].partition("-")[0]
        assert place[f"prepare@{dataset}"] <= index
        if name.startswith(("condense-taught", "condense-pytorch_taught")):
            assert place[f"teach@{dataset}"] < index
        if name.startswith("evaluate@"):
            made = [place[f"condense-{group}@{name.partition('@')[2]}"] for group in groups_of(name)]
            assert made == [index - 1]


def groups_of(name: str) -> list[str]:
    return [GRID.pipeline.group(name.split("-")[1])]


def test_a_budget_of_the_command_line_goes_before_that_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "benchmark", tmp_path / "benchmark")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(BUDGET, raising=False)
    assert BenchmarkParams.read() == GRID
    monkeypatch.setenv(BUDGET, "12")
    assert BenchmarkParams.read().budget_seconds == 12
    monkeypatch.setenv(BUDGET, "-1")
    with pytest.raises(InputError, match="budget_seconds is -1"):
        BenchmarkParams.read()


# Within its budget


class SlowParams(Section):
    """steps: of a few milliseconds each."""

    steps: int


def slowly(train: Any, *, images_per_class: int, params: SlowParams, seed: int, log: Any) -> CondensedDataset:
    """A random selection, after many steps that add numbers; it can be stopped at each and goes on."""
    if params.steps < 0:
        raise ZeroDivisionError
    state = log.resume() or {"step": np.zeros((), np.int64), "sum": np.zeros(len(train))}
    for step in range(int(state["step"]), params.steps):
        state = {"step": np.array(step + 1), "sum": state["sum"] + generator(seed, "slow", step).random(len(train))}
        log.checkpoint(lambda: state, now=True)  # noqa: B023
        time.sleep(0.01)
    rows = [train.indices_of(label) for label in range(train.classes)]
    order = np.concatenate([r[np.argsort(state["sum"][r])[:images_per_class]] for r in rows])
    about = {"method": "slow", "images_per_class": images_per_class, "seed": seed, "params": params}
    return CondensedDataset.of_selection(train, order, **about)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> BenchmarkLayout:
    """A project with toy images and a method that takes long."""
    module = ModuleType("condensation.selection.slow")
    vars(module).update(Params=SlowParams, condense=slowly)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(registry.METHODS, "slow", registry.Entry(module.__name__))
    layout = BenchmarkLayout(tmp_path)
    contract.toy().save(layout.prepared("toy") / "train.npz")
    return layout


CELL = Cell("toy", "slow", 2)


def attempt(layout: BenchmarkLayout, seconds: float, steps: int = 40) -> None:
    condense_within(layout, {"methods": {"slow": {"steps": steps}}}, CELL, [0, 1, 2], NullTracker(), seconds)


# the alarm may come between the opening of a checkpoint and its `with`
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_out_of_budget_it_goes_on_from_its_checkpoint_to_the_same_bytes(slow: BenchmarkLayout, tmp_path: Path) -> None:
    path, runs, made = slow.metrics("unfinished", CELL), 0, []
    while runs < 20:
        try:
            attempt(slow, 0.5)
            break
        except OutOfBudget:
            record = UnfinishedCell.model_validate(read_json(path))
            assert (record.state, record.sets, record.budget_seconds) == ("out of budget", 3, 0.5)
            assert record.seconds >= 0.5 * (runs + 1) - 0.1
            assert not slow.condensed(CELL).exists(), "nothing that is not whole is taken for finished"
            made.append(record.sets_made)
            runs += 1
    assert 2 <= runs < 20
    assert made == sorted(made)
    assert not path.exists()
    whole = BenchmarkLayout(tmp_path / "whole")
    shutil.copytree(slow.prepared("toy"), whole.prepared("toy"))
    attempt(whole, 100)
    for seed in range(3):
        assert slow.condensed_set(CELL, seed).read_bytes() == whole.condensed_set(CELL, seed).read_bytes()


@pytest.mark.parametrize(
    ("steps", "error", "reason"),
    [(-1, ZeroDivisionError, "ZeroDivisionError"), ("x", InputError, "methods.slow.steps")],
)
def test_a_failure_leaves_a_record(slow: BenchmarkLayout, steps: Any, error: type[Exception], reason: str) -> None:
    with pytest.raises(error):
        attempt(slow, 100, steps)
    record = UnfinishedCell.model_validate(read_json(slow.metrics("unfinished", CELL)))
    assert (record.state, record.sets_made) == ("failed", 0)
    assert reason in record.reason


def test_the_parameters_as_they_were_run_lie_beside_the_metrics(slow: BenchmarkLayout) -> None:
    attempt(slow, 100, 1)
    write_parameters(slow, CELL, 0, "cpu")
    assert read_json(slow.metrics("parameters", CELL)) == {"preset": "cpu", "parameters": {"steps": 1}}


# What did not finish is shown as such


BEYOND = UnfinishedCell(
    dataset="digits",
    method="herding",
    images_per_class=10,
    state="out of budget",
    sets_made=1,
    sets=3,
    seconds=250.0,
    budget_seconds=120.0,
)


def test_a_cell_that_did_not_finish_is_shown_as_such(tmp_path: Path) -> None:
    """Also where an earlier making was judged: that result is none of the cell's any more."""
    for method, accuracies in (("random", RANDOM), ("herding", HERDING)):
        save(tmp_path, judged(method, accuracies))
        save_condensed(tmp_path, method)
    metrics = tmp_path / "reports/metrics"
    write_json(metrics / "unfinished/digits/herding/ipc-10.json", BEYOND.model_dump())
    write_json(metrics / "absent/svhn.json", AbsentData(dataset="svhn").model_dump())
    page = report(tmp_path, [*ASKED, ("svhn", "random", 10)], NullTracker())
    words = "out of its budget of 2.0 min; 1 of 3 sets made in 4.2 min"
    sentence = f"Digits, Herding, 10 per class: not finished: {words}."
    without = "SVHN: not run; its images are not here and could not be downloaded."
    text = page.with_suffix(".md").read_text()
    for told in (sentence, without):
        assert f"- **{told}**" in text
        assert told in page.read_text()
    assert "| Herding | 10 | **not finished** (1 of 3 sets made) |" in text
    assert "### SVHN" not in text
    table = pd.read_csv(page.with_suffix(".csv")).set_index(["dataset", "method"])
    assert table["state"].to_dict() == {
        ("digits", "random"): "finished",
        ("digits", "herding"): f"not finished: {words}",
        ("digits", "mps2u"): "not run",
        ("svhn", "random"): "not run, no images",
    }
    assert pd.isna(table.loc[("digits", "herding"), "accuracy_mean"])


def test_a_data_set_without_images_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nowhere(dataset: str, **_: Any) -> None:
        raise OSError("no network")

    asked: list[list[str]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benchmark_run, "fetch", nowhere)
    monkeypatch.setattr(benchmark_run, "_repro", asked.append)
    shutil.copytree(ROOT / "benchmark", tmp_path / "benchmark")
    layout = BenchmarkLayout()
    run = lambda text: benchmark_run.run_benchmark(layout, GRID, TREE, places(text, GRID), NullTracker())  # noqa: E731
    assert run("svhn/random/50") == 0
    assert asked == []
    assert read_records(layout.reports / "metrics").absent == {"svhn"}
    with pytest.raises(OSError, match="no network"):
        run("mnist/random/50")
    write_json(layout.raw("svhn") / "manifest.json", {})
    assert run("svhn/random/50") == 1, "DVC made nothing"
    assert [name.partition(":")[2] for name in asked[0]] == [
        "prepare@svhn",
        "condense-selection@svhn-random-50",
        "evaluate@svhn-random-50",
    ]
    assert read_records(layout.reports / "metrics").absent == set()


def test_what_ran_out_of_its_budget_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    square = ("digits", "herding", 10)
    told = benchmark_run._told
    late = SimpleNamespace(judged=(), judged_keys=lambda: {("digits", "random", 10)}, unfinished={square: BEYOND})
    assert told(late, [square, ("digits", "random", 10)]) == 0
    assert "Of 2 cells 1 are made, 1 ran out of their budget, 0 failed." in capsys.readouterr().out
    failed = BEYOND.model_copy(update={"state": "failed"})
    late.unfinished = {square: failed}
    assert told(late, [square]) == 1
