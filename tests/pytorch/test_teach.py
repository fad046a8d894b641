"""The teach stage: who asks for expert trajectories gets them, counted by themselves; nobody else pays for any."""

from pathlib import Path
from typing import Any

import pytest
from contract import PARAMS, QUICK, TREE, toy

from condensation.core.errors import InputError
from condensation.core.files import read_json
from condensation.core.results import TaughtSeeds
from condensation.stages.condense import _digests, _taught, _taught_seconds
from condensation.stages.layout import Cell, Layout
from condensation.stages.run import data_steps
from condensation.stages.teach import teach

CELL = Cell("toy", "trajectory_matching", 1)
TAUGHT = ("features.npz", "teacher.npz")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    for name in ("train", "validation"):
        toy().save(layout.prepared("toy") / f"{name}.npz")
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


@pytest.mark.parametrize("method", [None, "herding"])
def test_nobody_else_pays_for_trajectories(layout: Layout, method: str | None) -> None:
    teach(layout, tree(), "toy", [3], method)
    assert names(layout.teacher("toy", 3)) == set(TAUGHT)
    assert read_json(layout.teacher_metrics("toy"))["trajectory_seconds"] == {}


def test_a_run_teaches_what_its_method_asks_for_and_lacks(layout: Layout) -> None:
    def teaching(method: str) -> list[list[str]]:
        steps = data_steps(layout, tree(), Cell("toy", method, 1), source="toy")
        return [words for words in steps if words[0] == "teach"]

    wanted = [["teach", "--dataset", "toy", "--method", "trajectory_matching"]]
    assert teaching("random") == []
    assert teaching("herding") == [["teach", "--dataset", "toy"]]
    assert teaching("trajectory_matching") == wanted
    layout.teacher("toy", 3).mkdir(parents=True)
    (layout.teacher("toy", 3) / "features.npz").touch()
    assert (teaching("herding"), teaching("trajectory_matching")) == ([], wanted)
    layout.trajectories("toy", 3).mkdir()
    (layout.trajectories("toy", 3) / "facts.json").touch()
    assert teaching("trajectory_matching") == []
