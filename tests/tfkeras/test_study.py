"""The study of the agent in params.yaml, against the parameters of the methods that it changes."""

from contract import check_study


def test_every_variant_is_one_that_the_methods_take() -> None:
    check_study("agent")
