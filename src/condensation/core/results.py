"""Results as numbers with their spread: what the judge and the stages write and the report reads."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.special import stdtrit


class Record(BaseModel):
    """A JSON record between stages."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Spread(Record):
    """Mean, sample standard deviation and 95 % interval (Student's t) of n values; the last two are None for n = 1."""

    mean: float
    std: float | None
    ci_low: float | None
    ci_high: float | None
    n: int

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        """The spread of independent values."""
        x = np.asarray(values, np.float64)
        if len(x) < 2:
            return Spread(mean=float(x.mean()), std=None, ci_low=None, ci_high=None, n=len(x))
        half = float(stdtrit(len(x) - 1, 0.975) * x.std(ddof=1) / np.sqrt(len(x)))
        mean = float(x.mean())
        return Spread(mean=mean, std=float(x.std(ddof=1)), ci_low=mean - half, ci_high=mean + half, n=len(x))


class Cost(Record):
    """What work took: wall seconds, CPU seconds of all threads, peak resident memory in MiB."""

    seconds: float
    cpu_seconds: float
    peak_memory_mb: float


class CondensedSeed(Record):
    """One condensed set of a cell: its seed, digest and cost (the seconds of its teacher or experts apart)."""

    seed: int
    sha256: str
    cost: Cost
    teacher_seconds: float


class TaughtSeeds(Record):
    """What the teachers of a data set took, in seconds, and their accuracy on validation data, by seed.

    trajectory_seconds: what the expert trajectories took, where a method asked for them.
    """

    dataset: str
    seconds: dict[str, float]
    trajectory_seconds: dict[str, float] = {}
    validation_accuracy: dict[str, float]
    hardware: str


VARIANT_MARK = "@"


def folder_name(method: str, variant: str) -> str:
    """The name of a method's results, or of those of a variant of it."""
    return f"{method}{VARIANT_MARK}{variant}" if variant else method


def holds_variant(folder: str) -> bool:
    """Whether a folder's name, as ``folder_name`` gives it, is that of a variant."""
    return VARIANT_MARK in folder


def named_by(folder: str) -> tuple[str, str]:
    """The method and the variant, empty where it is none, whose results a folder of this name holds."""
    method, _, variant = folder.partition(VARIANT_MARK)
    return method, variant


class CondensedCell(Record):
    """What the condense stage writes beside the sets of one dataset x method x images per class.

    variant: the name of the parameters when they are not the method's own, else empty.
    versions: of the libraries that did the work, by name. commit: of the code, with " (dirty)" where it was edited.
    """

    dataset: str
    method: str
    images_per_class: int
    variant: str = ""
    seeds: list[CondensedSeed]
    hardware: str
    versions: dict[str, str] = {}
    commit: str | None = None


class Judgement(Record):
    """One network trained on one set and scored on test data: accuracies in percent."""

    set_seed: int
    network_seed: int
    accuracy: float
    accuracy_per_class: list[float]
    train_accuracy: float
    seconds: float
    curve: list[float]


class JudgedCell(Record):
    """What the evaluate stage writes for one dataset x method x images per class under one protocol.

    images_per_class: None for the whole training set. class_names: in the order of the labels; empty when not known.
    precision: of the products within the judge's networks. variant, versions, commit: as for a CondensedCell.
    """

    dataset: str
    method: str
    images_per_class: int | None
    variant: str = ""
    label_kind: str
    protocol: str
    network: str
    precision: str = "float32"
    judgements: list[Judgement]
    cost: Cost
    hardware: str
    class_names: tuple[str, ...] = ()
    versions: dict[str, str] = {}
    commit: str | None = None

    def set_means(self) -> dict[int, float]:
        """Mean accuracy of each set over its networks, by the set's seed: the independent units of an interval."""
        seeds = sorted({j.set_seed for j in self.judgements})
        return {s: float(np.mean([j.accuracy for j in self.judgements if j.set_seed == s])) for s in seeds}

    def spread(self) -> Spread:
        """The accuracy's spread: over the means of the sets or, of a single set, over its networks."""
        means = list(self.set_means().values())
        return Spread.of(means if len(means) > 1 else [judgement.accuracy for judgement in self.judgements])

    def gain_over(self, other: "JudgedCell") -> Spread | None:
        """The spread of the differences of set means, paired by the sets' seeds; None where no seed is in both."""
        mine, its = self.set_means(), other.set_means()
        pairs = [mine[seed] - its[seed] for seed in mine if seed in its]
        return Spread.of(pairs) if pairs else None
