"""teach: train the networks that methods ask for, one teacher for each seed, and keep their features."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from condensation.core.files import read_json, write_json
from condensation.core.images import ImageSet
from condensation.core.params import section
from condensation.core.results import TaughtSeeds
from condensation.core.runlog import RunLog
from condensation.stages.layout import Layout
from condensation.stages.process import Meter, digest_of, hardware


def teach(layout: Layout, tree: Mapping[str, Any], dataset: str, seeds: Sequence[int]) -> Path:
    """Write ``models/<dataset>/seed-<s>/`` and what the teachers took; returns the folder of the data set.

    Finished teachers of an interrupted run are kept, the unfinished one resumes from its checkpoint.
    """
    from condensation.pytorch.teacher import TeacherParams, train_teacher

    params = section(tree, "teach", TeacherParams)
    prepared = layout.prepared(dataset)
    train, validation = (ImageSet.load(prepared / f"{name}.npz", dataset) for name in ("train", "validation"))
    key = digest_of(params.model_dump(mode="json"), train.sha256)
    records: dict[int, dict[str, float]] = {}
    for seed in seeds:
        work = layout.work("teach", dataset, f"seed-{seed}-{key}")
        if not (work / "record.json").exists():
            log = RunLog(f"teach {dataset} seed {seed}", checkpoint=work / "checkpoint.npz", show=True)
            with Meter() as meter:
                teacher = train_teacher(train, params=params, seed=seed, log=log)
                teacher.save(work / "teacher")
            accuracy = teacher.accuracy(validation)
            spent = {"seconds": meter.cost(log.spent_before).seconds, "validation_accuracy": accuracy}
            write_json(work / "record.json", spent)
        records[seed] = read_json(work / "record.json")
        shutil.rmtree(layout.teacher(dataset, seed), ignore_errors=True)
        shutil.copytree(work / "teacher", layout.teacher(dataset, seed))
    taught = TaughtSeeds(
        dataset=dataset,
        seconds={str(seed): record["seconds"] for seed, record in records.items()},
        validation_accuracy={str(seed): record["validation_accuracy"] for seed, record in records.items()},
        hardware=hardware(),
    )
    write_json(layout.teacher_metrics(dataset), taught.model_dump(mode="json"))
    shutil.rmtree(layout.work("teach", dataset))
    return layout.teacher(dataset)
