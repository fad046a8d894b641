"""The teach stage: who asks for expert trajectories gets them, counted by themselves; nobody else pays for any."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from contract import PARAMS, QUICK, TREE, toy

from condensation.core.errors import InputError
from condensation.core.files import read_json, write_json
from condensation.core.params import override
from condensation.core.results import TaughtSeeds
from condensation.stages.condense import _digests, _taught, _taught_seconds
from condensation.stages.layout import Cell, Layout
from condensation.stages.run import data_steps
from condensation.stages.teach import teach

CELL = Cell("toy", "trajectory_matching", 1)
TAUGHT = ("facts.json", "features.npz", "teacher.npz")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    for name in ("train", "validation"):
        toy().save(layout.prepared("toy") / f"{name}.npz")
    facts = {"params": TREE["prepare"], "splits": {"train": {"sha256": toy().sha256}}}
    write_json(layout.prepared("toy") / "facts.json", facts)
    layout.raw("toy").mkdir(parents=True)
    return layout


def tree() -> dict[str, Any]:
    method = {**PARAMS["trajectory_matching"], **QUICK["trajectory_matching"]}
    teacher = {**TREE["teach"], "max_steps": 2, "network": {"width": 8}}
    return {**TREE, "seeds": [3], "teach": teacher, "methods": {**PARAMS, "trajectory_matching": method}}


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_trajectories_are_recorded_for_the_method_that_asks(layout: Layout) -> None:
    with pytest.raises(InputError, match="run `condense teach --dataset toy --method trajectory_matching` first"):
        _taught(layout, CELL, 3)
    teach(layout, tree(), "toy", [3], "trajectory_matching")
    assert names(layout.teacher("toy", 3)) == {*TAUGHT, "trajectories/expert-0.npz", "trajectories/facts.json"}
    taught = _taught(layout, CELL, 3)
    assert taught == {"trajectories": layout.trajectories("toy", 3)}
    assert len(_digests(taught)[0]) == 64
    told = TaughtSeeds.model_validate(read_json(layout.teacher_metrics("toy")))
    assert _taught_seconds(layout, CELL, 3, taught) == told.trajectory_seconds["3"] > 0
    herding = Cell("toy", "herding", 1)
    assert _taught_seconds(layout, herding, 3, _taught(layout, herding, 3)) == told.seconds["3"]


def test_the_record_keeps_what_it_says_of_other_seeds(layout: Layout) -> None:
    herding = Cell("toy", "herding", 1)
    teach(layout, tree(), "toy", [3], "trajectory_matching")
    before = read_json(layout.teacher_metrics("toy"))
    teach(layout, tree(), "toy", [4])
    told = read_json(layout.teacher_metrics("toy"))
    for name in ("seconds", "trajectory_seconds", "validation_accuracy"):
        assert told[name]["3"] == before[name]["3"]
    assert _taught_seconds(layout, herding, 3, _taught(layout, herding, 3)) == before["seconds"]["3"]
    shutil.rmtree(layout.teacher("toy", 4))
    teach(layout, tree(), "toy", [5])
    with pytest.raises(InputError, match=r"toy\.json does not say what the teacher of seed 4 took"):
        _taught_seconds(layout, herding, 4, {"teacher": layout.teacher("toy", 3)})


@pytest.mark.parametrize("method", [None, "herding"])
def test_nobody_else_pays_for_trajectories(layout: Layout, method: str | None) -> None:
    teach(layout, tree(), "toy", [3], method)
    assert names(layout.teacher("toy", 3)) == set(TAUGHT)
    assert read_json(layout.teacher_metrics("toy"))["trajectory_seconds"] == {}


def test_a_run_teaches_what_its_method_asks_for_and_lacks(layout: Layout) -> None:
    def todo(method: str, name: str = "seeds", value: str = "[3]") -> list[list[str]]:
        return data_steps(layout, override(tree(), name, value), Cell("toy", method, 1), source="toy")

    teaching = ["teach", "--dataset", "toy"]
    recording = [*teaching, "--method", "trajectory_matching"]
    experts = "methods.trajectory_matching.experts.epochs"
    assert todo("random") == []
    assert (todo("herding"), todo("trajectory_matching")) == ([teaching], [recording])
    teach(layout, tree(), "toy", [3])
    assert (todo("herding"), todo("trajectory_matching")) == ([], [recording])
    teach(layout, tree(), "toy", [3], "trajectory_matching")
    assert (todo("herding"), todo("trajectory_matching")) == ([], [])
    assert (todo("herding", "seeds", "[3, 4]"), todo("herding", "teach.epochs", "9")) == ([teaching], [teaching])
    assert (todo("herding", experts, "9"), todo("trajectory_matching", experts, "9")) == ([], [recording])
    preparing = ["prepare", "--dataset", "toy"]
    assert todo("herding", "prepare.seed", "1") == [preparing, teaching]
    assert todo("random", "prepare.seed", "1") == [preparing]
    facts = {"params": TREE["prepare"], "splits": {"train": {"sha256": "of other images"}}}
    write_json(layout.prepared("toy") / "facts.json", facts)
    assert (todo("herding"), todo("trajectory_matching")) == ([teaching], [recording])
