"""tune --test: a search's best values beside the method as it is, on the test set, for seeds that no trial had."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from condensation.core.params import at, seeds
from condensation.core.tuned import Search
from condensation.stages.layout import Cell, Layout
from condensation.stages.study import begin, study
from condensation.stages.tune import write_record
from condensation.tuning.axes import value_of, with_values

TUNED = "tuned"
"""The variant that has the best values."""


def confirm(layout: Layout, tree: Mapping[str, Any], cell: Cell, found: Search, *, source: str) -> Path | None:
    """Make both for as many new seeds as the pipeline has, judge them once, compare: the folder of everything.

    The page there tells the search too. None when the search found nothing better than the values as they are;
    InputError when the folder has been used for other values, and it keeps what it has.
    """
    own = at(tree, f"methods.{cell.method}")
    if all(value_of(own, name, cell.dataset) == value for name, value in found.best.items()):
        return None
    best = with_values(own, found.best, cell.dataset)
    title = f"{TUNED}-{cell.dataset}-{cell.method}-{cell.images_per_class}"
    first = max(found.seeds) + 1
    wanted = {
        "datasets": [source],
        "images_per_class": [cell.images_per_class],
        "methods": [cell.method],
        "own": True,
        "floor": True,
        "variants": [{TUNED: {name: at(best, name) for name in found.best}}],
        "judges": [],
    }
    folder = Layout(layout.root / "runs" / title)
    fresh = list(range(first, first + len(seeds(tree))))
    values = {**tree, "seeds": fresh, "studies": {title: wanted}}
    begin(folder, values)
    write_record(folder, f"{cell.dataset}-{cell.method}", found)
    study(folder, values, title, {})
    return folder.root
