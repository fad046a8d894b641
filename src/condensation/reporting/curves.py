"""Learning curves: of the networks that the judge trained, and of the methods while they condensed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from condensation.core.errors import InputError
from condensation.core.results import JudgedCell
from condensation.reporting.charts import Chart
from condensation.reporting.display import method_name
from condensation.reporting.records import Key, cell_of
from condensation.reporting.style import COLOURS, FAINT, INK, colour, legend, legend_height, marker

PANELS = 8
LEGEND_LETTERS = 48  # that fit beside each other
SHADES = (0.45, 0.72, 1.0)
DASHES = {0.45: (0, (1.5, 1.5)), 0.72: (0, (5, 2))}
TURNS = ("solid", (0, (5, 2)), (0, (1.5, 1.5)))


def mean_curve(cell: JudgedCell) -> np.ndarray:
    """The mean of a cell's training-loss curves, float (points,), over the points that all have."""
    curves = [j.curve for j in cell.judgements if j.curve]
    points = min((len(curve) for curve in curves), default=0)
    return np.mean([curve[:points] for curve in curves], axis=0) if points else np.zeros(0)


def judge_curves(title: str, cells: Sequence[JudgedCell]) -> Chart:
    """A line per method: training loss of the judge's networks in equal parts of their training, mean over networks."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for cell in cells:
            curve = mean_curve(cell)
            done = 100 * np.arange(1, len(curve) + 1) / len(curve)
            style: dict[str, Any] = {"color": colour(cell.method), "marker": marker(cell.method), "markersize": 4}
            axes.plot(done, curve, label=method_name(cell.method), **style)
        axes.set_xlim(0, 102)
        axes.set_xlabel("Part of the training done, in %")
        axes.set_ylabel("Training loss (cross-entropy)")
        axes.set_title(title)
        legend(figure, axes)

    return draw, 2.6 + legend_height(len(cells))


def read_curves(folder: Path) -> dict[Key, pd.DataFrame]:
    """The per-step metrics under ``<folder>/<dataset>/<method>/ipc-<k>.csv``, those that are not empty.

    A variant goes by its folder's name. Raises InputError when a file has no columns ``seed`` and ``step``.
    """
    found = {}
    for path in sorted(folder.glob("*/*/ipc-*.csv")):
        if not path.read_text().strip():
            continue
        curve = pd.read_csv(path)
        if not {"seed", "step"} <= set(curve.columns):
            raise InputError(f"{path} has columns {', '.join(curve.columns)}; needed: seed, step and metrics")
        metrics = [name for name in curve.columns if name not in ("seed", "step") and curve[name].notna().any()]
        if len(curve) and metrics:
            found[cell_of(path.with_suffix(""))] = curve[["seed", "step", *metrics]]
    return found


@dataclass(frozen=True)
class Line:
    """A curve of several metrics and how it is drawn."""

    curve: pd.DataFrame
    label: str
    tint: str
    shade: float = 1.0
    dashes: Any = "solid"


def lines_of_sizes(method: str, by_size: Mapping[int, pd.DataFrame]) -> list[Line]:
    """A line per number of images per class, all of the method's colour, the larger the stronger."""
    lines = []
    for place, (size, curve) in enumerate(sorted(by_size.items())):
        shade = SHADES[max(0, len(SHADES) - len(by_size) + place)] if len(by_size) <= len(SHADES) else 0.8
        lines.append(Line(curve, f"{size} per class", colour(method), shade, DASHES.get(shade, "solid")))
    return lines


def lines_of_variants(by_variant: Mapping[str, pd.DataFrame]) -> list[Line]:
    """A line per variant, of at most as many as there are colours, each with dashes that its neighbours do not have."""
    return [
        Line(curve, variant, COLOURS[place], dashes=TURNS[place % len(TURNS)])
        for place, (variant, curve) in enumerate(by_variant.items())
    ]


def condensing_curves(title: str, lines: Sequence[Line]) -> Chart:
    """A panel per metric, in it every line: the mean over seeds, and their range as a band."""
    names = list(dict.fromkeys(name for line in lines for name in line.curve.columns[2:]))[:PANELS]
    columns = 1 if len(names) == 1 else 2
    rows = -(-len(names) // columns)
    abreast = max(1, min(3, LEGEND_LETTERS // max(len(line.label) for line in lines)))

    def draw(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, name in zip(grid, names, strict=False):
            for line in lines:
                if name in line.curve:
                    _panel(axes, line, name)
            axes.set_title(name.replace("_", " "), fontsize=8.5, fontweight="normal", color=FAINT)
            axes.tick_params(labelsize=7.5)
        for axes in grid[len(names) :]:
            axes.set_visible(False)
        for axes in grid[max(0, len(names) - columns) : len(names)]:
            axes.set_xlabel("Step", fontsize=8.5)
        figure.suptitle(title, x=0.02, ha="left", fontsize=9.5, fontweight="bold", color=INK)
        legend(figure, grid[0], abreast)

    return draw, 0.75 + (1.9 if columns == 1 else 1.45) * rows + legend_height(len(lines), abreast)


def _panel(axes: Any, line: Line, name: str) -> None:
    values = line.curve.dropna(subset=[name]).groupby("step")[name]
    mean, low, high = values.mean(), values.min(), values.max()
    style: dict[str, Any] = {"alpha": line.shade, "linestyle": line.dashes, "label": line.label}
    few = "o" if len(mean) == 1 else None
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    axes.fill_between(mean.index, low, high, color=line.tint, alpha=0.12, linewidth=0)
    axes.plot(mean.index, mean, color=line.tint, linewidth=1.4, marker=few, **style)
