"""The charts of searches: what was tried, what matters, both goals, and how a condensed set ranks configurations."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator

from condensation.core.tuned import Agreement, Search, TriedTrial
from condensation.reporting.charts import Chart
from condensation.reporting.display import signed
from condensation.reporting.style import FAINT, INK, colour, legend, legend_height, marker

LINE = 42
"""Letters of a title's line."""
LEAST_ERROR = 0.01
"""Percent: where no image is wrong, a logarithm still asks for something."""


def history(title: str, search: Search) -> Chart:
    """Scores by trial, the best so far as a line, pruned trials where they stopped, the parameters as they were."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        shade = colour(search.method)
        complete = [(trial.number, trial.score) for trial in search.trials if trial.score is not None]
        best = [max(score for _, score in complete[: place + 1]) for place in range(len(complete))]
        numbers = [number for number, _ in complete]
        axes.step(numbers, best, where="post", color=INK, alpha=0.5, linewidth=1.2, label="Best so far")
        if search.own:
            dashes = (0, (5, 4))
            axes.axhline(search.own.mean, color=FAINT, linestyle=dashes, linewidth=1.1, label="As it was")
        points: dict[str, Any] = {"color": shade, "marker": marker(search.method), "linestyle": "none"}
        axes.plot(numbers, [score for _, score in complete], label="Complete", **points)
        pruned = [trial for trial in search.trials if trial.state == "pruned"]
        if pruned:
            means = [_mean(trial) for trial in pruned]
            axes.plot([t.number for t in pruned], means, "x", color=shade, alpha=0.6, label="Pruned, mean so far")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("Trial")
        axes.set_ylabel("Validation accuracy in %")
        axes.set_title(fill(title, LINE))
        legend(figure, axes)

    return draw, 2.5 + legend_height(4)


def importance(title: str, shares: Mapping[str, float]) -> Chart:
    """A bar for each axis: the share of the scores' variance that it explains."""
    rows = sorted(shares.items(), key=lambda row: row[1])

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.barh(range(len(rows)), [100 * value for _, value in rows], color=FAINT, height=0.6)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("Share of the scores' variance in %")
        axes.set_title(fill(title, LINE))

    return draw, 0.95 + 0.29 * len(rows)


def against_cost(title: str, search: Search) -> Chart:
    """Score against seconds to make a set, and the front of the trials that are not beaten in both."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        points = {t.number: (t.cost, t.score) for t in search.trials if t.cost is not None and t.score is not None}
        best = [points[number] for number in search.front]
        axes.step([x for x, _ in best], [y for _, y in best], where="post", color=INK, alpha=0.45, label="Front")
        style: dict[str, Any] = {"color": colour(search.method), "marker": marker(search.method), "linestyle": "none"}
        axes.plot([x for x, _ in points.values()], [y for _, y in points.values()], label="Trials", **style)
        axes.set_xlabel("Seconds to condense one set")
        axes.set_ylabel("Validation accuracy in %")
        axes.set_title(fill(title, LINE))
        legend(figure, axes)

    return draw, 2.5 + legend_height(2)


def agreement_chart(title: str, found: Agreement) -> Chart:
    """One point for each configuration: its error when trained on the condensed set and on the whole one."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        xs = [max(100 - one.condensed_accuracy, LEAST_ERROR) for one in found.configurations]
        ys = [max(100 - one.whole_accuracy, LEAST_ERROR) for one in found.configurations]
        axes.plot(xs, ys, "o", color=INK, alpha=0.7)
        chosen = min(range(len(xs)), key=lambda place: (xs[place], -ys[place]))
        axes.plot(xs[chosen], ys[chosen], "o", markersize=11, fillstyle="none", color=INK, label="Chosen by the set")
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
            axis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
        axes.set_xlabel("Validation error in %, trained on the condensed set")
        axes.set_ylabel("Trained on the whole set")
        words = f"Spearman {found.spearman.value:.2f}, Kendall {found.kendall.value:.2f}, regret {signed(found.regret)}"
        axes.set_title(f"{fill(title, LINE)}\n{words}")
        legend(figure, axes)

    return draw, 3.0 + legend_height(1)


def _mean(trial: TriedTrial) -> float:
    return sum(trial.scores) / len(trial.scores)
