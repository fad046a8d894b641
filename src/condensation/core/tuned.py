"""What searches found, as the tune stage writes it and the report reads it."""

from typing import Any, Literal

from condensation.core.results import Record, Spread

State = Literal["complete", "pruned", "failed", "killed", "running", "waiting"]


class TriedTrial(Record):
    """One trial of a search.

    scores: validation accuracy in percent, one for each seed that it came to. seconds: what the whole trial took;
    cost: the second goal, mean seconds to make one set; both None where it did not come to an end.
    """

    number: int
    state: State
    values: dict[str, Any]
    scores: list[float]
    seconds: float | None = None
    cost: float | None = None

    @property
    def score(self) -> float | None:
        """The mean of the scores of a complete trial."""
        return sum(self.scores) / len(self.scores) if self.state == "complete" else None


class Search(Record):
    """What every search tells.

    goals: what was asked of a trial. seeds: over which each complete trial was scored. best: the parameters of the
    trial with the highest score; score: its spread over seeds on validation images, the best of many and so an
    optimist. own: the spread under the parameters as they were, gain: best less own, paired by seed; None where they
    lie outside the axes. importance: share of the score's variance that a parameter explains. front: the numbers of
    the trials that no other beats in both goals. seconds: of all trials together.
    """

    dataset: str
    method: str
    images_per_class: int
    goals: list[str]
    seeds: list[int]
    best: dict[str, Any]
    best_trial: int
    score: Spread
    own: Spread | None
    gain: Spread | None
    importance: dict[str, float]
    front: list[int]
    trials: list[TriedTrial]
    seconds: float
    hardware: str
    commit: str | None

    def count(self, state: State) -> int:
        """How many trials ended so."""
        return sum(trial.state == state for trial in self.trials)


class Bounds(Record):
    """A statistic with the ends of its 95 % bootstrap interval over configurations."""

    value: float
    ci_low: float
    ci_high: float


class Checked(Record):
    """One configuration, trained on the condensed set and on the whole one: validation accuracies and seconds."""

    trial: int
    values: dict[str, Any]
    condensed_accuracy: float
    condensed_seconds: float
    whole_accuracy: float
    whole_seconds: float


class Agreement(Record):
    """How well the condensed set ranks configurations.

    spearman, kendall (tau-b): of the accuracies on both sets. time_ratio: whole seconds for one condensed second.
    regret: points of accuracy, on the whole set, that the condensed set's choice lies below the best configuration.
    """

    configurations: list[Checked]
    spearman: Bounds
    kendall: Bounds
    time_ratio: float
    seconds_saved: float
    regret: float


class ProxySearch(Search):
    """A search of a network's parameters on a condensed set; method, size and sha256 are those of the set."""

    sha256: str
    set_seed: int
    agreement: Agreement | None = None
