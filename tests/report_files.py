"""Records of a made-up comparison, as the stages would have written them, for the report's tests."""

from pathlib import Path
from typing import Any

import numpy as np

from condensation.core.condensed import CondensedDataset, Provenance
from condensation.core.files import write_json, write_text
from condensation.core.results import CondensedCell, CondensedSeed, Cost, JudgedCell, Judgement
from condensation.reporting.records import Records
from condensation.stages.grid import write_grid
from condensation.stages.report import report
from condensation.tracking import NullTracker

CLASSES = ("nought", "one", "two & more")
RANDOM = {0: [60.0, 62.0], 1: [64.0, 66.0], 2: [58.0, 60.0]}  # set means 61, 65, 59
HERDING = {0: [70.0, 70.0], 1: [71.0, 73.0], 2: [69.0, 71.0]}  # set means 70, 72, 70


def judged(method: str, accuracies: dict[int, list[float]], size: int | None = 10, **changes: Any) -> JudgedCell:
    """A judged cell of digits; accuracies by the seed of the set."""
    judgements = [
        Judgement(
            set_seed=seed,
            network_seed=index,
            accuracy=accuracy,
            accuracy_per_class=[accuracy] * len(CLASSES),
            train_accuracy=100.0,
            seconds=2.0 + index,
            curve=[2.0, 1.0, 0.5],
        )
        for seed, values in accuracies.items()
        for index, accuracy in enumerate(values)
    ]
    return JudgedCell(
        dataset="digits",
        method=method,
        images_per_class=size,
        label_kind="hard",
        protocol="standard",
        network="convnet",
        judgements=judgements,
        cost=Cost(seconds=30.0, cpu_seconds=50.0, peak_memory_mb=700.0),
        hardware="two cores",
        class_names=CLASSES,
        versions={"numpy": "2.4"},
        commit="abc1234",
    ).model_copy(update=changes)


def made(method: str, dataset: str = "digits", size: int = 10, teacher: float = 0.0) -> CondensedCell:
    """What condensing three sets took: 10, 20 and 30 seconds."""
    costs = [Cost(seconds=10.0 * i, cpu_seconds=15.0 * i, peak_memory_mb=100.0 * i) for i in (1, 3, 2)]
    seeds = [CondensedSeed(seed=s, sha256="0" * 64, cost=c, teacher_seconds=teacher) for s, c in enumerate(costs)]
    return CondensedCell(dataset=dataset, method=method, images_per_class=size, seeds=seeds, hardware="two cores")


def records(*cells: JudgedCell, condensed: tuple[CondensedCell, ...] = ()) -> Records:
    return Records(cells, {(c.dataset, c.method, c.images_per_class): c for c in condensed})


def save(root: Path, cell: JudgedCell, name: str | None = None) -> Path:
    folder = root / "reports/metrics/evaluate" / cell.dataset
    plain = "whole.json" if cell.images_per_class is None else f"{cell.method}/ipc-{cell.images_per_class}.json"
    path = folder / (name or plain)
    write_json(path, cell.model_dump(mode="json"))
    return path


def condensed_set(method: str) -> CondensedDataset:
    """Ten images of each of three classes of digits."""
    rng = np.random.default_rng(len(method))
    about = {"method": method, "dataset": "digits", "images_per_class": 10, "seed": 0, "params": {}}
    provenance = Provenance.model_validate({**about, "class_names": CLASSES, "train_sha256": "0" * 64})
    return CondensedDataset(rng.random((30, 8, 8, 1), np.float32), np.repeat(np.arange(3), 10), provenance)


def save_condensed(root: Path, method: str) -> None:
    place = f"digits/{method}/ipc-10"
    write_json(root / f"reports/metrics/condense/{place}.json", made(method).model_dump(mode="json"))
    write_text(root / f"reports/curves/{place}.csv", "seed,step,loss\n0,0,2\n0,1,1.5\n1,0,2.2\n1,1,1\n2,0,2\n2,1,\n")
    write_grid(condensed_set(method), root / f"data/condensed/{place}/seed-0.png")


ASKED = [("digits", method, 10) for method in ("random", "herding", "mps2u")]


def finished(root: Path) -> None:
    """A finished report on digits: random, herding and the whole training set, mps2u asked for and missing."""
    save(root, judged("whole", {0: [90.0, 92.0]}, None))
    for method, accuracies in (("random", RANDOM), ("herding", HERDING)):
        save(root, judged(method, accuracies))
        save_condensed(root, method)
    assert report(root, ASKED, NullTracker()) == root / "reports/comparison.html"
