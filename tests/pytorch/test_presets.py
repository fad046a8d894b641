"""Presets of params.yaml: each changes a method's section into one that the method takes."""

import pytest
from contract import TREE

from condensation.core.errors import InputError
from condensation.core.params import section, with_preset
from condensation.registry import method_module

PRESETS = [(name, method) for name, methods in TREE["presets"].items() for method in methods]


@pytest.mark.parametrize(("name", "method"), PRESETS)
def test_the_method_takes_what_the_preset_says(name: str, method: str) -> None:
    changed = with_preset(TREE, name, method)
    kind = method_module(method).Params
    assert section(changed, f"methods.{method}", kind) != section(TREE, f"methods.{method}", kind)
    for key, value in TREE["presets"][name][method].items():
        assert changed["methods"][method][key] == value
    others = {k: v for k, v in changed["methods"].items() if k != method}
    assert others == {k: v for k, v in TREE["methods"].items() if k != method}


def test_an_unknown_preset_says_which_there_are() -> None:
    with pytest.raises(InputError, match="unknown preset of dsa 'gpu'; allowed: cpu, paper"):
        with_preset(TREE, "gpu", "dsa")
