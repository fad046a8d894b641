"""Sets judged on a data set that the method never saw."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contract import PARAMS, TREE, Killed, MortalLog, toy

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.files import read_json, write_json
from condensation.core.images import ImageSet
from condensation.core.params import check
from condensation.core.results import Spread
from condensation.core.runlog import RunLog
from condensation.pytorch.judge import Protocol
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.transfer import Transfer, TransferParams, shaped
from condensation.registry import method_module
from condensation.stages import transfer as stage
from condensation.stages.layout import Cell, Layout

CELL = Cell("stripes", "random", 4)
PROTOCOL = {**TREE["judge"]["standard"], "min_steps": 4, "max_steps": 4, "network": {"name": "convnet", "width": 8}}


def tree() -> dict[str, Any]:
    values = {"labelled_per_class": 4, "penalties": [1.0, 100.0], "networks": 2}
    return {**TREE, "transfer": values, "judge": {"protocol": "standard", "standard": PROTOCOL}}


@pytest.fixture
def layout(tmp_path: Path, train: ImageSet) -> Layout:
    layout = Layout(tmp_path)
    for seed in (0, 1):
        params = check(PARAMS["random"], method_module("random").Params, "random")
        condense = method_module("random").condense
        made = condense(train, images_per_class=4, params=params, seed=seed, log=RunLog())
        made.save(layout.condensed_set(CELL, seed))
    facts = {"mean": [0.4], "std": [0.2], "splits": {"train": {"sha256": train.sha256}}}
    write_json(layout.prepared("stripes") / "facts.json", facts)
    for name, count in (("train", 20), ("test", 12)):
        toy((12, 9, 3), (count, count, count)).save(layout.prepared("toy") / f"{name}.npz")
    return layout


def test_the_record_says_what_the_sets_gave(layout: Layout) -> None:
    record = stage.transfer(layout, tree(), CELL, [0, 1], "toy")
    path = layout.root / "reports/metrics/transfer/stripes/random/ipc-4@toy.json"
    assert read_json(path)["gain"] == json.loads(record.gain.model_dump_json())
    assert len(record.probes) == 4
    means = [np.mean([p["accuracy"] - p["untrained"] for p in record.probes if p["set_seed"] == s]) for s in (0, 1)]
    assert record.gain == Spread.of([float(mean) for mean in means])
    assert record.untrained.mean > 50  # of three classes, by patches that any features tell apart
    assert "probed on toy with 4 labelled per class" in stage.told(record)
    assert not list(layout.work("transfer").rglob("*.npz"))


def test_stopped_in_a_network_it_comes_to_the_same_probes(layout: Layout) -> None:
    sets = {seed: CondensedDataset.load(layout.condensed_set(CELL, seed)) for seed in (0, 1)}
    asked = TransferParams.model_validate(tree()["transfer"])
    splits = (toy((12, 9, 3), (count,) * 3) for count in (20, 12))
    bench = Transfer(*splits, (8, 8, 1), asked, Protocol.model_validate(PROTOCOL))
    facts = {"mean": [0.4], "std": [0.2]}
    whole = stage._probes(bench, sets, facts, RunLog())
    path = layout.root / "checkpoint.npz"
    with pytest.raises(Killed):
        stage._probes(bench, sets, facts, MortalLog(path, 8))
    assert stage._probes(bench, sets, facts, MortalLog(path, None)) == whole


def test_what_cannot_be_is_refused(layout: Layout) -> None:
    with pytest.raises(InputError, match="stripes is the data set that the sets are of"):
        stage.transfer(layout, tree(), CELL, [0, 1], "stripes")
    with pytest.raises(InputError, match=r"nowhere.train\.npz does not exist"):
        stage.transfer(layout, tree(), CELL, [0, 1], "nowhere")
    with pytest.raises(InputError, match="does not exist"):
        stage.transfer(layout, tree(), CELL, [5], "toy")
    write_json(layout.prepared("stripes") / "facts.json", {"splits": {"train": {"sha256": "of another split"}}})
    with pytest.raises(InputError, match=r"seed-0\.npz was made from other training images than those in"):
        stage.transfer(layout, tree(), CELL, [0, 1], "toy")


def test_a_probe_before_the_training_leaves_the_network_in_training() -> None:
    asked = TransferParams.model_validate(tree()["transfer"])
    bench = Transfer(
        *(toy((12, 9, 3), (12, 12, 12)) for _ in range(2)), (8, 8, 1), asked, check(PROTOCOL, Protocol, "judge")
    )
    network = build(NetworkSpec(name="convnet", width=8, norm="batch"), image_shape=(8, 8, 1), classes=3, seed=0)
    modes = [module.training for module in network.train().modules()]
    bench.accuracy(network, 0)
    assert [module.training for module in network.modules()] == modes


def test_images_take_the_shape_of_the_set() -> None:
    colours = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    grey = shaped(colours, (8, 8, 1))
    torch.testing.assert_close(grey[:, 0], colours.mean(1))
    back = shaped(grey, (16, 4, 3))
    assert back.shape == (2, 3, 16, 4)
    assert torch.equal(back[:, 0], back[:, 2])
    assert shaped(colours, (8, 8, 3)) is colours
