"""Dataset condensation: every method on the same data, judged by the same judge, re-made by one command."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from condensation.api import PortableSet

__all__ = ["load"]


def load(path: str | Path) -> "PortableSet":
    """Read a condensed set; its ``to_torch``, ``to_tf`` and ``to_pandas`` import nothing that is not asked for."""
    from condensation.api import PortableSet

    return PortableSet.load(Path(path))
