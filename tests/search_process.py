"""A process that works on a study whose trials take a moment: ``search_process.py STORAGE FOLDER TRIALS SECONDS``.

The score of a trial is its ``x``; each trial that begins leaves a line in ``begun``, each that ends one in ``done``.
"""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from condensation.core.runlog import RunLog
from condensation.tuning import search
from condensation.tuning.axes import Axis
from condensation.tuning.plan import SearchParams
from condensation.tuning.search import Attempt, Study, Tried, open_study
from condensation.tuning.storage import open_storage

AXES = {"x": Axis(low=0.0, high=1.0), "kind": Axis(choices=["a", "b"])}


def params(trials: int, **changes: Any) -> SearchParams:
    values = {"startup": 3, "seed": 0, "retries": 1, "goals": ["accuracy"], "pruner": {"name": "none"}}
    return SearchParams.model_validate({**values, "trials": trials, **changes})


def open_in(storage: str, folder: Path, trials: int, restart: bool = False, **changes: Any) -> Study:
    """The study of the tests; killed trials are told to the file ``killed``."""
    own = changes.pop("own", None)
    axes = changes.pop("axes", AXES)
    settings = changes.pop("settings", {"seeds": [0]})
    holder: list[Study] = []
    kept = open_storage(storage, folder / "optuna.journal", lambda study, trial: holder[0].killed(study, trial))
    tell = partial(told, folder)
    chosen = params(trials, **changes)
    holder.append(open_study("test", kept, axes, chosen, settings=settings, own=own, restart=restart, on_killed=tell))
    return holder[0]


def told(folder: Path, notes: Any) -> None:
    with (folder / "killed").open("a") as file:
        file.write(f"{notes.get('run')}\n")


def objective(folder: Path, seconds: float, attempt: Attempt) -> Tried:
    """Takes its time and scores x."""
    attempt.note("run", f"run {attempt.number}")
    with (folder / "begun").open("a") as file:
        file.write(f"{attempt.number}\n")
    time.sleep(seconds)
    with (folder / "done").open("a") as file:
        file.write(f"{attempt.number}\n")
    return Tried([attempt.values["x"]], seconds, pruned=False)


def main() -> None:
    storage, folder, trials, seconds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    search.WAIT_SECONDS = 0.2
    open_in(storage, folder, trials).run(partial(objective, folder, seconds), RunLog())


if __name__ == "__main__":
    main()
