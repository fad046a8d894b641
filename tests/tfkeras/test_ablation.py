"""The variants of params.yaml, against the parameters of the methods that they change."""

import contract

from condensation.core.params import check
from condensation.registry import method_module
from condensation.stages.ablate import AblationParams


def test_every_variant_is_one_that_the_methods_take() -> None:
    ablation = check(contract.TREE["ablation"], AblationParams, "ablation")
    for method in ablation.methods:
        for changes in ablation.variants.values():
            values = contract.PARAMS[method]
            for dotted, value in changes.items():
                head, _, tail = dotted.partition(".")
                values = {**values, head: {**values[head], tail: value} if tail else value}
            check(values, method_module(method).Params, f"methods.{method}")
