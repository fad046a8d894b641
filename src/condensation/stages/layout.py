"""Where files lie: the one place that spells a path of the pipeline."""

import re
from dataclasses import dataclass
from pathlib import Path

from condensation.core.errors import InputError
from condensation.core.results import folder_name


@dataclass(frozen=True)
class Cell:
    """One square of the comparison: dataset x method x images per class.

    variant: the name of other parameters than the method's own; the comparison keeps it apart.
    """

    dataset: str
    method: str
    images_per_class: int
    variant: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_.-]*", self.variant):
            raise InputError(f"variant {self.variant!r} is not possible; allowed: small letters, digits and _ . -")

    def __str__(self) -> str:
        return f"{self.dataset} {folder_name(self.method, self.variant)} {self.images_per_class} per class"

    @property
    def path(self) -> Path:
        """``<dataset>/<method>/ipc-<k>``, or ``<dataset>/<method>@<variant>/ipc-<k>``."""
        return Path(self.dataset, folder_name(self.method, self.variant), f"ipc-{self.images_per_class}")


@dataclass(frozen=True)
class Layout:
    """The folders under one root: the project's own root for the pipeline, ``runs/`` for single runs."""

    root: Path = Path()

    def raw(self, dataset: str) -> Path:
        """What ``fetch`` copied, linked or downloaded."""
        return self.root / "data" / "raw" / dataset

    def prepared(self, dataset: str) -> Path:
        """The folder of train.npz, validation.npz, test.npz and facts.json."""
        return self.root / "data" / "prepared" / dataset

    def teacher(self, dataset: str, seed: int | None = None) -> Path:
        """The folder of a data set's teachers, or of the one that belongs to a seed."""
        folder = self.root / "models" / dataset
        return folder if seed is None else folder / f"seed-{seed}"

    def trajectories(self, dataset: str, seed: int) -> Path:
        """The folder of the expert trajectories that belong to a seed, within that of its teacher."""
        return self.teacher(dataset, seed) / "trajectories"

    def condensed(self, cell: Cell) -> Path:
        """The folder of a cell's ``seed-<s>.npz`` and ``seed-<s>.png``."""
        return self.root / "data" / "condensed" / cell.path

    def condensed_set(self, cell: Cell, seed: int) -> Path:
        """One condensed set."""
        return self.condensed(cell) / f"seed-{seed}.npz"

    def metrics(self, stage: str, cell: Cell, network: str = "") -> Path:
        """The JSON record that a stage writes for a cell; network: what judged, where it is not the protocol's own."""
        folder = self.root / "reports" / "metrics" / stage / cell.path.parent
        return folder / f"{folder_name(cell.path.name, network)}.json"

    def teacher_metrics(self, dataset: str) -> Path:
        """What the teachers of a data set cost."""
        return self.root / "reports" / "metrics" / "teach" / f"{dataset}.json"

    def whole_metrics(self, dataset: str) -> Path:
        """The judge's record of the whole training set."""
        return self.root / "reports" / "metrics" / "evaluate" / dataset / "whole.json"

    def curves(self, cell: Cell) -> Path:
        """The CSV of a cell's metrics by step."""
        return (self.root / "reports" / "curves" / cell.path).with_suffix(".csv")

    @property
    def journal(self) -> Path:
        """The studies of all searches on one machine, beside the tracking database."""
        return self.root / "optuna.journal"

    def tuned(self, name: str) -> Path:
        """What a search found; its figures lie beside it."""
        return self.root / "reports" / "tuning" / f"{name}.json"

    def work(self, *parts: str) -> Path:
        """Checkpoints and finished seeds of a cell that is not finished; outside DVC's outputs, which it deletes."""
        return self.root.joinpath(".condense", "work", *parts)
