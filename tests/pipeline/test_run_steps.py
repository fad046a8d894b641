"""What `condense run` judges beside a method's sets: random ones with every kind of labels that its sets have."""

from pathlib import Path

import pytest
from contract import TREE, make, toy

from condensation.stages.layout import Cell, Layout
from condensation.stages.run import judging_steps


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
    make(labels, toy(), 0, tmp_path).save(layout.condensed_set(cell, 0))  # with the labels of such a method
    assert judging_steps(layout, {**TREE, "seeds": [0]}, cell) == [
        ["evaluate", *square(method)],
        *wanted,
        ["report"],
        ["comparison"],
    ]
