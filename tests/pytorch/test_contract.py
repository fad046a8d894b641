"""The contract of every method in PyTorch."""

from pathlib import Path

import contract
import pytest
import torch

TestContract = contract.suite("pytorch")
ENOUGH = (150, 150, 150)
"""Images of each class: with fewer PyTorch leaves a second core alone."""


@pytest.fixture
def cores():
    """A function that sets how many there are."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("method", contract.methods_of("pytorch"))
def test_the_number_of_cores_changes_no_byte(method: str, cores, tmp_path: Path) -> None:
    made = []
    for count in (1, 2):
        cores(count)
        made.append(contract.make(method, contract.toy(counts=ENOUGH), 0, tmp_path / str(count)).to_bytes())
    assert made[0] == made[1]


def test_nor_does_it_change_a_teacher(cores, tmp_path: Path) -> None:
    made = []
    for count in (1, 2):
        cores(count)
        folder = contract.trained_teacher_folder(tmp_path / str(count), contract.toy(counts=ENOUGH), 0)
        made.append([(folder / name).read_bytes() for name in ("teacher.npz", "features.npz")])
    assert made[0] == made[1]
