"""The same weights give the same answers in PyTorch and in Keras; each computes in a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from condensation.core.files import read_npz, write_npz

TOLERANCE = 1e-5
"""Absolute, of logits, gradients and pixels of order one; float32 sums in another order differ by about 1e-7."""


Arrays = dict[str, np.ndarray]
CASES = {"grey": (28, 28, 1), "colour": (32, 32, 3)}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Arrays]:
    """What PyTorch found in every case, with its weights, and what Keras found with those weights."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("parity")
    given: Arrays = {f"{case}/images": rng.random((6, *shape), np.float32) for case, shape in CASES.items()}
    given |= {f"{case}/labels": rng.integers(0, 10, 6) for case in CASES}
    answers = []
    for framework in ("pytorch", "keras"):
        write_npz(folder / "given.npz", given)
        command = [sys.executable, str(Path(__file__).with_name("twins.py")), framework]
        subprocess.run([*command, str(folder / "given.npz"), str(folder / f"{framework}.npz")], check=True)
        answers.append(read_npz(folder / f"{framework}.npz"))
        given |= answers[0]
    return answers


@pytest.fixture(params=CASES)
def answers(found: list[Arrays], request: pytest.FixtureRequest) -> list[Arrays]:
    """One case of ``found``."""
    start = f"{request.param}/"
    return [{k.removeprefix(start): v for k, v in each.items() if k.startswith(start)} for each in found]


def test_logits_are_equal(answers: list[Arrays]) -> None:
    torch, keras = answers
    assert np.ptp(torch["logits"]) > 0.1
    np.testing.assert_allclose(keras["logits"], torch["logits"], atol=TOLERANCE, rtol=0)


def test_gradients_of_every_weight_are_equal(answers: list[Arrays]) -> None:
    torch, keras = answers
    differences = {name: value for name, value in keras.items() if name.startswith("gradient difference/")}
    assert len(differences) == 10
    for name, difference in differences.items():
        assert np.abs(torch[name.replace(" difference", "")]).max() > 100 * TOLERANCE, name
        assert np.abs(difference).max() < TOLERANCE, name
