"""Presets of params.yaml: each changes a method's section into one that the method takes."""

import pytest
from contract import TREE

from condensation.core.errors import InputError
from condensation.core.params import section, with_preset
from condensation.data.sources import NAMES
from condensation.registry import method_module

PRESETS = [
    (name, method, dataset)
    for name, methods in TREE["presets"].items()
    for method, changes in methods.items()
    for dataset in ["", *changes.get("datasets", {})]
]


@pytest.mark.parametrize(("name", "method", "dataset"), PRESETS)
def test_the_method_takes_what_the_preset_says(name: str, method: str, dataset: str) -> None:
    changed = with_preset(TREE, name, method, dataset)
    kind = method_module(method).Params
    assert section(changed, f"methods.{method}", kind) != section(TREE, f"methods.{method}", kind)
    changes = dict(TREE["presets"][name][method])
    by_dataset = changes.pop("datasets", {})
    assert set(by_dataset) <= set(NAMES)
    for key, value in {**changes, **by_dataset.get(dataset, {})}.items():
        assert changed["methods"][method][key] == value
    others = {k: v for k, v in changed["methods"].items() if k != method}
    assert others == {k: v for k, v in TREE["methods"].items() if k != method}


def test_an_unknown_preset_says_which_there_are() -> None:
    with pytest.raises(InputError, match="unknown preset of dsa 'gpu'; allowed: cpu, paper"):
        with_preset(TREE, "gpu", "dsa")
