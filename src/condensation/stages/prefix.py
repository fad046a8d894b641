"""prefix: the first images of each class of a cell's sets, as a cell of its own that is judged like any other."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.files import file_digest, read_json, write_json
from condensation.core.results import CondensedCell
from condensation.stages.grid import write_grid
from condensation.stages.layout import Cell, Layout


def prefix_cell(cell: Cell, first: int) -> Cell:
    """The cell of the first images of another: a variant that names its size."""
    name = f"first-of-{cell.images_per_class}"
    return replace(cell, images_per_class=first, variant=f"{cell.variant}-{name}" if cell.variant else name)


def prefix(layout: Layout, cell: Cell, first: int, seeds: Sequence[int]) -> Path:
    """Write the first ``first`` images of each class of a cell's sets; returns the folder of the new sets.

    Their record says what the whole sets took, for nothing less gives them. InputError where a set is missing or holds
    fewer images.
    """
    found = layout.metrics("condense", cell)
    if not found.exists():
        raise InputError(f"there are no sets of {cell}; `condense condense` makes them")
    record = CondensedCell.model_validate(read_json(found))
    told = {each.seed: each for each in record.seeds}
    if missing := [seed for seed in seeds if seed not in told]:
        raise InputError(f"{cell} has no set of seed {missing[0]}; it has those of {sorted(told)}")
    made, target = prefix_cell(cell, first), []
    cut = {seed: CondensedDataset.load(layout.condensed_set(cell, seed)).first(first) for seed in seeds}
    for seed, part in cut.items():
        path = layout.condensed_set(made, seed)
        part.save(path)
        write_grid(part, path.with_suffix(".png"))
        target.append(told[seed].model_copy(update={"sha256": file_digest(path)}))
    changed = {"images_per_class": first, "variant": made.variant, "seeds": target}
    write_json(layout.metrics("condense", made), record.model_copy(update=changed).model_dump(mode="json"))
    return layout.condensed(made)
