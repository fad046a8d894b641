"""condense: run one method on the training split, once for each seed, tracked and resumable."""

import csv
import io
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import BaseModel

from condensation import registry
from condensation.core.condensed import CondensedDataset, check_request
from condensation.core.errors import InputError
from condensation.core.files import file_digest, read_json, write_json, write_text
from condensation.core.images import ImageSet
from condensation.core.params import section
from condensation.core.results import CondensedCell, CondensedSeed, TaughtSeeds
from condensation.core.runlog import RunLog
from condensation.reporting.scores import write_table
from condensation.stages.grid import write_grid
from condensation.stages.layout import Cell, Layout
from condensation.stages.process import Meter, checkpoint_seconds, digest_of, hardware, supersede, versions
from condensation.tracking import Run, Tracker, commit


@dataclass(frozen=True)
class Order:
    """What is to be made, checked before any long work."""

    cell: Cell
    train: ImageSet
    train_md5: str
    method: registry.Method
    params: BaseModel


def order(layout: Layout, tree: Mapping[str, Any], cell: Cell) -> Order:
    """Read and check everything that a cell needs; InputError names what cannot be used."""
    registry.entry(cell.method)
    path = layout.prepared(cell.dataset) / "train.npz"
    train = ImageSet.load(path, cell.dataset)
    check_request(train, cell.images_per_class)
    method = registry.method_module(cell.method)
    params = section(tree, f"methods.{cell.method}", method.Params)
    return Order(cell, train, file_digest(path, "md5"), method, params)


def condense(layout: Layout, tree: Mapping[str, Any], cell: Cell, seeds: Sequence[int], tracker: Tracker) -> Path:
    """Make the sets of a cell, ``seed-<s>.npz`` and ``.png``, its record and its curves; returns the sets' folder.

    Pictures and tables that the method logged lie beside the sets, ``<name>-seed-<s>.png`` and ``.csv``.

    Work that was interrupted goes on: finished seeds are kept, the unfinished one resumes from its checkpoint. What
    the same code makes of the same parameters and images is not made again.
    """
    job = order(layout, tree, cell)
    made = [condense_seed(layout, job, seed, tracker) for seed in seeds]
    folder = layout.condensed(cell)
    for seed, work in zip(seeds, made, strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("set.npz", "set.png"):
            shutil.copyfile(work / name, folder / f"seed-{seed}{Path(name).suffix}")
        for extra in {*work.glob("*.png"), *work.glob("*.csv")} - {work / "set.png", work / "curves.csv"}:
            shutil.copyfile(extra, folder / f"{extra.stem}-seed-{seed}{extra.suffix}")
    records = [CondensedSeed.model_validate(read_json(work / "record.json")) for work in made]
    record = CondensedCell(
        **asdict(cell),
        seeds=records,
        hardware=hardware(),
        versions=versions(*registry.libraries(cell.method)),
        commit=commit(Path()),
    )
    write_json(layout.metrics("condense", cell), record.model_dump(mode="json"))
    write_text(layout.curves(cell), "".join(_merge([(work / "curves.csv").read_text() for work in made])))
    return folder


def condense_seed(layout: Layout, job: Order, seed: int, tracker: Tracker) -> Path:
    """Make one set in its work folder, or find it finished there; record.json is written last and means finished."""
    cell = job.cell
    taught = _taught(layout, cell, seed)
    seconds = _taught_seconds(layout, cell, seed, taught)
    key = digest_of(job.params.model_dump(mode="json"), job.train.sha256, _digests(taught))
    work = layout.work(*cell.path.parts, f"seed-{seed}-{key}")
    if (work / "record.json").exists():
        return work
    work.mkdir(parents=True, exist_ok=True)
    tags = {
        "dataset": cell.dataset,
        "method": cell.method,
        "variant": cell.variant,
        "images_per_class": str(cell.images_per_class),
        "seed": str(seed),
        "data_md5": job.train_md5,
    }
    with tracker.run(f"{cell} seed {seed}", {**asdict(cell), "seed": seed, **job.params.model_dump()}, tags) as run:
        run.dataset(job.train.images, job.train.labels, name=cell.dataset, digest=job.train_md5)
        _make(layout, job, seed, taught, seconds, work, run)
    return work


def _make(
    layout: Layout, job: Order, seed: int, taught: Mapping[str, Path], teacher_seconds: float, work: Path, run: Run
) -> None:
    log = RunLog(
        f"{job.cell} seed {seed}",
        checkpoint=work / "checkpoint.npz",
        checkpoint_seconds=checkpoint_seconds(),
        shared=layout.work("shared", digest_of()),
        on_metrics=run.metrics,
        show=True,
    )
    make = partial(job.method.condense, job.train, images_per_class=job.cell.images_per_class, params=job.params)
    with Meter() as meter:
        made: CondensedDataset = make(seed=seed, log=log, **taught)
    made.save(work / "set.npz")
    write_grid(made, work / "set.png")
    write_text(work / "curves.csv", _curves(seed, log.history))
    digest = file_digest(work / "set.npz")
    cost = meter.cost(log.spent_before)
    for name in ("set.npz", "set.png"):
        run.artifact(work / name)
    for name, picture in log.figures.items():
        Image.fromarray(picture).save(work / f"{name}.png")
        run.artifact(work / f"{name}.png")
    for name, columns in log.tables.items():
        for path in write_table(work, name, columns):
            run.artifact(path)
    run.tags({"condensed_sha256": digest})
    run.metrics(0, {f"condense_{name}": value for name, value in cost.model_dump().items()})
    record = CondensedSeed(seed=seed, sha256=digest, cost=cost, teacher_seconds=teacher_seconds)
    write_json(work / "record.json", record.model_dump(mode="json"))
    for checkpoint in work.glob("checkpoint*"):
        checkpoint.unlink()
    supersede(work)


TAUGHT = {"teacher": "features.npz", "trajectories": "facts.json"}
"""What ``teach`` makes, by the name of a method's argument, and the file whose digest stands for it."""


def _taught(layout: Layout, cell: Cell, seed: int) -> dict[str, Path]:
    """The folders of what the method asks for."""
    asked, dataset = registry.entry(cell.method), cell.dataset
    folders = {"teacher": layout.teacher(dataset, seed), "trajectories": layout.trajectories(dataset, seed)}
    found = {name: folder for name, folder in folders.items() if getattr(asked, name)}
    for name, folder in found.items():
        if not (folder / TAUGHT[name]).exists():
            option = f" --method {cell.method}" if name == "trajectories" else ""
            raise InputError(f"{folder} holds no {name}; run `condense teach --dataset {dataset}{option}` first")
    return found


def _digests(taught: Mapping[str, Path]) -> list[str]:
    return [file_digest(folder / TAUGHT[name]) for name, folder in taught.items()]


def _taught_seconds(layout: Layout, cell: Cell, seed: int, taught: Mapping[str, Path]) -> float:
    """What the teaching took of which the method makes use; InputError where no record says so."""
    if not taught:
        return 0.0
    path = layout.teacher_metrics(cell.dataset)
    told = TaughtSeeds.model_validate(read_json(path))
    seconds = {"teacher": told.seconds, "trajectories": told.trajectory_seconds}
    for name in taught:
        if str(seed) not in seconds[name]:
            raise InputError(f"{path} does not say what the {name} of seed {seed} took; run `condense teach` again")
    return sum(seconds[name][str(seed)] for name in taught)


def _curves(seed: int, history: Sequence[Mapping[str, float]]) -> str:
    """CSV: seed, step, then every metric that was logged, empty where a step did not have it."""
    names = sorted({name for row in history for name in row} - {"step"})
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ["seed", "step", *names], lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({"seed": seed, **{k: f"{v:.6g}" for k, v in row.items()}})
    return buffer.getvalue()


def _merge(texts: Sequence[str]) -> list[str]:
    """One CSV of several with the same header."""
    lines = [text.splitlines(keepends=True) for text in texts]
    return lines[0][:1] + [line for part in lines for line in part[1:]]
