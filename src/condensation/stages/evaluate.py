"""evaluate: the judge trains fresh networks on a cell's sets, or on the whole training set, and opens the test set."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from condensation.core.condensed import CondensedDataset
from condensation.core.files import read_json, write_json
from condensation.core.images import ImageSet
from condensation.core.params import at, check, section
from condensation.core.randomness import derive
from condensation.core.results import Cost, JudgedCell, Judgement, folder_name
from condensation.core.runlog import RunLog
from condensation.stages.layout import Cell, Layout
from condensation.stages.process import Meter, digest_of, hardware, versions
from condensation.tracking import commit

if TYPE_CHECKING:
    from condensation.pytorch.judge import Protocol


@dataclass(frozen=True)
class Bench:
    """The judge of one data set: protocol, its seed, test images and the training split's channel statistics."""

    layout: Layout
    name: str
    protocol: "Protocol"
    seed: int
    test: ImageSet
    mean: np.ndarray
    std: np.ndarray

    @staticmethod
    def of(layout: Layout, tree: Mapping[str, Any], dataset: str, *, whole: bool = False, network: str = "") -> "Bench":
        """Read the protocol that params.yaml names, the test set and the facts.

        whole: change the protocol by ``judge.whole``, since the whole training set asks for other batches.
        network: what judges in place of the protocol's own.
        """
        from condensation.pytorch.judge import Protocol
        from condensation.pytorch.networks import NetworkSpec

        name = check(at(tree, "judge.protocol"), str, "judge.protocol")
        protocol = section(tree, f"judge.{name}", Protocol)
        if whole:
            changed = {**protocol.model_dump(mode="json"), **at(tree, "judge.whole")}
            protocol = check(changed, Protocol, "judge.whole")
        if network:
            spec = check({"name": network}, NetworkSpec, "judge network")
            protocol = protocol.model_copy(update={"network": spec})
        seed = check(at(tree, "judge.seed"), int, "judge.seed")
        prepared = layout.prepared(dataset)
        facts = read_json(prepared / "facts.json")
        test = ImageSet.load(prepared / "test.npz", dataset)
        mean, std = (np.array(facts[key], np.float32) for key in ("mean", "std"))
        return Bench(layout, name, protocol, seed, test, mean, std)

    def judge(
        self,
        what: str,
        images: np.ndarray,
        labels: np.ndarray,
        set_seed: int,
        *,
        soft_labels: np.ndarray | None = None,
        pictures_per_image: int = 1,
    ) -> tuple[list[Judgement], Cost]:
        """Train ``protocol.networks`` fresh networks on one set; goes on where an interrupted run was."""
        from condensation.pytorch.judge import judge

        arrays = [images, labels] if soft_labels is None else [images, labels, soft_labels]
        content = [hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for array in arrays]
        key = digest_of(self.protocol.model_dump(mode="json"), self.seed, self.test.sha256, content, pictures_per_image)
        work = self.layout.work("evaluate", self.test.dataset, what, f"seed-{set_seed}-{key}")
        log = RunLog(f"judge {self.test.dataset} {what} seed {set_seed}", checkpoint=work / "checkpoint.npz", show=True)
        with Meter() as meter:
            judged = judge(
                images,
                labels,
                soft_labels,
                self.test,
                mean=self.mean,
                std=self.std,
                protocol=self.protocol,
                set_seed=set_seed,
                seeds=[derive(self.seed, set_seed, index) for index in range(self.protocol.networks)],
                log=log,
                pictures_per_image=pictures_per_image,
            )
        return judged, meter.cost(log.spent_before)

    def record(self, judged: Sequence[tuple[list[Judgement], Cost]], label_kind: str, **names: Any) -> JudgedCell:
        """The cell's record; its cost is the sum over sets, with the highest peak."""
        costs = [cost for _, cost in judged]
        return JudgedCell(
            dataset=self.test.dataset,
            label_kind=label_kind,
            protocol=self.name,
            network=self.protocol.network.name,
            judgements=[judgement for part, _ in judged for judgement in part],
            cost=Cost(
                seconds=round(sum(cost.seconds for cost in costs), 3),
                cpu_seconds=round(sum(cost.cpu_seconds for cost in costs), 3),
                peak_memory_mb=max(cost.peak_memory_mb for cost in costs),
            ),
            hardware=hardware(),
            class_names=self.test.class_names,
            versions=versions("numpy", "torch"),
            commit=commit(Path()),
            **names,
        )


def evaluate(
    layout: Layout, tree: Mapping[str, Any], cell: Cell, seeds: Sequence[int], network: str = ""
) -> JudgedCell:
    """Judge each set of a cell, by ``network`` where it is not the protocol's own, and write the record."""
    bench = Bench.of(layout, tree, cell.dataset, network=network)
    work = folder_name(f"{folder_name(cell.method, cell.variant)}-{cell.images_per_class}", network)
    sets = {seed: CondensedDataset.load(layout.condensed_set(cell, seed)) for seed in seeds}
    judged = [
        bench.judge(
            work,
            made.images,
            made.labels,
            seed,
            soft_labels=made.soft_labels,
            pictures_per_image=made.provenance.pictures_per_image,
        )
        for seed, made in sets.items()
    ]
    names = {"method": cell.method, "images_per_class": cell.images_per_class, "variant": cell.variant}
    record = bench.record(judged, sets[seeds[0]].provenance.label_kind, **names)
    write_json(layout.metrics("evaluate", cell, network), record.model_dump(mode="json"))
    shutil.rmtree(layout.work("evaluate", cell.dataset, work), ignore_errors=True)
    return record


def evaluate_whole(layout: Layout, tree: Mapping[str, Any], dataset: str) -> JudgedCell:
    """Judge the whole training split under the protocol, changed by ``judge.whole``, and write the record."""
    bench = Bench.of(layout, tree, dataset, whole=True)
    train = ImageSet.load(layout.prepared(dataset) / "train.npz", dataset)
    judged = [bench.judge("whole", train.pixels(), train.labels, 0)]
    record = bench.record(judged, "hard", method="whole", images_per_class=None)
    write_json(layout.whole_metrics(dataset), record.model_dump(mode="json"))
    shutil.rmtree(layout.work("evaluate", dataset, "whole"), ignore_errors=True)
    return record
