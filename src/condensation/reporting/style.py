"""How figures look: one colour and marker per method, text readable at phone width."""

import io
import zlib
from collections.abc import Callable
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from condensation.reporting.display import WHOLE

WIDTH, DOTS = 4.3, 180
"""Inches and dots per inch: shown at 390 points of a phone, text of 9 points stays about 8."""


PAPER, INK, FAINT, LINE = "#ffffff", "#1d2430", "#5b6675", "#dfe4ea"

# Selections are grey and earth, the MPS family blue to violet, matching methods warm and green; each has its marker.
_STYLES = {
    "random": ("#8b939e", "o"),
    "random_soft": ("#8b939e", "p"),
    "herding": ("#a9814f", "s"),
    "k_center": ("#7d8f3c", "D"),
    "k_means": ("#c79a16", "^"),
    "mps1": ("#4aa3df", "<"),
    "mps1_gan": ("#2bb5b8", ">"),
    "mps2": ("#3f74d1", "v"),
    "mps2u": ("#6a55e0", "P"),
    "mutual_information": ("#a94fd0", "X"),
    "mps_o": ("#7f8fe6", "h"),
    "mps_5o": ("#c279c8", "H"),
    "gradient_matching": ("#e0522d", "o"),
    "dsa": ("#f0911a", "s"),
    "distribution_matching": ("#2a9d5c", "D"),
    "trajectory_matching": ("#d63a78", "^"),
    "kernel_ridge": ("#b5473c", "v"),
    "mps3": ("#138a7e", "*"),
    WHOLE: ("#7a8390", "8"),
}
# Of what has no colour of its own.
COLOURS = ["#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#eeca3b"]


def colour(method: str) -> str:
    """The colour of a method, the same in every figure; of an unknown one, chosen by its name."""
    return _STYLES[method][0] if method in _STYLES else COLOURS[zlib.crc32(method.encode()) % len(COLOURS)]


def marker(method: str) -> str:
    """The marker of a method, so that nothing hangs on colour alone."""
    return _STYLES[method][1] if method in _STYLES else "d"


_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "text.color": INK,
    "axes.labelcolor": FAINT,
    "axes.titlecolor": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.6,
    "lines.markersize": 6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "figure.constrained_layout.w_pad": 0.07,
    "figure.constrained_layout.h_pad": 0.07,
}


def render(draw: Callable[[Figure], None], height: float) -> bytes:
    """The PNG that ``draw`` paints on an empty figure of ``height`` inches: equal input, equal bytes."""
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=DOTS)
    with Image.open(drawn) as image:
        return compact_png(image.convert("RGB").quantize(128, dither=Image.Dither.NONE))


def compact_png(picture: Image.Image) -> bytes:
    """A picture of at most 128 colours, a third of the bytes of the whole; no metadata."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def legend(figure: Figure, axes: Any, columns: int = 2) -> None:
    """What is drawn, beneath the axes, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(columns, len(labels)), columnspacing=1.2)


def legend_height(entries: int, columns: int = 2) -> float:
    """Inches that a legend of so many entries needs."""
    return 0.1 + 0.19 * -(-entries // columns)
