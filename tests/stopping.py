"""A run that is stopped in its middle, to be gone on with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from condensation.core.runlog import RunLog


class Stop(Exception):
    """Raised in the middle of a run."""


class StoppingLog(RunLog):
    """Checkpoints at every opportunity, and stops after ``after`` of them."""

    def __init__(self, path: Path, after: int) -> None:
        super().__init__(checkpoint=path, checkpoint_seconds=0)
        self.left = after

    def checkpoint(self, state: Callable[[], Any], *, now: bool = False) -> None:
        super().checkpoint(state, now=True)
        self.left -= 1
        if self.left == 0:
            raise Stop
