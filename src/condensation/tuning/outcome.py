"""From a study's trials to what is told of it."""

from collections.abc import Sequence
from typing import Any

from condensation.core.results import Spread
from condensation.core.tuned import TriedTrial
from condensation.tuning.axes import Values
from condensation.tuning.search import Study


def best_of(trials: Sequence[TriedTrial]) -> TriedTrial | None:
    """The complete trial with the highest score, the first of equals; None where none is complete."""
    complete = [trial for trial in trials if trial.state == "complete"]
    return max(complete, key=lambda trial: (trial.score, -trial.number), default=None)


def front(trials: Sequence[TriedTrial]) -> list[int]:
    """Numbers of the complete trials that no other beats in score and cost, the cheapest first."""
    complete = [trial for trial in trials if trial.score is not None and trial.cost is not None]
    found: list[TriedTrial] = []
    for trial in sorted(complete, key=lambda trial: (trial.cost, -(trial.score or 0.0), trial.number)):
        if not found or (trial.score or 0.0) > (found[-1].score or 0.0):
            found.append(trial)
    return [trial.number for trial in found]


def outcome(study: Study, seeds: Sequence[int], own: Values | None) -> dict[str, Any]:
    """The fields of a search's record that follow from its trials; RuntimeError where none is complete."""
    trials = study.tried()
    best = best_of(trials)
    if best is None:
        words = "; ".join(dict.fromkeys(study.errors())) or "they were killed or pruned"
        raise RuntimeError(f"none of the {len(trials)} trials of {study.name} is complete: {words}")
    as_it_was = next((t for t in trials if t.state == "complete" and t.values == own), None)
    pairs = [a - b for a, b in zip(best.scores, as_it_was.scores, strict=True)] if as_it_was else []
    return {
        "goals": list(study.params.goals),
        "seeds": list(seeds),
        "best": best.values,
        "best_trial": best.number,
        "score": Spread.of(best.scores),
        "own": Spread.of(as_it_was.scores) if as_it_was else None,
        "gain": Spread.of(pairs) if pairs else None,
        "importance": study.importance(),
        "front": front(trials) if len(study.params.goals) == 2 else [best.number],
        "trials": trials,
        "seconds": round(sum(trial.seconds or 0.0 for trial in trials), 3),
    }
