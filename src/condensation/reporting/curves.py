"""Learning curves: of the networks that the judge trained, and of the methods while they condensed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from condensation.core.errors import InputError
from condensation.core.results import JudgedCell, holds_variant
from condensation.reporting.charts import Chart
from condensation.reporting.display import method_name
from condensation.reporting.records import Key
from condensation.reporting.style import FAINT, INK, colour, legend, legend_height, marker

PANELS = 8
SHADES = (0.45, 0.72, 1.0)


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
    """The per-step metrics under ``<folder>/<dataset>/<method>/ipc-<k>.csv``; empty files and variants are left out.

    Raises InputError when a file has no columns ``seed`` and ``step``.
    """
    found = {}
    for path in sorted(folder.glob("*/*/ipc-*.csv")):
        if holds_variant(path.parts[-2]) or not path.read_text().strip():
            continue
        curve = pd.read_csv(path)
        if not {"seed", "step"} <= set(curve.columns):
            raise InputError(f"{path} has columns {', '.join(curve.columns)}; needed: seed, step and metrics")
        metrics = [name for name in curve.columns if name not in ("seed", "step") and curve[name].notna().any()]
        if len(curve) and metrics:
            size = int(path.stem.removeprefix("ipc-"))
            found[path.parts[-3], path.parts[-2], size] = curve[["seed", "step", *metrics]]
    return found


def condensing_curves(title: str, method: str, by_size: Mapping[int, pd.DataFrame]) -> Chart:
    """A panel per metric, a line per number of images per class: the mean over seeds, and their range as a band."""
    names = list(dict.fromkeys(name for curve in by_size.values() for name in curve.columns[2:]))[:PANELS]
    columns = 1 if len(names) == 1 else 2
    lines = -(-len(names) // columns)

    def draw(figure: Figure) -> None:
        grid = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes, name in zip(grid, names, strict=False):
            for place, (size, curve) in enumerate(sorted(by_size.items())):
                if name in curve:
                    shade = SHADES[max(0, len(SHADES) - len(by_size) + place)] if len(by_size) <= 3 else 0.8
                    _panel(axes, curve, name, colour(method), shade, f"{size} per class")
            axes.set_title(name.replace("_", " "), fontsize=8.5, fontweight="normal", color=FAINT)
            axes.tick_params(labelsize=7.5)
        for axes in grid[len(names) :]:
            axes.set_visible(False)
        for axes in grid[max(0, len(names) - columns) : len(names)]:
            axes.set_xlabel("Step", fontsize=8.5)
        figure.suptitle(title, x=0.02, ha="left", fontsize=9.5, fontweight="bold", color=INK)
        legend(figure, grid[0], 3)

    return draw, 0.75 + (1.9 if columns == 1 else 1.45) * lines + legend_height(len(by_size), 3)


def _panel(axes: Any, curve: pd.DataFrame, name: str, tint: str, shade: float, label: str) -> None:
    values = curve.dropna(subset=[name]).groupby("step")[name]
    mean, low, high = values.mean(), values.min(), values.max()
    style = {0.45: (0, (1.5, 1.5)), 0.72: (0, (5, 2))}.get(shade, "solid")
    few = "o" if len(mean) == 1 else None
    axes.fill_between(mean.index, low, high, color=tint, alpha=0.12, linewidth=0)
    axes.plot(mean.index, mean, color=tint, alpha=shade, linestyle=style, linewidth=1.4, marker=few, label=label)
