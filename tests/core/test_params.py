"""params.yaml is read strictly, and every refusal names the key, the value and what is allowed."""

from pathlib import Path
from typing import Literal

import pytest

from condensation.core.errors import InputError
from condensation.core.params import ByDataset, Section, at, check, for_dataset, override, read_params, section, seeds


class Network(Section):
    width: int
    norm: Literal["none", "batch"]


class Example(Section):
    rate: float
    epochs: int
    word: str
    network: Network


GOOD = "example:\n  rate: 5e-4\n  epochs: 3\n  word: no\n  network: {width: 8, norm: batch}\nseeds: [0, 1]\n"


def read(tmp_path: Path, text: str = GOOD) -> dict:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return read_params(path)


def test_yaml_1_2(tmp_path: Path) -> None:
    example = section(read(tmp_path), "example", Example)
    assert (example.rate, example.word) == (5e-4, "no")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("epochs: 3", "epochs: 3.5", ["example.epochs", "3.5"]),
        ("epochs: 3", "epochs: '3'", ["example.epochs", "'3'"]),
        ("epochs: 3", "epochs: true", ["example.epochs", "True"]),
        ("  epochs: 3\n", "", ["example.epochs is missing"]),
        ("epochs: 3", "epochs: 3\n  epoch: 4", ["example.epoch is unknown", "epochs, network, rate, word"]),
        ("norm: batch", "norm: bach", ["example.network.norm", "'bach'", "'none' or 'batch'"]),
        ("width: 8", "width: 8, depth: 2", ["example.network.depth is unknown"]),
    ],
)
def test_refusals(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    tree = read(tmp_path, GOOD.replace(old, new))
    with pytest.raises(InputError) as caught:
        section(tree, "example", Example)
    assert all(word in str(caught.value) for word in words), caught.value


def test_unknown_section_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="example, seeds"):
        at(read(tmp_path), "exmaple.rate")


def test_override_changes_a_copy(tmp_path: Path) -> None:
    tree = read(tmp_path)
    changed = override(tree, "example.network.width", "16")
    assert (at(changed, "example.network.width"), at(tree, "example.network.width")) == (16, 8)
    assert override(tree, "seeds", "[4]")["seeds"] == [4]


def test_override_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'depth'"):
        override(read(tmp_path), "example.network.depth", "2")


def test_broken_yaml_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not YAML"):
        read(tmp_path, "a: [1")
    with pytest.raises(InputError, match="must hold sections"):
        read(tmp_path, "- 1")
    with pytest.raises(InputError, match="does not exist"):
        read_params(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["[]", "[1, 1]", "[-1]", "[a]", "3"])
def test_bad_seeds(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="seeds"):
        seeds(read(tmp_path, f"seeds: {text}\n"))


def test_values_by_data_set() -> None:
    values: dict[str, int] = check({"default": 1, "mnist": 2}, ByDataset[int], "steps")
    assert [for_dataset(values, name) for name in ("mnist", "own")] == [2, 1]
    with pytest.raises(InputError, match=r"steps.*'mnist': 2.*need one under 'default'"):
        check({"mnist": 2}, ByDataset[int], "steps")
