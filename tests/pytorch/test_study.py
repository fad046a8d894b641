"""The studies of matching in params.yaml, against the parameters of the methods that they change."""

import pytest
from contract import check_study


@pytest.mark.parametrize("name", ["algorithms", "architecture", "initialisation", "modes", "reward"])
def test_every_variant_is_one_that_the_methods_take(name: str) -> None:
    check_study(name)
