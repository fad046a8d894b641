"""evaluate: the judge trains fresh networks on a cell's sets, or on the whole training set, and opens the test set."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from condensation import registry
from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError, one_of
from condensation.core.files import read_json, write_json
from condensation.core.images import ImageSet
from condensation.core.judges import under
from condensation.core.params import at, check, section
from condensation.core.randomness import derive
from condensation.core.results import Cost, JudgedCell, Judgement, Record, folder_name
from condensation.core.runlog import RunLog
from condensation.stages.layout import Cell, Layout
from condensation.stages.process import Meter, checkpoint_seconds, digest_of, hardware, supersede, versions
from condensation.stages.sets import read_set
from condensation.tracking import commit

VERDICT = "verdict.json"
"""Where a set that is judged lies in its work folder, until its images or parameters change."""
LEARNED = "learned"
"""As a learning rate of a condition: the step size that each set learned."""


@dataclass(frozen=True)
class Way:
    """How sets are judged where it is not as the protocol of params.yaml says; each way's results are kept apart.

    protocol: another one of params.yaml. network: in place of the protocol's own. condition: a change of the protocol,
    one of ``judge.conditions``. hard_labels: sets with soft labels by their hard ones.
    """

    protocol: str = ""
    network: str = ""
    condition: str = ""
    hard_labels: bool = False

    def __str__(self) -> str:
        """What the results' file is called beside the method's own, empty where nothing differs."""
        return ".".join(filter(None, [self.protocol, self.network, self.condition, self.hard_labels * "hard_labels"]))


OWN = Way()


class Verdict(Record):
    """The networks that one set trained, and what judging it took."""

    judgements: list[Judgement]
    cost: Cost


@dataclass(frozen=True)
class Bench:
    """The judge of one data set: protocol, its seed, test images and the training split's channel statistics.

    name: the protocol's in params.yaml. condition: what changed it, or nothing. protocol: of the judge's module.
    learned_rate: whether the learning rate is each set's own.
    """

    layout: Layout
    name: str
    condition: str
    protocol: Any
    learned_rate: bool
    seed: int
    test: ImageSet
    mean: np.ndarray
    std: np.ndarray

    @staticmethod
    def of(layout: Layout, tree: Mapping[str, Any], dataset: str, *, whole: bool = False, way: Way = OWN) -> "Bench":
        """Read the protocol that params.yaml or ``way`` names, the test set and the facts.

        whole: change the protocol by ``judge.whole``, since the whole training set asks for other batches.
        InputError names what there is not.
        """
        name = check(at(tree, "judge.protocol"), str, "judge.protocol")
        name = way.protocol or name
        kind = registry.judge_module(name).Protocol
        protocol = section(tree, f"judge.{name}", kind)
        changes = dict(at(tree, "judge.whole")) if whole else {}
        changes |= _condition(tree, way.condition)
        learned = changes.get("learning_rate") == LEARNED
        if learned:
            del changes["learning_rate"]
        if way.network:
            changes["network"] = {"name": way.network}
        if changes:
            protocol = check({**protocol.model_dump(mode="json"), **changes}, kind, f"judge.{name}")
        seed = check(at(tree, "judge.seed"), int, "judge.seed")
        prepared = layout.prepared(dataset)
        facts = read_json(prepared / "facts.json")
        test = ImageSet.load(prepared / "test.npz", dataset)
        mean, std = (np.array(facts[key], np.float32) for key in ("mean", "std"))
        return Bench(layout, name, way.condition, protocol, learned, seed, test, mean, std)

    def suited_to(self, made: CondensedDataset) -> "Bench":
        """The bench with the rate that a set learned, where that is asked for; InputError where it learned none."""
        if not self.learned_rate:
            return self
        learned, provenance = made.provenance.learned, made.provenance
        if "step_size" not in learned:
            raise InputError(
                f"condition {self.condition} needs a set with a step size of its own; {provenance.method} learned "
                f"{', '.join(learned) or 'none'}; allowed: sets of trajectory_matching"
            )
        return replace(self, protocol=self.protocol.model_copy(update={"learning_rate": learned["step_size"]}))

    def judge(
        self,
        what: str,
        images: np.ndarray,
        labels: np.ndarray,
        set_seed: int,
        *,
        soft_labels: np.ndarray | None = None,
        pictures_per_image: int = 1,
    ) -> Verdict:
        """Train ``protocol.networks`` fresh networks on one set; goes on where an interrupted run was.

        What the same code judged of the same arrays is not judged again.
        """
        arrays = [images, labels, self.mean, self.std, *([] if soft_labels is None else [soft_labels])]
        content = [hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for array in arrays]
        key = digest_of(self.protocol.model_dump(mode="json"), self.seed, self.test.sha256, content, pictures_per_image)
        work = self.layout.work("evaluate", self.test.dataset, what, f"seed-{set_seed}-{key}")
        if (work / VERDICT).exists():
            return Verdict.model_validate(read_json(work / VERDICT))
        log = RunLog(
            f"judge {self.test.dataset} {what} seed {set_seed}",
            checkpoint=work / "checkpoint.npz",
            checkpoint_seconds=checkpoint_seconds(),
            show=True,
        )
        with Meter() as meter:
            judged = registry.judge_module(self.name).judge(
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
        verdict = Verdict(judgements=judged, cost=meter.cost(log.spent_before))
        write_json(work / VERDICT, verdict.model_dump(mode="json"))
        (work / "checkpoint.npz").unlink(missing_ok=True)
        supersede(work)
        return verdict

    def record(self, judged: Sequence[Verdict], label_kind: str, **names: Any) -> JudgedCell:
        """The cell's record; its cost is the sum over sets, with the highest peak."""
        costs = [verdict.cost for verdict in judged]
        return JudgedCell(
            dataset=self.test.dataset,
            label_kind=label_kind,
            protocol=under(self.name, self.condition),
            network=self.protocol.network.name,
            precision=self.protocol.precision_here,
            judgements=[judgement for verdict in judged for judgement in verdict.judgements],
            cost=Cost(
                seconds=round(sum(cost.seconds for cost in costs), 3),
                cpu_seconds=round(sum(cost.cpu_seconds for cost in costs), 3),
                peak_memory_mb=max(cost.peak_memory_mb for cost in costs),
            ),
            hardware=hardware(),
            class_names=self.test.class_names,
            versions=versions(*registry.judge_libraries(self.name)),
            commit=commit(Path()),
            **names,
        )


def _condition(tree: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What a condition changes in a protocol."""
    if not name:
        return {}
    known = at(tree, "judge.conditions")
    if name not in known:
        raise one_of("condition of the judge", name, known)
    return dict(known[name])


def distinct(tree: Mapping[str, Any], way: Way) -> Way:
    """The way without a protocol that params.yaml names anyway."""
    return replace(way, protocol="") if way.protocol == at(tree, "judge.protocol") else way


def evaluate(layout: Layout, tree: Mapping[str, Any], cell: Cell, seeds: Sequence[int], way: Way = OWN) -> JudgedCell:
    """Judge each set of a cell and write the record; InputError before any work where a set does not suit ``way``."""
    way = distinct(tree, way)
    bench = Bench.of(layout, tree, cell.dataset, way=way)
    usual = replace(way, network="")
    path = layout.metrics("evaluate", cell, str(usual))
    if way.network and path.exists():
        own = Bench.of(layout, tree, cell.dataset, way=usual).protocol.network.name
        if way.network == own:
            raise InputError(f"{path} is by {own}, the protocol's own network; --judge-network is for another")
    work = folder_name(f"{folder_name(cell.method, cell.variant)}-{cell.images_per_class}", str(way))
    sets = {seed: read_set(layout, cell.dataset, layout.condensed_set(cell, seed)) for seed in seeds}
    kind = "hard" if way.hard_labels else sets[seeds[0]].provenance.label_kind
    if way.hard_labels and all(made.soft_labels is None for made in sets.values()):
        raise InputError(f"{cell} has hard labels, by which it is judged anyway; --hard-labels is for soft ones")
    benches = {seed: bench.suited_to(made) for seed, made in sets.items()}
    judged = [
        benches[seed].judge(
            work,
            made.images,
            made.labels,
            seed,
            soft_labels=None if way.hard_labels else made.soft_labels,
            pictures_per_image=made.provenance.pictures_per_image,
        )
        for seed, made in sets.items()
    ]
    names = {"method": cell.method, "images_per_class": cell.images_per_class, "variant": cell.variant}
    record = bench.record(judged, kind, **names)
    write_json(layout.metrics("evaluate", cell, str(way)), record.model_dump(mode="json"))
    return record


def evaluate_whole(layout: Layout, tree: Mapping[str, Any], dataset: str, way: Way = OWN) -> JudgedCell:
    """Judge the whole training split under the protocol, changed by ``judge.whole``, and write the record."""
    way = distinct(tree, way)
    bench = Bench.of(layout, tree, dataset, whole=True, way=way)
    if bench.learned_rate or way.hard_labels:
        raise InputError("the whole training set has hard labels and learned no step size; leave that option out")
    train = ImageSet.load(layout.prepared(dataset) / "train.npz", dataset)
    name = folder_name("whole", str(way))
    judged = [bench.judge(name, train.pixels(), train.labels, 0)]
    record = bench.record(judged, "hard", method="whole", images_per_class=None)
    write_json(layout.whole_metrics(dataset).with_name(f"{name}.json"), record.model_dump(mode="json"))
    return record
