"""The contract of every method in TensorFlow."""

from pathlib import Path

import contract
import pytest

METHODS = contract.methods_of("tfkeras")


@pytest.mark.parametrize("method", METHODS)
def test_shapes(method: str, tmp_path: Path) -> None:
    contract.check_shapes(method, tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_seeds(method: str, tmp_path: Path) -> None:
    contract.check_seeds(method, tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_params_are_refused(method: str) -> None:
    messages = contract.check_params(method)
    assert all(f"methods.{method}." in message for message in messages), messages


@pytest.mark.parametrize("method", METHODS)
def test_killed_and_resumed_gives_the_same_bytes(method: str, tmp_path: Path) -> None:
    assert contract.check_resume(method, tmp_path) >= 1
