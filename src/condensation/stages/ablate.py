"""ablate: methods as they are and with one parameter changed, judged alike; see ``ablation`` in params.yaml."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from condensation.core.errors import InputError
from condensation.core.files import write_text
from condensation.core.params import Section, section
from condensation.data.sources import dataset_name
from condensation.stages.layout import Cell, Layout
from condensation.stages.run import as_yaml, data_steps, step


class AblationParams(Section):
    """methods: which are taken apart. variants: by name, the parameters of a method that it changes."""

    methods: list[str]
    variants: dict[str, dict[str, str | int | float | bool | None]]


def ablate(
    layout: Layout, tree: Mapping[str, Any], images_per_class: int, methods: Sequence[str], *, source: str
) -> None:
    """Make and judge every variant of the methods (of all that params.yaml names when there are none), and compare.

    source: the data set as the person named it. What is there already is not made again, so an interrupted ablation
    goes on where it was; InputError when what is there was made with other parameters.
    """
    params = section(tree, "ablation", AblationParams)
    cells = [Cell(dataset_name(source), method, images_per_class) for method in methods or params.methods]
    _begin(layout, tree)
    for cell in cells:
        for words in data_steps(layout, tree, cell, source=source):
            step(layout, *words)
    for cell, changes in _variants(cells, params):
        square = [*("--dataset", cell.dataset, "--method", cell.method), "--images-per-class", str(images_per_class)]
        for stage in ("condense", "evaluate"):
            if not layout.metrics(stage, cell).exists():
                step(layout, stage, *square, "--variant", cell.variant, *changes)
    for command in ("report", "comparison"):
        step(layout, command)


def _begin(layout: Layout, tree: Mapping[str, Any]) -> None:
    path, text = layout.root / "params.yaml", as_yaml(tree)
    if path.exists() and path.read_text() != text:
        raise InputError(f"{layout.root} holds an ablation with other parameters; choose another --root or remove it")
    write_text(path, text)


def _variants(cells: Sequence[Cell], params: AblationParams) -> Iterator[tuple[Cell, list[str]]]:
    """Every cell as it is and then under each variant, with the options that change its parameters."""
    for cell in cells:
        yield cell, []
        for name, changes in params.variants.items():
            options = [word for key, value in changes.items() for word in (f"--{key}", str(value))]
            yield Cell(cell.dataset, cell.method, cell.images_per_class, name), options
