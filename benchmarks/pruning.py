"""Time of a search with pruning against one without, at equal best score.

Run from the project's root: ``python benchmarks/pruning.py [FOLDER]``. A pool of configurations of distribution
matching on digits (the first is params.yaml's own, the others are drawn at random from its axes) is made and judged for
every seed, once, and timed. Every search then walks through the pool in an order of its own, once without and once with
each pruner, and asks the pruner, by the search's own code, after each seed; what it skips costs nothing. So both sides
see the same scores and seconds, and many orders cost no more than one.

``speedup``: seconds without pruning for one second with, over the orders whose best trial scores as high as without,
``equal`` their share. ``lost``: points of validation accuracy that the best loses, over all orders. The last line is a
JSON object, whose ``speedup`` is that of params.yaml's pruner. Finished scores are kept in FOLDER.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import optuna

from condensation.core.files import read_json, write_json
from condensation.core.params import read_params, section
from condensation.core.randomness import generator
from condensation.core.runlog import RunLog
from condensation.stages.layout import Cell, Layout
from condensation.stages.process import digest_of
from condensation.stages.tune import Examination, make, prepare, protocol_of, score_set
from condensation.stages.workers import Worker
from condensation.tuning.axes import Axis, Values, own_values, with_values
from condensation.tuning.outcome import best_of
from condensation.tuning.plan import PrunerParams, TuningParams
from condensation.tuning.search import Attempt, Tried, open_study
from condensation.tuning.storage import Storage

CELL = Cell("digits", "distribution_matching", 1)
CONFIGURATIONS, ORDERS, SEEDS = 12, 20, [0, 1, 2, 3]
PRUNERS = {
    "wilcoxon p < 0.3 from 2 seeds": {"name": "wilcoxon", "p": 0.3, "after": 2},
    "wilcoxon p < 0.2 from 3 seeds": {"name": "wilcoxon", "p": 0.2, "after": 3},
    "successive halving from 1 seed": {"name": "successive_halving", "after": 1, "factor": 2},
}
NONE = {"name": "none"}

Row = dict[str, list[float]]
"""Scores and seconds of one configuration, by seed."""


def draw(axis: Axis, rng: np.random.Generator) -> Any:
    if axis.choices is not None:
        return axis.choices[rng.integers(len(axis.choices))]
    assert axis.low is not None
    assert axis.high is not None
    low, high = np.log([axis.low, axis.high]) if axis.log else (axis.low, axis.high)
    value = float(np.exp(rng.uniform(low, high)) if axis.log else rng.uniform(low, high))
    return round(value) if axis.whole else value


def pool(tree: Mapping[str, Any]) -> list[Values]:
    plan, own = section(tree, "tuning", TuningParams), tree["methods"][CELL.method]
    axes, rng = plan.axes[CELL.method], generator(0, "pool")
    first = own_values(own, axes, CELL.dataset)
    assert first is not None
    return [first, *({name: draw(axis, rng) for name, axis in axes.items()} for _ in range(CONFIGURATIONS - 1))]


def measured(folder: Path, tree: dict[str, Any]) -> list[Row]:
    """Scores and seconds of the pool, as far as they are not in the folder already."""
    layout, plan = Layout(folder), section(tree, "tuning", TuningParams)
    prepare(layout, tree, CELL, CELL.dataset)
    examination = Examination(folder, CELL.dataset, protocol_of(tree, plan.judge), tree["judge"]["seed"])
    rows = []
    worker = Worker(folder / "worker.log")
    for place, values in enumerate(pool(tree)):
        changed = {**tree, "methods": {CELL.method: with_values(tree["methods"][CELL.method], values, CELL.dataset)}}
        path = folder / "scores" / f"{place}-{digest_of(changed['methods'], examination.protocol, SEEDS)}.json"
        if not path.exists():
            write_json(path, row(worker, layout, changed, examination))
        rows.append(read_json(path))
        print(f"configuration {place + 1} of {CONFIGURATIONS}: {np.mean(rows[-1]['scores']):.2f} %", flush=True)
    worker.stop()
    return rows


def row(worker: Worker, layout: Layout, tree: dict[str, Any], examination: Examination) -> Row:
    found: Row = {"scores": [], "seconds": []}
    for seed in SEEDS:
        begin = perf_counter()
        made = worker.call(make, layout, tree, CELL, seed)
        found["scores"].append(float(np.mean(worker.call(score_set, examination, made.file, seed))))
        found["seconds"].append(perf_counter() - begin)
    return found


class Walk(NamedTuple):
    """A search's seconds, best score and number of pruned trials."""

    seconds: float
    best: float
    pruned: int


def replay(rows: list[Row], pruner: Mapping[str, Any]) -> Walk:
    """A search that meets these rows one after the other."""
    spent: list[float] = []

    def objective(attempt: Attempt) -> Tried:
        seen: list[float] = []
        for step, score in enumerate(rows[attempt.number]["scores"]):
            seen.append(score)
            spent.append(rows[attempt.number]["seconds"][step])
            if attempt.report(step, score):
                break
        return Tried(seen, 1.0, pruned=len(seen) < len(SEEDS))

    params = section(read_params(Path("params.yaml")), "tuning", TuningParams).model_copy(
        update={"pruner": PrunerParams.model_validate(pruner), "trials": len(rows), "goals": ["accuracy"]}
    )
    study = open_study(
        "replay",
        Storage(optuna.storages.InMemoryStorage(), nullcontext),
        {"place": Axis(low=0.0, high=1.0)},
        params.model_copy(update={"startup": len(rows)}),
        settings={},
        own=None,
        restart=False,
        on_killed=lambda notes: None,
    )
    study.run(objective, RunLog())
    trials = study.tried()
    best = best_of(trials)
    assert best is not None
    assert best.score is not None
    return Walk(sum(spent), best.score, sum(trial.state == "pruned" for trial in trials))


def compare(rows: list[Row], pruner: Mapping[str, Any]) -> dict[str, Any]:
    orders = [generator(order, "order").permutation(len(rows)) for order in range(ORDERS)]
    walks = [[replay([rows[place] for place in order], which) for which in (NONE, pruner)] for order in orders]
    equal = [(plain, pruned) for plain, pruned in walks if plain.best - pruned.best < 1e-9]
    return {
        "speedup": ratio(equal),
        "equal": len(equal) / len(walks),
        "speedup_of_all": ratio(walks),
        "lost": round(float(np.mean([plain.best - pruned.best for plain, pruned in walks])), 3),
        "pruned": float(np.mean([pruned.pruned for _, pruned in walks])),
    }


def ratio(walks: Sequence[Sequence[Walk]]) -> float | None:
    """Seconds without pruning for one with; None where there is no walk."""
    plain, pruned = (sum(walk[side].seconds for walk in walks) for side in (0, 1))
    return round(plain / pruned, 3) if pruned else None


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder, tree = Path(sys.argv[1] if len(sys.argv) > 1 else ".condense/pruning"), read_params(Path("params.yaml"))
    rows = measured(folder, tree)
    seconds = sum(sum(one["seconds"]) for one in rows)
    found = {name: compare(rows, pruner) for name, pruner in PRUNERS.items()}
    for name, result in found.items():
        print(f"{name}: {result}", flush=True)
    own = section(tree, "tuning", TuningParams).pruner
    mine = next((name for name, pruner in PRUNERS.items() if PrunerParams.model_validate(pruner) == own), None)
    report = {
        "speedup": found[mine]["speedup"] if mine else None,
        "pruner": mine,
        "configurations": CONFIGURATIONS,
        "seeds": len(SEEDS),
        "orders": ORDERS,
        "seconds_without_pruning": round(seconds, 1),
        "pruners": found,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
