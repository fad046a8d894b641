"""report: from the metrics files alone to one comparison, as CSV, Markdown, a page and figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from condensation.core.errors import InputError
from condensation.core.files import write_bytes, write_text
from condensation.core.params import at, check
from condensation.reporting.content import gather
from condensation.reporting.curves import read_curves
from condensation.reporting.figures import drawings
from condensation.reporting.gallery import Frame, pictures
from condensation.reporting.headline import Results
from condensation.reporting.markdown import markdown
from condensation.reporting.page import html
from condensation.reporting.records import Key, Records, read_records
from condensation.reporting.table import comparison, headline_judge
from condensation.stages import grid


def report(root: Path, expected: Sequence[Key]) -> Path:
    """Write ``reports/comparison.{csv,md,html}`` and ``reports/figures/*.png`` under ``root``; returns the page.

    expected: the (data set, method, images per class) that were asked for; what is not there is said loudly.
    Reads only ``reports/metrics``, ``reports/curves`` and the grids under ``data/condensed``. Equal input gives equal
    bytes: there is no clock in it. Raises InputError naming the file that cannot be used.
    """
    reports = root / "reports"
    records = read_records(reports / "metrics")
    table = comparison(records)
    results = Results(table, headline_judge(table))
    drawn = drawings(records, results, read_curves(reports / "curves"))
    frame = Frame(grid.NAMES, grid.GAP, grid.COLUMNS)
    shown = pictures(root / "data" / "condensed", frame, _classes(records))
    content = gather(records, table, results, expected, drawn, shown)
    texts = {"csv": csv(table), "md": markdown(content), "html": html(content)}
    for drawing in drawn:
        write_bytes(reports / "figures" / f"{drawing.name}.png", drawing.light)
    for ending, text in texts.items():
        write_text(reports / f"comparison.{ending}", text)
    return reports / "comparison.html"


def csv(table: pd.DataFrame) -> str:
    """The table with six significant digits; empty where nothing was measured or nothing applies."""
    text: str = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return text


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
    """Print the comparison and where its page lies; InputError when there is none."""
    reports = root / "reports"
    if not (reports / "comparison.md").exists():
        raise InputError(f"{reports / 'comparison.md'} does not exist; run `condense report` first")
    table = pd.read_csv(reports / "comparison.csv")
    screen = Table(title="Comparison (accuracy in percent on the test set)")
    columns = {
        "dataset": "data set",
        "method": "method",
        "images_per_class": "images per class",
        "accuracy_mean": "accuracy",
        "ci_low": "95 % from",
        "ci_high": "to",
        "n": "networks",
        "gain_over_random": "gain over random",
        "condense_seconds": "seconds",
    }
    for title in columns.values():
        screen.add_column(title)
    for row in table[list(columns)].itertuples(index=False):
        screen.add_row(*("" if pd.isna(v) else f"{v:.1f}" if isinstance(v, float) else str(v) for v in row))
    Console().print(screen)
    print(f"The page: {(reports / 'comparison.html').resolve()}")
