"""The evaluate stage: what it refuses before any work, and that it judges nothing twice."""

from pathlib import Path
from typing import Any

import pytest
from contract import TREE, make, toy

from condensation.core.errors import InputError
from condensation.core.files import write_json
from condensation.pytorch import judge as module
from condensation.stages.evaluate import Way, evaluate
from condensation.stages.layout import Cell, Layout

CELL = Cell("toy", "random", 2)
PROTOCOL = {**TREE["judge"]["standard"], "networks": 1, "min_steps": 2, "max_steps": 2}
FACTS = {"mean": [0.4], "std": [0.2], "splits": {"train": {"sha256": toy().sha256}}}


def tree(**protocol: Any) -> dict[str, Any]:
    network = {"name": "convnet", "width": 8}
    return {**TREE, "judge": {**TREE["judge"], "standard": {**PROTOCOL, "network": network, **protocol}}}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    for seed in (0, 1):
        make("random", toy(), seed, tmp_path).save(layout.condensed_set(CELL, seed))
    toy().save(layout.prepared("toy") / "test.npz")
    write_json(layout.prepared("toy") / "facts.json", FACTS)
    return layout


def test_what_is_judged_is_not_judged_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    plain = module.judge

    def judge(*args: Any, **kw: Any) -> Any:
        seeds.append(kw["set_seed"])
        return plain(*args, **kw)

    monkeypatch.setattr(module, "judge", judge)
    first = evaluate(layout, tree(), CELL, [0, 1])
    assert evaluate(layout, tree(), CELL, [0, 1]) == first
    assert seeds == [0, 1]
    assert not list(layout.work().rglob("checkpoint.npz"))
    evaluate(layout, tree(max_steps=3, min_steps=3), CELL, [0])
    write_json(layout.prepared("toy") / "facts.json", {**FACTS, "mean": [0.5]})
    evaluate(layout, tree(max_steps=3, min_steps=3), CELL, [0])
    assert seeds == [0, 1, 0, 0]


def test_a_set_of_another_split_is_refused(layout: Layout) -> None:
    write_json(layout.prepared("toy") / "facts.json", {**FACTS, "splits": {"train": {"sha256": "another"}}})
    with pytest.raises(InputError, match=r"seed-0\.npz was made from other training images than those in"):
        evaluate(layout, tree(), CELL, [0, 1])


def test_the_protocols_own_network_does_not_judge_a_second_time(layout: Layout) -> None:
    evaluate(layout, tree(), CELL, [0], Way(network="convnet"))  # as a study of networks does
    evaluate(layout, tree(), CELL, [0])
    with pytest.raises(InputError, match=r"ipc-2\.json is by convnet, the protocol's own network"):
        evaluate(layout, tree(), CELL, [0], Way(network="convnet"))
    assert evaluate(layout, tree(), CELL, [0], Way(network="mlp")).network == "mlp"
