"""study: methods under named changes of their parameters, judged alike by one network or several; see ``studies``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from condensation.core.errors import InputError, one_of
from condensation.core.files import write_text
from condensation.core.params import Section, at, check, override, with_preset
from condensation.core.runlog import RunLog
from condensation.data.sources import dataset_name
from condensation.stages.layout import Cell, Layout
from condensation.stages.run import alone, as_yaml, check_judge, check_methods, data_steps, step

Changes = dict[str, Any]
"""Values by the dotted names of a method's parameters."""


class StudyParams(Section):
    """What is made and judged.

    datasets, images_per_class, methods: every combination of them. preset: of every method; empty for none.
    own: whether each method is made as it is, or by the preset, too.
    floor: whether random sets of the same sizes are made and judged beside them.
    variants: groups of changes, each by its name; a variant takes one of each group, and their names, joined.
    judges: networks that judge each set; empty for the protocol's own.
    """

    datasets: list[str]
    images_per_class: list[int]
    methods: list[str]
    preset: str = ""
    own: bool
    floor: bool
    variants: list[dict[str, Changes]]
    judges: list[str]

    def named(self) -> dict[str, Changes]:
        """The changes of every variant, by its name."""
        combined = product(*(group.items() for group in self.variants)) if self.variants else []
        return {
            "-".join(name for name, _ in parts): {key: value for _, changes in parts for key, value in changes.items()}
            for parts in combined
        }


def study(layout: Layout, tree: Mapping[str, Any], name: str, given: Mapping[str, Sequence[Any]]) -> None:
    """Make and judge every cell of the study ``name``, then compare.

    given: data sets (as a person names them), images_per_class and methods in place of the study's own, where there
    are any. What is there already is not made again, so an interrupted study goes on where it was. InputError before
    any work when a variant changes a parameter that there is not, when a judge is no network, and when what is there
    was made with other parameters.
    """
    known = at(tree, "studies")
    if name not in known:
        raise one_of("study", name, known)
    changed = {**known[name], **{key: list(values) for key, values in given.items() if values}}
    params: StudyParams = check(changed, StudyParams, f"studies.{name}")
    _check(tree, params)
    check_judge(tree)
    with alone(layout):
        begin(layout, tree)
        _work(layout, tree, name, params)


def _work(layout: Layout, tree: Mapping[str, Any], name: str, params: StudyParams) -> None:
    """Make, judge and compare what is not there."""
    squares = list(product(params.datasets, params.images_per_class, params.methods))
    log, total, done = RunLog(f"study {name}", show=True), len(squares) * len(_rows(params)), 0
    for source, images_per_class, method in squares:
        plain = Cell(dataset_name(source), method, images_per_class)
        for words in data_steps(layout, tree, plain, source=source):
            step(layout, *words)
        for variant, changes in _rows(params).items():
            cell = replace(plain, variant=variant)
            log.progress(done, total, str(cell))
            _make(layout, cell, changes, params.judges, params.preset)
            done += 1
        if params.floor:
            _make(layout, replace(plain, method="random"), {}, params.judges)
    log.progress(done, total)
    for command in ("report", "comparison"):
        step(layout, command)


def _check(tree: Mapping[str, Any], params: StudyParams) -> None:
    from condensation.pytorch.networks import NetworkSpec

    for judge in params.judges:
        check({"name": judge}, NetworkSpec, "judges")
    wanted = list[tuple[str, Mapping[str, Any]]]()
    for method in params.methods:
        preset = with_preset(tree, params.preset, method) if params.preset else tree
        for changes in _rows(params).values():
            changed = preset
            for key, value in changes.items():
                changed = override(changed, f"methods.{method}.{key}", json.dumps(value))
            wanted.append((method, changed))
    check_methods(wanted)


def begin(layout: Layout, tree: Mapping[str, Any]) -> None:
    """Take a folder for a study of these parameters; InputError when it holds one of others."""
    path, text = layout.root / "params.yaml", as_yaml(tree)
    if path.exists() and path.read_text() != text:
        raise InputError(f"{layout.root} holds a study with other parameters; choose another --root or remove it")
    write_text(path, text)


def _rows(params: StudyParams) -> dict[str, Changes]:
    """What each method is made under: as it is, where that is asked for, and every variant."""
    return ({"": {}} if params.own else {}) | params.named()


def _make(layout: Layout, cell: Cell, changes: Changes, judges: Sequence[str], preset: str = "") -> None:
    """Condense and judge one cell, as far as that is not done."""
    square = [*("--dataset", cell.dataset, "--method", cell.method), "--images-per-class", str(cell.images_per_class)]
    square += ["--variant", cell.variant]
    if not layout.metrics("condense", cell).exists():
        options = ["--preset", preset] if preset else []
        options += [word for key, value in changes.items() for word in (f"--{key}", json.dumps(value))]
        step(layout, "condense", *square, *options)
    for judge in judges or [""]:
        if not layout.metrics("evaluate", cell, judge).exists():
            step(layout, "evaluate", *square, *(["--judge-network", judge] if judge else []))
