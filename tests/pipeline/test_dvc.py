"""dvc.yaml lists for each stage exactly the code and the parameters that the stage reaches."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from code_reach import ROOT, reach
from contract import toy
from ruamel.yaml import YAML

from condensation.core.judges import LEARNED_STEP_SIZE, NO_AUGMENTATION
from condensation.core.params import Section, check, read_params, section, seeds
from condensation.pytorch.judge import Protocol
from condensation.pytorch.teacher import TeacherParams
from condensation.registry import JUDGES, METHODS, judge_module
from condensation.stages import condense, evaluate, report
from condensation.stages.benchmark import BenchmarkLayout, BenchmarkParams
from condensation.stages.layout import Cell, Layout
from condensation.stages.prepare import PrepareParams

PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
SEARCH = YAML(typ="safe").load(ROOT / "tuning/dvc.yaml")["stages"]["tune"]
BENCHMARK = YAML(typ="safe").load(ROOT / "benchmark/dvc.yaml")["stages"]
PARAMS = read_params(ROOT / "params.yaml")
GRID = check(read_params(ROOT / "benchmark/params.yaml"), BenchmarkParams, "benchmark/params.yaml")
GROUPS = {name: methods for name, methods in PARAMS["pipeline"].items() if name != "judged"}
# Names, paths of runs and words on the screen; they carry what a stage makes and cannot change it.
CARRIERS = {"src/condensation/registry.py", "src/condensation/tracking.py", "src/condensation/cli.py"}

# The page's template, its style and script, and the published figures, which no import names.
DATA_OF_THE_REPORT = {
    str(path.relative_to(ROOT))
    for path in (ROOT / "src/condensation/reporting").iterdir()
    if path.is_file() and path.suffix != ".py"
}


def listed(stage: str, pipeline: Mapping[str, Any] = PIPELINE) -> list[str]:
    """The source files that a stage lists, the matrix' item still in them."""
    return [dep for dep in pipeline[stage]["deps"] if dep.startswith("src/")]


def reached(stage: str, groups: Mapping[str, list[str]] = GROUPS) -> set[str]:
    """The source files that a stage reaches, the method's own file named by the matrix' item."""
    if not stage.startswith("condense-"):
        judge = [JUDGES[PARAMS["judge"]["protocol"]]] if stage.startswith("evaluate") else []
        files = reach(f"condensation.stages.{stage.removesuffix('-whole')}", *judge) - CARRIERS
        return files | DATA_OF_THE_REPORT if stage == "report" else files
    files = reach("condensation.stages.condense")
    for method in groups[stage.removeprefix("condense-")]:
        module = METHODS[method].module
        own = "src/" + module.replace(".", "/") + ".py"
        files |= {own.replace(method, "${item.method}") if file == own else file for file in reach(module)}
    return files - CARRIERS


@pytest.mark.parametrize("stage", sorted(PIPELINE))
def test_stage_lists_the_code_that_it_reaches(stage: str) -> None:
    assert listed(stage) == sorted(listed(stage)), "keep the list sorted"
    assert set(listed(stage)) == reached(stage)


@pytest.mark.parametrize("stage", sorted(BENCHMARK))
def test_the_benchmark_lists_the_code_that_it_reaches(stage: str) -> None:
    """What plans it, its budget and its paths, make it and cannot change it: the stages do the work."""
    found = listed(stage, BENCHMARK)
    assert found == sorted(found), "keep the list sorted"
    assert set(found) == reached(stage, GRID.pipeline.model_dump(exclude={"judged"}))


@pytest.mark.parametrize("stage", sorted(BENCHMARK))
def test_the_benchmark_has_the_params_of_the_pipeline_and_its_own(stage: str) -> None:
    plain = [name for name in BENCHMARK[stage]["params"] if isinstance(name, str)]
    own = [set(each["benchmark/params.yaml"]) for each in BENCHMARK[stage]["params"] if isinstance(each, dict)]
    preset = ["presets.${preset}.${item.method}"] if stage == "condense-pytorch" else []
    same = PIPELINE[stage.replace("pytorch_taught", "taught")]["params"]
    assert sorted(plain) == sorted({*same, *preset} - {"seeds"})
    changed = {"seeds"} & set(same)
    changed |= {"networks"} if stage.startswith("evaluate") else {"preset"} if preset else set()
    assert set().union(*own) == changed


def test_the_benchmark_writes_where_its_layout_says() -> None:
    layout, cell = BenchmarkLayout(), Cell("${item.dataset}", "${item.method}", 7)
    data = "${item.dataset}"
    square = {str(layout.condensed(cell)), str(layout.curves(cell))}
    square |= {str(layout.metrics(name, cell)) for name in ("condense", "parameters")}
    want = {
        "prepare": {str(layout.prepared(data))},
        "teach": {str(layout.teacher(data)), str(layout.teacher_metrics(data))},
        "evaluate": {str(layout.metrics("evaluate", cell))},
        "evaluate-whole": {str(layout.whole_metrics(data))},
        **{f"condense-{group}": square for group in ("selection", "taught", "pytorch", "pytorch_taught", "tfkeras")},
    }
    for stage, paths in want.items():
        outs = [out for kind in ("outs", "metrics", "plots") for out in BENCHMARK[stage].get(kind, [])]
        written = {next(iter(out)) if isinstance(out, dict) else out for out in outs}
        assert {path.replace("${item.images_per_class}", "7") for path in written} == paths


def test_the_two_pipelines_share_no_output() -> None:
    """DVC refuses two makers of one file, and a person may run the pipeline on the benchmark's data sets."""
    assert not any(str(out).startswith("data/raw") for stage in BENCHMARK.values() for out in stage.get("outs", []))
    outs = [str(out) for stage in BENCHMARK.values() for kind in ("outs", "metrics") for out in stage.get(kind, [])]
    assert all("/benchmark/" in out or "models/benchmark" in out for out in outs)


def test_the_benchmarks_grid_is_sound() -> None:
    groups = GRID.pipeline.model_dump(exclude={"judged"})
    assert sorted(GRID.pipeline.judged) == sorted(method for methods in groups.values() for method in methods)
    for group, methods in groups.items():
        for method in methods:
            entry = METHODS[method]
            assert entry.module.split(".")[1] == {"taught": "selection", "pytorch_taught": "pytorch"}.get(group, group)
            assert entry.teacher == group.endswith("taught")
            assert bool(GRID.preset_of(PARAMS, method)) == (group == "pytorch"), "its stage lists the preset"
            changed = GRID.applied(PARAMS, method)
            assert changed["seeds"] == GRID.seeds
    protocol = PARAMS["judge"]["protocol"]
    assert GRID.applied(PARAMS)["judge"][protocol] == {**PARAMS["judge"][protocol], "networks": GRID.networks}


def test_the_search_lists_the_code_that_it_reaches() -> None:
    default = PARAMS["tuning"]["default"]
    named = [re.sub(r"\$\{tuning\.default\.(\w+)\}", lambda match: default[match[1]], dep) for dep in SEARCH["deps"]]
    code = [dep for dep in named if dep.startswith("src/")]
    assert code == sorted(code), "keep the list sorted"
    assert set(code) == reach("condensation.stages.tune", METHODS[default["method"]].module) - CARRIERS
    assert {dep for dep in named if dep not in code} == {
        f"data/prepared/{default['dataset']}/{split}.npz" for split in ("train", "validation")
    }


def test_plain_repro_does_not_search() -> None:
    """No stage of the pipeline needs what the search writes, by a path that DVC would know to make."""
    assert not any("tune" in stage["cmd"] for stage in PIPELINE.values())
    assert "reports/tuning" in PIPELINE["report"]["deps"]
    assert not {"outs", "metrics", "plots"} & set(SEARCH)
    assert (ROOT / "reports/tuning/README.md").exists(), "a dependency must be there"


def test_groups_hold_every_judged_method_once() -> None:
    grouped = [method for methods in GROUPS.values() for method in methods]
    assert sorted(grouped) == sorted(PARAMS["pipeline"]["judged"])
    assert sorted(grouped) == sorted(set(grouped))


def test_groups_fit_the_table() -> None:
    for group, methods in GROUPS.items():
        for method in methods:
            entry = METHODS[method]
            room = "selection" if group == "taught" else group
            assert entry.module.split(".")[1] == room
            needs = "models/${item.dataset}" in PIPELINE[f"condense-{group}"]["deps"]
            assert needs == (entry.teacher or entry.trajectories), f"{method} is in group {group}"


def test_trajectories_are_recorded_only_where_a_method_of_the_pipeline_asks_for_them() -> None:
    asking = [method for methods in GROUPS.values() for method in methods if METHODS[method].trajectories]
    assert PIPELINE["teach"]["cmd"].partition(" --method ")[2] == "".join(asking)
    listed = [name for name in PIPELINE["teach"]["params"] if name.startswith("methods.")]
    assert listed == [f"methods.{method}.experts" for method in asking]


class Recorder(dict[str, Any]):
    """params.yaml that remembers the dotted keys that were asked for."""

    def __init__(self, tree: Mapping[str, Any], seen: set[str], prefix: str = "") -> None:
        super().__init__(tree)
        self._seen, self._prefix = seen, prefix

    def __getitem__(self, key: str) -> Any:
        value, dotted = super().__getitem__(key), f"{self._prefix}{key}"
        self._seen.add(dotted)
        return Recorder(value, self._seen, f"{dotted}.") if isinstance(value, dict) else value


def leaves(seen: set[str]) -> set[str]:
    """The deepest keys that were asked for."""
    return {key for key in seen if not any(other.startswith(f"{key}.") for other in seen)}


def wanted(stage: str, **item: str) -> set[str]:
    """The stage's params with the matrix' item and judge.protocol filled in."""
    text = {re.sub(r"\$\{item\.(\w+)\}", lambda match: item[match[1]], name) for name in PIPELINE[stage]["params"]}
    return {name.replace("${judge.protocol}", PARAMS["judge"]["protocol"]) for name in text}


def test_condense_reads_the_parameters_that_it_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condense, "ImageSet", _Toy)
    monkeypatch.setattr(condense, "file_digest", lambda *_: "")
    for method in ("random", "herding"):
        seen: set[str] = set()
        tree = Recorder(PARAMS, seen)
        seeds(tree)
        condense.order(Layout(), tree, Cell("toy", method, 1))
        group = next(group for group, methods in GROUPS.items() if method in methods)
        assert leaves(seen) == wanted(f"condense-{group}", dataset="toy", method=method)


class _Toy:
    @staticmethod
    def load(path: Path, dataset: str) -> Any:
        return toy()


@pytest.mark.parametrize("whole", [False, True])
def test_evaluate_reads_the_parameters_that_it_lists(monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    monkeypatch.setattr(evaluate, "ImageSet", _Toy)
    monkeypatch.setattr(evaluate, "read_json", lambda _: {"mean": [0.5], "std": [0.5]})
    seen: set[str] = set()
    tree = Recorder(PARAMS, seen)
    evaluate.Bench.of(Layout(), tree, "toy", whole=whole)
    if not whole:
        seeds(tree)
    assert leaves(seen) == wanted("evaluate-whole" if whole else "evaluate")


def test_report_reads_the_parameters_that_it_lists() -> None:
    seen: set[str] = set()
    assert len(report.planned(Recorder(PARAMS, seen))) >= 2
    assert {name.split(".")[0] for name in leaves(seen)} == wanted("report")


@pytest.mark.parametrize(("stage", "model"), [("prepare", PrepareParams), ("teach", TeacherParams)])
def test_section_of_its_own_is_listed_and_sound(stage: str, model: type[Section]) -> None:
    assert stage in PIPELINE[stage]["params"]
    section(PARAMS, stage, model)


def test_every_protocol_is_sound() -> None:
    named = {key for key, value in PARAMS["judge"].items() if isinstance(value, dict)}
    assert named - {"whole", "conditions"} == set(JUDGES)
    for name in sorted(JUDGES):
        if JUDGES[name].startswith("condensation.pytorch."):  # the other framework's: tests/tfkeras/test_judge.py
            section(PARAMS, f"judge.{name}", judge_module(name).Protocol)
            check({**PARAMS["judge"][name], **PARAMS["judge"]["whole"]}, Protocol, "whole")


def test_every_condition_is_sound() -> None:
    conditions = PARAMS["judge"]["conditions"]
    assert set(conditions) == {NO_AUGMENTATION, LEARNED_STEP_SIZE}
    assert conditions[LEARNED_STEP_SIZE]["learning_rate"] == evaluate.LEARNED
    for name, changes in conditions.items():
        check({**PARAMS["judge"]["standard"], **changes, "learning_rate": 0.1}, Protocol, name)


def test_every_section_is_listed_by_a_stage() -> None:
    roots = {name.split(".")[0] for stage in PIPELINE.values() for name in stage.get("params", [])}
    used_by_matrix = set(re.findall(r"\$\{(\w+)", str([stage.get("matrix") for stage in PIPELINE.values()])))
    assert roots | used_by_matrix == set(PARAMS) - {"studies", "presets", "transfer", "tuning"}  # beside the pipeline
