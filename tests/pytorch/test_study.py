"""The studies of PyTorch's methods in params.yaml, against the parameters of the methods that they change."""

import pytest
from contract import TREE, check_study, methods_of

OWN = [name for name, study in TREE["studies"].items() if set(study["methods"]) <= set(methods_of("pytorch"))]


@pytest.mark.parametrize("name", OWN)
def test_every_variant_is_one_that_the_methods_take(name: str) -> None:
    check_study(name)
