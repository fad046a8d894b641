"""What `condense run` does: random sets judged beside a method's, and nothing twice."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from contract import TREE, make, toy

import condensation
from condensation import registry
from condensation.core.files import read_json, write_json
from condensation.stages import process
from condensation.stages.condense import condense
from condensation.stages.layout import Cell, Layout
from condensation.stages.run import judging_steps
from condensation.tracking import NullTracker


def square(method: str) -> list[str]:
    return ["--dataset", "toy", "--method", method, "--images-per-class", "2"]


@pytest.mark.parametrize(
    ("method", "labels", "wanted"),
    [
        ("random", "random", []),
        ("herding", "random", [["condense", *square("random")], ["evaluate", *square("random")]]),
        (
            "kernel_ridge",
            "random_soft",
            [
                ["evaluate", *square("kernel_ridge"), "--hard-labels"],
                ["condense", *square("random")],
                ["evaluate", *square("random")],
                ["teach", "--dataset", "toy"],
                ["condense", *square("random_soft")],
                ["evaluate", *square("random_soft")],
            ],
        ),
    ],
)
def test_sets_are_judged_beside_random_ones_with_their_labels(
    tmp_path: Path, method: str, labels: str, wanted: list[list[str]]
) -> None:
    layout, cell = Layout(tmp_path), Cell("toy", method, 2)
    write_json(layout.prepared("toy") / "facts.json", {"splits": {"train": {"sha256": toy().sha256}}})
    make(labels, toy(), 0, tmp_path).save(layout.condensed_set(cell, 0))  # with the labels of such a method
    assert judging_steps(layout, {**TREE, "seeds": [0]}, cell) == [
        ["evaluate", *square(method)],
        *wanted,
        ["report"],
        ["comparison"],
    ]


def test_what_is_made_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout, cell, method = Layout(tmp_path), Cell("toy", "random", 2), registry.method_module("random")
    toy().save(layout.prepared("toy") / "train.npz")
    write_json(layout.prepared("toy") / "facts.json", {})
    seeds: list[int] = []
    plain = method.condense
    monkeypatch.setattr(method, "condense", lambda *args, **kw: seeds.append(kw["seed"]) or plain(*args, **kw))
    for wanted in ([0, 1], [0, 1], [1, 2]):
        condense(layout, TREE, cell, wanted, NullTracker())
    assert seeds == [0, 1, 2]
    record = read_json(layout.metrics("condense", cell))
    assert [one["seed"] for one in record["seeds"]] == [1, 2]
    condense(layout, TREE, replace(cell, images_per_class=3), [0], NullTracker())
    toy((8, 8, 1), (15, 15, 12)).save(layout.prepared("toy") / "train.npz")
    condense(layout, TREE, cell, [0], NullTracker())
    assert seeds == [0, 1, 2, 0, 0]
    assert len(list(layout.work("toy", "random", "ipc-2").glob("seed-0-*"))) == 1


def test_work_is_kept_apart_by_the_code_that_runs_and_not_by_a_later_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(condensation, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(process, "_source", cache(process._source.__wrapped__))
    (tmp_path / "module.py").write_text("old")
    old = process.digest_of("params")
    (tmp_path / "module.py").write_text("new")
    assert process.digest_of("params") == old
    assert process.digest_of("other params") != old
    process._source.cache_clear()  # another process
    assert process.digest_of("params") != old
