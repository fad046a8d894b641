"""The contract of every method in PyTorch."""

from pathlib import Path

import contract
import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

from condensation.pytorch.ridge import RidgeLayer
from condensation.pytorch.untrained import UntrainedFeatures, UntrainedParams

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


@pytest.mark.parametrize("method", ["mps_o", "mps_5o", "mps3"])
def test_numpys_products_are_on_one_core(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    fit = RidgeLayer.fit

    def watched(layer: RidgeLayer, features: np.ndarray, labels: np.ndarray) -> None:
        seen.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        fit(layer, features, labels)

    monkeypatch.setattr(RidgeLayer, "fit", watched)
    contract.make(method, contract.toy(counts=ENOUGH), 0, tmp_path)
    assert seen == {1}


def test_features_of_untrained_networks_do_not_depend_on_the_number_of_cores(cores) -> None:
    images = torch.randn(600, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    params = UntrainedParams(networks=2, width=64, dimensions=256, views=1, precision="bfloat16")
    made = []
    for count in (1, 2):
        cores(count)
        made.append(UntrainedFeatures((28, 28, 1), params, 3).fit(images).of(images[:20]))
    np.testing.assert_array_equal(made[0], made[1])


def test_nor_does_it_change_a_teacher(cores, tmp_path: Path) -> None:
    made = []
    for count in (1, 2):
        cores(count)
        folder = contract.trained_teacher_folder(tmp_path / str(count), contract.toy(counts=ENOUGH), 0)
        made.append([(folder / name).read_bytes() for name in ("teacher.npz", "features.npz")])
    assert made[0] == made[1]
