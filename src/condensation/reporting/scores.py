"""What a method found out beside its set, such as scores of its candidates: as CSV and as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FEW = 20
"""So many rows are bars of what the last column holds, named by the others."""


def write_table(folder: Path, name: str, columns: Mapping[str, np.ndarray]) -> list[Path]:
    """Write ``<name>.csv``, a row for each element of the columns (n,), and ``<name>.png``; gives both paths.

    The picture draws every column of fractions over the rows, in their order, each on a scale of its own; a few rows
    are bars, by name.
    """
    frame = pd.DataFrame(dict(columns))
    text, picture = folder / f"{name}.csv", folder / f"{name}.png"
    frame.to_csv(text, index=False, float_format="%.6g", lineterminator="\n")
    (_bars if len(frame) <= FEW else _points)(frame, name).savefig(picture, dpi=120, metadata={"Software": None})
    return [text, picture]


def _bars(frame: pd.DataFrame, name: str) -> "Figure":
    from matplotlib.figure import Figure

    *named, last = map(str, frame.columns)
    rows = [", ".join(f"{_words(column)} {row[column]}" for column in named) for _, row in frame.iterrows()]
    figure = Figure(figsize=(7, 0.9 + 0.32 * len(frame)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(np.arange(len(frame)), frame[last], height=0.7)
    axes.bar_label(bars, fmt="%.3g", padding=3)
    axes.set_yticks(np.arange(len(frame)), rows)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"{_words(name)}: {_words(last)}", loc="left")
    return figure


def _points(frame: pd.DataFrame, name: str) -> "Figure":
    from matplotlib.figure import Figure

    columns = frame.select_dtypes("floating")
    figure = Figure(figsize=(7, 2.2 * columns.shape[1]), layout="constrained")
    panels = figure.subplots(columns.shape[1], sharex=True, squeeze=False)[:, 0]
    for axes, column in zip(panels, columns, strict=True):
        axes.plot(np.arange(1, len(frame) + 1), frame[column], ".", markersize=4)
        axes.set_ylabel(_words(column))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    panels[0].set_title(_words(name), loc="left")
    panels[-1].set_xlabel("place in the table")
    return figure


def _words(name: object) -> str:
    return str(name).replace("_", " ")
