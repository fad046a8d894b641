"""report: from the metrics files alone to one comparison, as CSV, Markdown, a page and figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from condensation.core.errors import InputError
from condensation.core.files import write_bytes, write_text
from condensation.core.params import at, check
from condensation.core.tuned import Search
from condensation.reporting import tuning
from condensation.reporting.content import gather
from condensation.reporting.curves import read_curves
from condensation.reporting.display import (
    WHOLE,
    dataset_name,
    dataset_order,
    duration,
    interval,
    known,
    listed,
    method_name,
    percent,
    signed,
)
from condensation.reporting.figures import drawings
from condensation.reporting.gallery import Frame, pictures
from condensation.reporting.headline import Results
from condensation.reporting.kept import keep
from condensation.reporting.markdown import STUDIES, markdown
from condensation.reporting.page import html
from condensation.reporting.records import Key, Records, read_records
from condensation.reporting.storage import stored
from condensation.reporting.studies import studies
from condensation.reporting.table import FINISHED, comparison, headline_judge, without_result
from condensation.stages import grid
from condensation.tracking import Tracker

FORM: dict[str, Any] = {"float_format": "%.6g", "lineterminator": "\n"}


def report(root: Path, expected: Sequence[Key], tracker: Tracker) -> Path:
    """Compare what lies under ``root``, in ``reports`` and ``data/condensed``; returns the page. See ``compare``."""
    return compare(root / "reports", root / "data" / "condensed", expected, tracker)


def compare(
    reports: Path,
    condensed: Path,
    expected: Sequence[Key],
    tracker: Tracker,
    told: Sequence[tuple[str, str]] = (),
    kept: Path | None = None,
) -> Path:
    """Write ``comparison.{csv,md,html}`` and the figures, and no others, into the folder ``reports``; returns the page.

    expected: the (data set, method, images per class) that were asked for; what is not there is said loudly.
    told: conditions that no record holds. kept: a folder that keeps what is shown of the sets, and gives it where they
    are not. Reads only that, ``metrics``, ``curves`` and ``tuning`` in ``reports`` and the sets and grids under
    ``condensed``. Equal input gives equal bytes: there is no clock in it. ``tracker`` is told the accuracies, for the
    runs that made the sets. Raises InputError naming the file that cannot be used.
    """
    everything = read_records(reports / "metrics")
    records = everything.compared(expected)
    frame = Frame(grid.NAMES, grid.GAP, grid.COLUMNS)
    shown, sizes = pictures(condensed, frame, _classes(records)), stored(condensed)
    if kept is not None:
        shown, sizes = keep(kept, condensed, shown, sizes, records.condensed)
    table = comparison(records, sizes)
    results = Results(table, headline_judge(table), records.unfinished, expected)
    searches = tuning.read_tuned(reports / "tuning")
    drawn = drawings(records, results, read_curves(reports / "curves"))
    drawn += [drawing for search in searches for drawing in tuning.drawings(search)]
    beside = (studies(everything), tuning.tables(searches))
    content = gather(
        _title(everything, searches, expected), records, table, results, expected, drawn, shown, *beside, told
    )
    texts = {"csv": csv(table, records, expected), "md": markdown(content), "html": html(content)}
    figures = {reports / "figures" / f"{drawing.name}.png": drawing.light for drawing in drawn}
    for path, light in figures.items():
        write_bytes(path, light)
    for path in {*(reports / "figures").glob("*.png")} - figures.keys():
        path.unlink()
    for ending, text in texts.items():
        write_text(reports / f"comparison.{ending}", text)
    _tell(everything, tracker)
    return reports / "comparison.html"


def _title(records: Records, searches: Sequence[Search], expected: Sequence[Key]) -> str:
    """What tells this page from the others in a browser's tabs: its kind and its data sets."""
    judged = [cell.dataset for cell in (*records.judged, *records.variants)]
    found = {*judged, *(search.dataset for search in searches), *(dataset for dataset, _, _ in expected)}
    names = sorted(found, key=dataset_order)
    kind = "Study" if records.variants and not expected else "Comparison"
    if searches and not (records.judged or records.variants or expected):
        kind = "Search"
    return f"{kind}: {listed(map(dataset_name, names))}" if names else kind


def _tell(records: Records, tracker: Tracker) -> None:
    """Each set's mean accuracy to the run that made it."""
    for cell in records.judged:
        made = records.making(cell)
        means = cell.set_means()
        for one in made.seeds if made else []:
            if one.seed in means:
                name = f"test_accuracy/{cell.protocol}/{cell.network}"
                soft = "/soft_labels" if cell.label_kind == "soft" else ""
                tracker.judged(one.sha256, {name + soft: means[one.seed]})


def csv(table: pd.DataFrame, records: Records, expected: Sequence[Key]) -> str:
    """The table with six significant digits; empty where nothing was measured or nothing applies.

    What was asked for, or begun, and has no result has a row at the end that says so in the column ``state``.
    """
    lost = without_result(records, expected)
    return "".join(part.to_csv(index=False, header=part is table, **FORM) for part in (table, lost))


def _classes(records: Records) -> dict[str, int]:
    """Number of classes of each data set that was judged."""
    return {cell.dataset: len(cell.judgements[0].accuracy_per_class) for cell in records.judged}


def planned(tree: Mapping[str, Any]) -> list[Key]:
    """The cells that params.yaml asks for: data sets x judged methods x images per class."""
    datasets = check(at(tree, "datasets"), list[str], "datasets")
    methods = check(at(tree, "pipeline.judged"), list[str], "pipeline.judged")
    sizes = check(at(tree, "images_per_class"), list[int], "images_per_class")
    return [(dataset, method, size) for dataset in datasets for method in methods for size in sizes]


def show(root: Path) -> None:
    """Print the comparison under ``root``, what is missing and where the page lies; InputError when there is none."""
    print_comparison(root / "reports")


def print_comparison(reports: Path) -> None:
    """Print the comparison in the folder ``reports`` under its headline judge; InputError when there is none."""
    if not (reports / "comparison.md").exists():
        raise InputError(f"{reports / 'comparison.md'} does not exist; run `condense report` first")
    screen = Table(box=None, pad_edge=False)
    for name in ("Data set", "Method", "Per class", "Labels", "Accuracy %", "95 %", "n", "Gain", "To condense"):
        screen.add_column(name, no_wrap=True, justify="left" if name in ("Data set", "Method") else "right")
    table = pd.read_csv(reports / "comparison.csv")
    finished = table[table["state"] == FINISHED]
    for row in Results(finished, headline_judge(finished)).rows:
        screen.add_row(*_line(row))
    console, text = Console(width=max(Console().width, 110)), (reports / "comparison.md").read_text()
    if screen.row_count:
        console.print(screen)
    for section in (part for part in text.split("\n## ") if part.startswith(STUDIES)):
        console.print(Markdown(f"## {section}"))
    for line in (line for line in text.splitlines() if line.startswith("- **")):
        print(f"Missing: {line[2:].strip('*')}")
    print(f"The page: {(reports / 'comparison.html').resolve()}")


def _line(row: Mapping[Any, Any]) -> list[str]:
    whole = row["method"] == WHOLE
    return [
        dataset_name(row["dataset"]),
        method_name(row["method"]),
        "all" if whole else f"{row['images_per_class']:.0f}",
        row["label_kind"],
        percent(row["accuracy_mean"]),
        interval(row["ci_low"], row["ci_high"]) if known(row["ci_low"]) else "",
        str(row["n"]),
        signed(row["gain_over_random"]) if known(row["gain_over_random"]) else "",
        duration(row["condense_seconds"]) if known(row["condense_seconds"]) else "",
    ]
