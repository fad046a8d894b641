"""What the benchmark is made of: its parameters, where its files lie, its cells in order, the parts that ONLY names."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from condensation import registry
from condensation.core.errors import InputError, one_of
from condensation.core.params import Section, Seed, at, check, override, read_params, with_preset
from condensation.reporting.display import WHOLE
from condensation.reporting.records import Key
from condensation.stages.layout import Cell, Layout

PARAMS = Path("benchmark", "params.yaml")
PIPELINE = Path("benchmark", "dvc.yaml")
FOLDER = "benchmark"
BUDGET = "CONDENSATION_BENCHMARK_BUDGET"


class Pipeline(Section):
    """The methods, by the code that they reach; judged: all of them, in the order in which they are run."""

    selection: list[str]
    taught: list[str]
    pytorch: list[str]
    pytorch_taught: list[str]
    tfkeras: list[str]
    judged: list[str]

    def group(self, method: str) -> str:
        """The group of a judged method, which names its stage; InputError when it is in none."""
        groups = {name: methods for name, methods in self.model_dump().items() if name != "judged"}
        found = [name for name, methods in groups.items() if method in methods]
        if len(found) != 1:
            raise InputError(f"{PARAMS}: {method} is in {len(found)} groups of pipeline; allowed: one")
        return found[0]


class BenchmarkParams(Section):
    """benchmark/params.yaml: what the benchmark does otherwise than params.yaml.

    optional: data sets that are run after the others and left out where their images cannot be had.
    images_per_class: in the order in which they are run. networks: that judge each set.
    preset: of the methods that have one. budget_seconds: to condense the sets of a cell, in one run.
    """

    datasets: list[str]
    optional: list[str]
    images_per_class: list[int]
    seeds: list[Seed]
    networks: int = Field(ge=1)
    preset: str
    budget_seconds: float = Field(gt=0)
    pipeline: Pipeline

    @staticmethod
    def read() -> "BenchmarkParams":
        """Read and check the file; the variable ``BUDGET`` of the environment stands in for its budget."""
        values = read_params(PARAMS)
        if text := os.environ.get(BUDGET):
            values = override(values, "budget_seconds", text)
        found: BenchmarkParams = check(values, BenchmarkParams, str(PARAMS))
        for method in found.pipeline.judged:
            registry.entry(method)
            found.pipeline.group(method)
        for dataset in found.optional:
            if dataset not in found.datasets:
                raise one_of("data set in optional", dataset, found.datasets)
        return found

    def preset_of(self, tree: Mapping[str, Any], method: str) -> str:
        """The preset under which a method is run; empty where it has none."""
        return self.preset if method in at(tree, f"presets.{self.preset}") else ""

    def applied(self, tree: Mapping[str, Any], method: str = "", dataset: str = "") -> dict[str, Any]:
        """A copy of params.yaml's values with the benchmark's seeds and networks, and the method's preset."""
        name = check(at(tree, "judge.protocol"), str, "judge.protocol")
        protocol = {**at(tree, f"judge.{name}"), "networks": self.networks}
        changed = {**tree, "seeds": self.seeds, "judge": {**tree["judge"], name: protocol}}
        preset = self.preset_of(tree, method)
        return with_preset(changed, preset, method, dataset) if preset else changed

    def expected(self) -> list[Key]:
        """Every cell of the grid."""
        return [(d, m, size) for d in self.datasets for m in self.pipeline.judged for size in self.images_per_class]


@dataclass(frozen=True)
class BenchmarkLayout(Layout):
    """The benchmark's files: in a folder ``benchmark`` of data, models, reports and .condense; raw data are shared."""

    def _apart(self, path: Path) -> Path:
        first, *rest = path.relative_to(self.root).parts
        return self.root.joinpath(first, FOLDER, *rest)

    def prepared(self, dataset: str) -> Path:
        """``data/benchmark/prepared/<dataset>``."""
        return self._apart(super().prepared(dataset))

    def teacher(self, dataset: str, seed: int | None = None) -> Path:
        """Within ``models/benchmark/<dataset>``."""
        return self._apart(super().teacher(dataset, seed))

    def condensed(self, cell: Cell) -> Path:
        """Within ``data/benchmark/condensed``."""
        return self._apart(super().condensed(cell))

    def metrics(self, stage: str, cell: Cell, network: str = "") -> Path:
        """Within ``reports/benchmark/metrics``."""
        return self._apart(super().metrics(stage, cell, network))

    def teacher_metrics(self, dataset: str) -> Path:
        """Within ``reports/benchmark/metrics/teach``."""
        return self._apart(super().teacher_metrics(dataset))

    def whole_metrics(self, dataset: str) -> Path:
        """Within ``reports/benchmark/metrics/evaluate``."""
        return self._apart(super().whole_metrics(dataset))

    def curves(self, cell: Cell) -> Path:
        """Within ``reports/benchmark/curves``."""
        return self._apart(super().curves(cell))

    def work(self, *parts: str) -> Path:
        """Within ``.condense/benchmark/work``."""
        return self._apart(super().work(*parts))

    @property
    def reports(self) -> Path:
        """The folder of the benchmark's comparison."""
        return self.root / "reports" / FOLDER

    def absent_data(self, dataset: str) -> Path:
        """The record that a data set's images could not be had."""
        return self.reports / "metrics" / "absent" / f"{dataset}.json"


@dataclass(frozen=True)
class Place:
    """A part of the grid: what is named is asked for, None is all of its kind."""

    dataset: str | None = None
    method: str | None = None
    images_per_class: int | None = None

    def holds(self, dataset: str, method: str, images_per_class: int | None) -> bool:
        """Whether a cell lies in it; the whole training set has the method ``whole`` and no images per class."""
        return (
            self.dataset in (None, dataset)
            and self.method in (None, method)
            and self.images_per_class in (None, images_per_class)
        )


def places(text: str, params: BenchmarkParams) -> list[Place]:
    """What ONLY names: places joined by commas, each a data set, a method and a size, or fewer, joined by slashes.

    ``cifar10``, ``mps2u``, ``50``, ``mnist/mps2u/50``, ``mnist/50,cifar10/50``; ``whole`` as a method is the whole
    training set. An empty text is the whole grid. InputError, saying what is allowed, for a name not in the grid.
    """
    words = [word.strip() for word in text.split(",")] if text.strip() else []
    return [_place(word, params) for word in words] or [Place()]


def _place(word: str, params: BenchmarkParams) -> Place:
    sizes = [str(size) for size in params.images_per_class]
    kinds = {"dataset": params.datasets, "method": [*params.pipeline.judged, WHOLE], "images_per_class": sizes}
    found: dict[str, str] = {}
    for part in word.split("/"):
        kind = next((kind for kind, names in kinds.items() if part in names and kind not in found), None)
        if kind is None:
            allowed = ", ".join(name for names in kinds.values() for name in names)
            raise InputError(
                f"ONLY has {part!r} in {word!r}; allowed: at most one data set, one method and one size of the grid, "
                f"joined by '/' (mnist/mps2u/50), and ',' between such places; the grid has {allowed}"
            )
        found[kind] = part
    if found.get("method") == WHOLE and "images_per_class" in found:
        raise InputError(f"ONLY has {word!r}; allowed: whole without a size, it is the whole training set")
    size = int(found["images_per_class"]) if "images_per_class" in found else None
    return Place(found.get("dataset"), found.get("method"), size)


Square = tuple[str, str, int | None]
"""Data set, method, images per class; or data set, ``whole``, None."""


def chosen(params: BenchmarkParams, only: Sequence[Place]) -> list[list[Square]]:
    """The cells of the places, in the order in which they are run, in parts after each of which a report is due.

    A part is a size of all methods, method after method, and beside the first size the whole training sets; the
    optional data sets come after the others. So the main table is the first part.
    """
    first = [d for d in params.datasets if d not in params.optional]
    parts: list[list[Square]] = []
    for group in (first, params.optional):
        for size in params.images_per_class:
            part: list[Square] = [(dataset, method, size) for method in params.pipeline.judged for dataset in group]
            part += [(dataset, WHOLE, None) for dataset in group if size == params.images_per_class[0]]
            parts.append([cell for cell in part if any(place.holds(*cell) for place in only)])
    return [part for part in parts if part]


def targets(params: BenchmarkParams, cells: Sequence[Square]) -> list[str]:
    """The stages of benchmark/dvc.yaml that make these cells, each after what it needs."""
    names: list[str] = []
    for dataset, method, size in cells:
        names.append(f"prepare@{dataset}")
        if size is None:
            names.append(f"evaluate-whole@{dataset}")
            continue
        if registry.entry(method).teacher:
            names.append(f"teach@{dataset}")
        group = params.pipeline.group(method)
        names += [f"{stage}@{dataset}-{method}-{size}" for stage in (f"condense-{group}", "evaluate")]
    return [f"{PIPELINE}:{name}" for name in dict.fromkeys(names)]
