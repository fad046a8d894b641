"""run: the stages of one cell outside the pipeline, each in a process of its own, since two frameworks never meet."""

import io
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML

from condensation import registry
from condensation.core.condensed import CondensedDataset
from condensation.core.files import read_json, turn, write_text
from condensation.core.params import at, check, section, seeds
from condensation.core.taught import FACTS, made_of
from condensation.stages.layout import Cell, Layout
from condensation.stages.prepare import PrepareParams

STOPPING_SECONDS = 2
"""How long a step that is stopped may take to end by itself."""


def run(layout: Layout, tree: Mapping[str, Any], cell: Cell, *, source: str, judged: bool) -> None:
    """Fetch, prepare and teach where needed, condense, judge the sets beside random ones, compare.

    Everything lies under ``layout.root``, the parameters as they were used in its ``params.yaml``. What is there
    already and was made by the same parameters is not made again. One run at a time works under a root.
    """
    check_methods([(cell.method, tree)])
    if judged:
        check_judge(tree)
    with alone(layout):
        write_text(layout.root / "params.yaml", as_yaml(tree))
        for words in [*data_steps(layout, tree, cell, source=source), ["condense", *_square(cell)]]:
            step(layout, *words)
        for words in judging_steps(layout, tree, cell) if judged else []:
            step(layout, *words)


def check_methods(wanted: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """InputError unless each tree's seeds and parameters of the method are such, so that nothing is fetched in vain."""
    rooms: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for method, tree in wanted:
        at(tree, f"methods.{method}")
        seeds(tree)
        rooms.setdefault(registry.entry(method).module.split(".")[1], []).append((method, tree))
    for alike in rooms.values():
        with ProcessPoolExecutor(1, get_context("spawn")) as apart:
            apart.submit(_check_sections, alike).result()


def _check_sections(wanted: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """The part of ``check_methods`` that imports the one framework of all these methods."""
    for method, tree in wanted:
        section(tree, f"methods.{method}", registry.method_module(method).Params)


def check_judge(tree: Mapping[str, Any]) -> None:
    """InputError unless the judge's protocol is one, so that nothing is condensed in vain."""
    name = check(at(tree, "judge.protocol"), str, "judge.protocol")
    section(tree, f"judge.{name}", registry.judge_module(name).Protocol)


def alone(layout: Layout) -> AbstractContextManager[None]:
    """A block that no other run under the same root is in: its steps read the same parameters' file."""
    return turn(layout.root / "run", f"another run works under {layout.root}: waiting for it")


def as_yaml(tree: Mapping[str, Any]) -> str:
    """Parameters as the file that is read again by the stages of a run."""
    buffer = io.StringIO()
    YAML(typ="safe", pure=True).dump(dict(tree), buffer)
    return buffer.getvalue()


def _square(cell: Cell) -> list[str]:
    return ["--dataset", cell.dataset, "--method", cell.method, "--images-per-class", str(cell.images_per_class)]


def judging_steps(layout: Layout, tree: Mapping[str, Any], cell: Cell) -> list[list[str]]:
    """The commands after condensing: judge the sets, and random ones with each kind of labels that they are judged by.

    Sets with soft labels are judged by their hard ones too.
    """
    made = CondensedDataset.load(layout.condensed_set(cell, seeds(tree)[0]))
    todo = [["evaluate", *_square(cell)]]
    floors = ["random"]
    if made.soft_labels is not None:
        todo.append(["evaluate", *_square(cell), "--hard-labels"])
        floors.append("random_soft")
    for floor in (replace(cell, method=method) for method in floors if method != cell.method):
        todo += [*_teaching(layout, tree, floor), ["condense", *_square(floor)], ["evaluate", *_square(floor)]]
    return [*todo, ["report"], ["comparison"]]


def data_steps(layout: Layout, tree: Mapping[str, Any], cell: Cell, *, source: str) -> list[list[str]]:
    """Fetch, prepare and teach, where what they make is not there."""
    data = ["--dataset", cell.dataset]
    todo: list[list[str]] = []
    if not layout.raw(cell.dataset).exists():
        todo.append(["fetch", "--dataset", source])
    if not _prepared(layout, tree, cell.dataset):
        todo.append(["prepare", *data])
    return todo + _teaching(layout, tree, cell, anew=["prepare", *data] in todo)


def _teaching(layout: Layout, tree: Mapping[str, Any], cell: Cell, *, anew: bool = False) -> list[list[str]]:
    """The command that makes the networks that the method asks for.

    None where they are there, of the same parameters and images; anew: those that are there are of other images.
    """
    asked, dataset = registry.entry(cell.method), cell.dataset
    if not (asked.teacher or asked.trajectories) or not (anew or _lacks(layout, tree, cell)):
        return []
    return [["teach", "--dataset", dataset, *(["--method", cell.method] if asked.trajectories else [])]]


def _lacks(layout: Layout, tree: Mapping[str, Any], cell: Cell) -> bool:
    """Whether a network that the method asks for is not there, or was made of something else."""
    from condensation.pytorch.teacher import TeacherParams
    from condensation.pytorch.trajectories import ExpertParams

    asked, dataset, wanted = registry.entry(cell.method), cell.dataset, list[tuple[Path, BaseModel]]()
    if asked.teacher:
        wanted += [(layout.teacher(dataset, seed), section(tree, "teach", TeacherParams)) for seed in seeds(tree)]
    if asked.trajectories:
        experts = section(tree, f"methods.{cell.method}.experts", ExpertParams)
        wanted += [(layout.trajectories(dataset, seed), experts) for seed in seeds(tree)]
    images = read_json(layout.prepared(dataset) / "facts.json")["splits"]["train"]["sha256"]
    return not all(
        (folder / FACTS).exists() and made_of(images, params).items() <= read_json(folder / FACTS).items()
        for folder, params in wanted
    )


def _prepared(layout: Layout, tree: Mapping[str, Any], dataset: str) -> bool:
    facts = layout.prepared(dataset) / "facts.json"
    wanted = section(tree, "prepare", PrepareParams).model_dump(mode="json")
    return facts.exists() and read_json(facts)["params"] == wanted


def step(layout: Layout, command: str, *words: str, params: Path | None = None) -> None:
    """Run one stage; its own message has said what went wrong, so only its exit status is passed on.

    params: the parameters' file where it is not the root's own.
    """
    options = ["--root", str(layout.root)]
    if command != "comparison":
        options += ["--params", str(params or layout.root / "params.yaml")]
    process = subprocess.Popen([sys.executable, "-m", "condensation", command, *words, *options])
    try:
        status = process.wait()
    except KeyboardInterrupt:  # Ctrl-C has reached the step too, SIGTERM has not; it closes its run before it ends
        try:
            process.wait(STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
        raise
    if status:
        sys.exit(status)
