"""The charts of results: accuracy against seconds, accuracy by size, gain over random, accuracy of each class."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from condensation.reporting.display import WHOLE, known, method_name, method_order
from condensation.reporting.headline import Row
from condensation.reporting.style import FAINT, INK, PAPER, colour, legend, legend_height, marker

Draw = Callable[[Figure], None]
Chart = tuple[Draw, float]
"""What paints a figure, and its height in inches."""

_MAP = LinearSegmentedColormap.from_list("paper to slate", ["#f1f3f6", "#aab5c4", "#34435a"])
"""Of weak colours, which turn round with the paper, so that what is written on them stays legible on dark paper."""
SHORTEST = 1.0
"""Seconds: anything faster is drawn here, where nobody waits; a logarithm has no zero."""


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (seconds, accuracy) points that no other beats in both, by rising seconds."""
    best: list[tuple[float, float]] = []
    for seconds, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or accuracy > best[-1][1]:
            best.append((seconds, accuracy))
    return best


def error_bar(row: Row) -> list[list[float]] | None:
    """How far the interval of an accuracy in percent reaches below and above it, cut at 0 and 100."""
    if not known(row["ci_low"]):
        return None
    return [[row["accuracy_mean"] - max(row["ci_low"], 0.0)], [min(row["ci_high"], 100.0) - row["accuracy_mean"]]]


def _whole_line(axes: Any, whole: Row | None) -> None:
    if whole is not None:
        label = f"{method_name(WHOLE)}, {whole['accuracy_mean']:.1f} %"
        axes.axhline(whole["accuracy_mean"], color=FAINT, linestyle=(0, (5, 4)), linewidth=1.1, label=label)


def _percent_axis(axes: Any) -> None:
    """An axis of accuracies ends at 0 and 100, however far the interval of a few values reaches."""
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0.0), min(high, 101.0))
    axes.set_ylabel("Test accuracy in %")


def accuracy_against_seconds(title: str, rows: Sequence[Row]) -> Chart:
    """A point per row with its interval over a logarithmic time axis, and the front of those not beaten.

    Rows of one method, made with more and more time, are joined.
    """
    by_method: dict[str, list[Row]] = {row["method"]: [] for row in rows}
    for row in sorted(rows, key=lambda row: row["condense_seconds"]):
        by_method[row["method"]].append(row)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        points = [(max(row["condense_seconds"], SHORTEST), row["accuracy_mean"]) for row in rows]
        best = front(points)
        front_line: dict[str, Any] = {"color": INK, "alpha": 0.45, "linewidth": 1.2, "label": "Front"}
        axes.step([x for x, _ in best], [y for _, y in best], where="post", **front_line)
        for name, mine in by_method.items():
            style: dict[str, Any] = {"color": colour(name), "marker": marker(name), "linestyle": "none", "capsize": 2.5}
            at = [max(row["condense_seconds"], SHORTEST) for row in mine]
            axes.plot(at, [row["accuracy_mean"] for row in mine], color=colour(name), alpha=0.55)
            for x, row in zip(at, mine, strict=True):
                label = method_name(name) if row is mine[0] else None
                axes.errorbar(x, row["accuracy_mean"], yerr=error_bar(row), label=label, elinewidth=1.2, **style)
        axes.set_xscale("log")
        axes.minorticks_off()
        first, last = (np.log10(bound(points)[0]) for bound in (min, max))
        decades = [10**power for power in range(int(np.floor(first)), int(np.ceil(last)) + 1)]
        axes.set_xticks(decades, [f"{seconds:,}" if seconds > SHORTEST else "≤ 1" for seconds in decades])
        axes.set_xlabel("Seconds to condense one set (log)")
        _percent_axis(axes)
        axes.set_title(title)
        legend(figure, axes)

    return draw, 2.8 + legend_height(len(by_method) + 1)


def accuracy_by_size(title: str, rows: Sequence[Row], whole: Row | None) -> Chart:
    """A line per method over the numbers of images per class, with 95 % intervals."""
    sizes = sorted({int(row["images_per_class"]) for row in rows})
    methods = sorted({row["method"] for row in rows}, key=method_order)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        _whole_line(axes, whole)
        offsets = np.linspace(-0.22, 0.22, len(methods)) if len(methods) > 1 else np.zeros(1)
        for method, offset in zip(methods, offsets, strict=True):
            mine = [row for row in rows if row["method"] == method]
            xs = [sizes.index(int(row["images_per_class"])) + offset for row in mine]
            shade = colour(method)
            axes.plot(xs, [row["accuracy_mean"] for row in mine], color=shade, linewidth=1, alpha=0.55)
            for x, row in zip(xs, mine, strict=True):
                style: dict[str, Any] = {"color": shade, "marker": marker(method), "linestyle": "none", "capsize": 2}
                first = method_name(method) if row is mine[0] else None
                axes.errorbar(x, row["accuracy_mean"], yerr=error_bar(row), elinewidth=1.2, label=first, **style)
        axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
        axes.set_xlim(-0.5, len(sizes) - 0.5)
        axes.grid(visible=False, axis="x")
        axes.set_xlabel("Images per class")
        _percent_axis(axes)
        axes.set_title(title)
        legend(figure, axes)

    return draw, 2.8 + legend_height(len(methods) + 1)


def gain_over_random(title: str, rows: Sequence[Row]) -> Chart:
    """A row per method: the paired difference from a random selection in points, with its 95 % interval."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.axvline(0, color=INK, linewidth=1, alpha=0.6)
        for place, row in enumerate(rows):
            gain, low, high = row["gain_over_random"], row["gain_ci_low"], row["gain_ci_high"]
            error = [[gain - low], [high - gain]] if known(low) else None
            style: dict[str, Any] = {"color": colour(row["method"]), "marker": marker(row["method"]), "capsize": 3}
            axes.errorbar(gain, place, xerr=error, elinewidth=1.6, **style)
        axes.set_yticks(range(len(rows)), [method_name(row["method"]) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("Points of accuracy over a random selection")
        axes.set_title(title)

    return draw, 0.95 + 0.29 * len(rows)


def accuracy_of_classes(title: str, names: Sequence[str], methods: Sequence[str], values: np.ndarray) -> Chart:
    """A map of accuracies in percent, float (classes, methods): a row per class, a column per method."""
    lowest = 10 * np.floor(values.min() / 10)
    few = len(names) <= 20

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        picture = axes.imshow(values, aspect="auto", cmap=_MAP, vmin=lowest, vmax=100)
        axes.set_xticks(range(len(methods)), [method_name(m) for m in methods], rotation=40, ha="right")
        shown = range(len(names)) if few else range(0, len(names), 10)
        axes.set_yticks(shown, [names[i] for i in shown])
        axes.grid(visible=False)
        for (row, column), value in np.ndenumerate(values) if few else ():
            shade = PAPER if value > (lowest + 200) / 3 else INK
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color=shade)
        bar = figure.colorbar(picture, ax=axes, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label("Accuracy in %", color=FAINT)
        axes.set_title(title)

    return draw, min(6.0, 1.8 + 0.24 * len(names))
