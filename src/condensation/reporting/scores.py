"""What a method found out beside its set, such as scores of its candidates: as CSV and as a picture."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd


def write_table(folder: Path, name: str, columns: Mapping[str, np.ndarray]) -> list[Path]:
    """Write ``<name>.csv``, a row for each element of the columns (n,), and ``<name>.png``; gives both paths.

    The picture draws every column of fractions over the rows, in their order, each on a scale of its own.
    """
    frame = pd.DataFrame(dict(columns))
    text, picture = folder / f"{name}.csv", folder / f"{name}.png"
    frame.to_csv(text, index=False, float_format="%.6g", lineterminator="\n")
    _draw(frame.select_dtypes("floating"), name, picture)
    return [text, picture]


def _draw(frame: pd.DataFrame, name: str, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.2 * frame.shape[1]), layout="constrained")
    panels = figure.subplots(frame.shape[1], sharex=True, squeeze=False)[:, 0]
    for axes, column in zip(panels, frame, strict=True):
        axes.plot(np.arange(1, len(frame) + 1), frame[column], ".", markersize=4)
        axes.set_ylabel(str(column).replace("_", " "))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    panels[0].set_title(name.replace("_", " "), loc="left")
    panels[-1].set_xlabel("place in the table")
    figure.savefig(path, dpi=120, metadata={"Software": None})
