"""transfer: a cell's sets judged on a data set that the method never saw, as pytorch/transfer.py says."""

import json
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.files import file_digest, read_json, write_json
from condensation.core.images import ImageSet
from condensation.core.params import at, check, section
from condensation.core.randomness import derive
from condensation.core.results import Cost, Record, Spread
from condensation.core.runlog import RunLog
from condensation.stages.layout import Cell, Layout
from condensation.stages.process import Meter, checkpoint_seconds, digest_of, hardware, versions
from condensation.stages.sets import read_set
from condensation.tracking import commit

if TYPE_CHECKING:
    from condensation.pytorch.training import Training
    from condensation.pytorch.transfer import Probe, Transfer


class TransferredCell(Record):
    """What a cell's sets were worth on another data set, accuracies in percent of its test images.

    accuracy: of probes on networks that were trained on the sets; untrained: on the same networks before; gain: the
    difference. Intervals are over the means of the sets, or of a single set, over its networks.
    """

    dataset: str
    other: str
    method: str
    images_per_class: int
    variant: str
    labelled_per_class: int
    protocol: str
    network: str
    accuracy: Spread
    untrained: Spread
    gain: Spread
    probes: list[dict[str, float]]
    cost: Cost
    hardware: str
    versions: dict[str, str]
    commit: str | None


def transfer(layout: Layout, tree: Mapping[str, Any], cell: Cell, seeds: Sequence[int], other: str) -> TransferredCell:
    """Judge the sets of a cell on the data set ``other`` and write ``metrics/transfer/.../ipc-<k>@<other>.json``.

    InputError when the other data set is the cell's own or is not prepared, or when there are no sets.
    """
    from condensation.pytorch.judge import Protocol
    from condensation.pytorch.transfer import Transfer, TransferParams

    if other == cell.dataset:
        raise InputError(f"{other} is the data set that the sets are of; name another one with --to")
    sets = {seed: read_set(layout, cell.dataset, layout.condensed_set(cell, seed)) for seed in seeds}
    train, test = (ImageSet.load(layout.prepared(other) / f"{name}.npz", other) for name in ("train", "test"))
    params = section(tree, "transfer", TransferParams)
    name = check(at(tree, "judge.protocol"), str, "judge.protocol")
    protocol = section(tree, f"judge.{name}", Protocol)
    bench = Transfer(train, test, sets[seeds[0]].images.shape[1:], params, protocol)
    facts = read_json(layout.prepared(cell.dataset) / "facts.json")
    words = [params.model_dump(mode="json"), protocol.model_dump(mode="json"), train.sha256, test.sha256]
    key = digest_of(*words, [file_digest(layout.condensed_set(cell, seed)) for seed in seeds])
    work = layout.work("transfer", *cell.path.parts, f"{other}-{key}")
    log = RunLog(
        f"transfer {cell} to {other}",
        checkpoint=work / "checkpoint.npz",
        checkpoint_seconds=checkpoint_seconds(),
        show=True,
    )
    with Meter() as meter:
        probes = _probes(bench, sets, facts, log)
    record = TransferredCell(
        dataset=cell.dataset,
        other=other,
        method=cell.method,
        images_per_class=cell.images_per_class,
        variant=cell.variant,
        labelled_per_class=params.labelled_per_class,
        protocol=name,
        network=protocol.network.name,
        **_spreads(probes),
        probes=[probe.model_dump() for probe in probes],
        cost=meter.cost(log.spent_before),
        hardware=hardware(),
        versions=versions("numpy", "torch", "scikit-learn"),
        commit=commit(Path()),
    )
    write_json(layout.metrics("transfer", cell, other), record.model_dump(mode="json"))
    shutil.rmtree(work, ignore_errors=True)
    return record


def _probes(
    bench: "Transfer", sets: Mapping[int, CondensedDataset], facts: Mapping[str, Any], log: RunLog
) -> list["Probe"]:
    """A probe for each network of each set; goes on where an interrupted run was."""
    from condensation.pytorch.transfer import Probe

    state = log.resume() or {}
    probes = [Probe.model_validate(probe) for probe in json.loads(str(state.pop("probes", "[]")))]
    jobs = [(seed, network) for seed in sets for network in range(bench.params.networks)]
    for set_seed, number in jobs[len(probes) :]:
        seed = derive(set_seed, "transfer", number)
        training = bench.training(sets[set_seed], (facts["mean"], facts["std"]), seed)
        untrained = bench.accuracy(training.network, seed)
        if "training" in state:
            training.restore(state)
            state = {}
        for step in training:
            log.progress(len(probes) * training.steps + step, len(jobs) * training.steps)
            log.checkpoint(partial(_state, probes, training))
        accuracy = bench.accuracy(training.network, seed)
        probes.append(Probe(set_seed=set_seed, network_seed=seed, accuracy=accuracy, untrained=untrained))
        log.checkpoint(partial(_state, probes), now=True)
    return probes


def _state(probes: Sequence["Probe"], training: "Training | None" = None) -> dict[str, np.ndarray]:
    """The finished probes, and the network that is being trained."""
    kept = {"probes": np.array(json.dumps([probe.model_dump() for probe in probes]))}
    return {**kept, **training.state()} if training else kept


def _spreads(probes: Sequence["Probe"]) -> dict[str, Spread]:
    """The spreads of a record: of the means of sets, or of a single set's networks."""
    values = {
        "accuracy": [(probe.set_seed, probe.accuracy) for probe in probes],
        "untrained": [(probe.set_seed, probe.untrained) for probe in probes],
        "gain": [(probe.set_seed, probe.accuracy - probe.untrained) for probe in probes],
    }
    seeds = sorted({probe.set_seed for probe in probes})
    spreads = {}
    for name, pairs in values.items():
        means = [float(np.mean([value for seed, value in pairs if seed == one])) for one in seeds]
        spreads[name] = Spread.of(means if len(means) > 1 else [value for _, value in pairs])
    return spreads


def told(record: TransferredCell) -> str:
    """The record in one line."""

    def words(spread: Spread) -> str:
        ends = "" if spread.ci_low is None else f" ({spread.ci_low:.1f} to {spread.ci_high:.1f})"
        return f"{spread.mean:.1f}{ends}"

    return (
        f"{record.method} of {record.dataset}, {record.images_per_class} per class, probed on {record.other} with "
        f"{record.labelled_per_class} labelled per class: {words(record.accuracy)} %, untrained "
        f"{words(record.untrained)} %, gain {words(record.gain)}, n = {record.gain.n}"
    )
