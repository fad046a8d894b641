"""What the workers of a search do: make a set, train networks on one, and score them on validation images.

Nothing here opens the test split.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from condensation import registry
from condensation.core.condensed import CondensedDataset
from condensation.core.files import read_json
from condensation.core.images import ImageSet
from condensation.core.params import at, check
from condensation.core.randomness import derive
from condensation.core.results import CondensedSeed
from condensation.core.runlog import RunLog
from condensation.stages.condense import Order, condense_seed, order
from condensation.stages.layout import Cell, Layout
from condensation.tracking import NullTracker

Plain = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """One set's file, set.npz with set.png beside it, and the seconds that it took."""

    file: Path
    seconds: float


@dataclass(frozen=True)
class Examination:
    """How a set is scored: a protocol's values and the seed from which its networks' are derived."""

    root: Path
    dataset: str
    protocol: Plain
    seed: int


def check_sections(method: str, sections: Sequence[Plain]) -> None:
    """InputError unless the method takes each of ``sections``."""
    for values in sections:
        check(values, registry.method_module(method).Params, f"methods.{method}")


def check_cell(layout: Layout, tree: Plain, cell: Cell) -> None:
    """InputError unless sets of the cell are possible, of the data that were prepared."""
    order(layout, tree, cell)


def make(layout: Layout, tree: Plain, cell: Cell, seed: int) -> Made:
    """Make one set, or find it finished, or go on where a process that died had left it."""
    job = _order(layout, json.dumps(tree), cell)
    folder = condense_seed(layout, job, seed, NullTracker())
    record = CondensedSeed.model_validate(read_json(folder / "record.json"))
    return Made(folder / "set.npz", record.cost.seconds + record.teacher_seconds)


@lru_cache(maxsize=1)
def _order(layout: Layout, tree: str, cell: Cell) -> Order:
    return order(layout, json.loads(tree), cell)


def check_protocols(protocols: Sequence[Plain]) -> None:
    """InputError unless each of them is a protocol of the judge."""
    from condensation.pytorch.judge import Protocol

    for protocol in protocols:
        check(protocol, Protocol, "judge")


def score_set(examination: Examination, path: Path, seed: int) -> list[float]:
    """Validation accuracies in percent of fresh networks that were trained on a set's file."""
    made = CondensedDataset.load(path)
    return _score(examination, seed, made.images, made.labels, made.soft_labels, made.provenance.pictures_per_image)


def score_whole(examination: Examination, seed: int) -> list[float]:
    """Validation accuracies in percent of fresh networks that were trained on the whole training split."""
    train = _split(examination.root, examination.dataset, "train")
    return _score(examination, seed, train.pixels(), train.labels, None, 1)


def _score(
    examination: Examination,
    seed: int,
    images: np.ndarray,
    labels: np.ndarray,
    soft_labels: np.ndarray | None,
    pictures_per_image: int,
) -> list[float]:
    from condensation.pytorch.judge import Protocol, judge

    protocol = check(examination.protocol, Protocol, "judge")
    facts: Mapping[str, Any] = read_json(Layout(examination.root).prepared(examination.dataset) / "facts.json")
    judged = judge(
        images,
        labels,
        soft_labels,
        _split(examination.root, examination.dataset, "validation"),
        mean=np.array(facts["mean"], np.float32),
        std=np.array(facts["std"], np.float32),
        protocol=protocol,
        set_seed=seed,
        seeds=[derive(examination.seed, "tune", seed, index) for index in range(protocol.networks)],
        log=RunLog(f"score {examination.dataset} seed {seed}", show=True),
        pictures_per_image=pictures_per_image,
    )
    return [judgement.accuracy for judgement in judged]


@lru_cache(maxsize=2)
def _split(root: Path, dataset: str, name: str) -> ImageSet:
    return ImageSet.load(Layout(root).prepared(dataset) / f"{name}.npz", dataset)


def protocol_of(tree: Mapping[str, Any], *changes: Mapping[str, Any]) -> Plain:
    """The values of the judge's protocol that params.yaml names, under changes."""
    name = check(at(tree, "judge.protocol"), str, "judge.protocol")
    values: Plain = dict(at(tree, f"judge.{name}"))
    for change in changes:
        values |= change
    return values
