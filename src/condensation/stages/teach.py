"""teach: train the networks that methods ask for: a teacher for each seed and its features, expert trajectories."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from condensation import registry
from condensation.core.files import read_json, write_json
from condensation.core.images import ImageSet
from condensation.core.params import section
from condensation.core.results import TaughtSeeds
from condensation.core.runlog import RunLog
from condensation.stages.layout import Layout
from condensation.stages.process import Meter, checkpoint_seconds, digest_of, hardware


def teach(
    layout: Layout, tree: Mapping[str, Any], dataset: str, seeds: Sequence[int], method: str | None = None
) -> Path:
    """Write ``models/<dataset>/seed-<s>/`` and what the teachers took; returns the folder of the data set.

    method: records the expert trajectories that this method asks for beside the teachers; without it nobody pays for
    any. Finished networks of an interrupted run are kept, the unfinished ones resume from their checkpoint.
    """
    prepared = layout.prepared(dataset)
    train, validation = (ImageSet.load(prepared / f"{name}.npz", dataset) for name in ("train", "validation"))
    experts = method if method and registry.entry(method).trajectories else ""
    taught = {str(seed): _teacher(layout, tree, train, validation, seed) for seed in seeds}
    recorded = {str(seed): _trajectories(layout, tree, train, experts, seed) for seed in seeds} if experts else {}
    now = {
        "seconds": {seed: record["seconds"] for seed, record in taught.items()},
        "trajectory_seconds": recorded,
        "validation_accuracy": {seed: record["validation_accuracy"] for seed, record in taught.items()},
    }
    told = {name: _of_others(layout, dataset, name, taught) | values for name, values in now.items()}
    record = TaughtSeeds.model_validate({"dataset": dataset, "hardware": hardware(), **told})
    write_json(layout.teacher_metrics(dataset), record.model_dump(mode="json"))
    shutil.rmtree(layout.work("teach", dataset))
    return layout.teacher(dataset)


def _of_others(layout: Layout, dataset: str, name: str, taught: Collection[str]) -> dict[str, float]:
    """A field of the record that is there: what it says of other seeds, as far as their networks are there, too."""
    path = layout.teacher_metrics(dataset)
    values: dict[str, float] = read_json(path)[name] if path.exists() else {}
    return {s: v for s, v in values.items() if s not in taught and layout.teacher(dataset, int(s)).exists()}


def _teacher(
    layout: Layout, tree: Mapping[str, Any], train: ImageSet, validation: ImageSet, seed: int
) -> dict[str, float]:
    """Train the teacher of a seed; its seconds and its accuracy on validation data."""
    from condensation.pytorch.teacher import TeacherParams, train_teacher

    params = section(tree, "teach", TeacherParams)
    key = digest_of(params.model_dump(mode="json"), train.sha256)
    work = layout.work("teach", train.dataset, f"seed-{seed}-{key}")
    if not (work / "record.json").exists():
        log = RunLog(f"teach {train.dataset} seed {seed}", checkpoint=work / "checkpoint.npz", show=True)
        with Meter() as meter:
            teacher = train_teacher(train, params=params, seed=seed, log=log)
            teacher.save(work / "teacher")
        accuracy = teacher.accuracy(validation)
        spent = {"seconds": meter.cost(log.spent_before).seconds, "validation_accuracy": accuracy}
        write_json(work / "record.json", spent)
    shutil.rmtree(layout.teacher(train.dataset, seed), ignore_errors=True)
    shutil.copytree(work / "teacher", layout.teacher(train.dataset, seed))
    record: dict[str, float] = read_json(work / "record.json")
    return record


def _trajectories(layout: Layout, tree: Mapping[str, Any], train: ImageSet, method: str, seed: int) -> float:
    """Record the experts of a seed, as the method's own parameters say; their seconds."""
    from condensation.pytorch.trajectories import ExpertParams, record

    params = section(tree, f"methods.{method}.experts", ExpertParams)
    key = digest_of(params.model_dump(mode="json"), train.sha256)
    work = layout.work("teach", train.dataset, f"experts-{seed}-{key}")
    if not (work / "record.json").exists():
        log = RunLog(
            f"experts {train.dataset} seed {seed}",
            checkpoint=work / "checkpoint.npz",
            checkpoint_seconds=checkpoint_seconds(),
            show=True,
        )
        with Meter() as meter:
            record(train, params=params, seed=seed, folder=work / "trajectories", log=log)
        write_json(work / "record.json", {"seconds": meter.cost(log.spent_before).seconds})
    shutil.rmtree(layout.trajectories(train.dataset, seed), ignore_errors=True)
    shutil.copytree(work / "trajectories", layout.trajectories(train.dataset, seed))
    return float(read_json(work / "record.json")["seconds"])
