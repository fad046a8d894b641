"""The section ``tuning`` of params.yaml."""

from typing import Any, Literal

from pydantic import Field, field_validator

from condensation.core.params import Section, Seed
from condensation.tuning.axes import Axis

Goal = Literal["accuracy", "seconds"]


class PrunerParams(Section):
    """How hopeless trials are recognised.

    wilcoxon: the signed-rank test of a trial against the best, paired by seed, from ``after`` seeds on; a p value
    below ``p`` ends the trial. successive_halving (ASHA): after ``after`` seeds, then ``factor`` times as many, only
    the best of ``factor`` trials go on.
    """

    name: Literal["none", "wilcoxon", "successive_halving"]
    p: float = Field(0.2, gt=0, lt=1)
    after: int = Field(1, ge=1)
    factor: int = Field(2, ge=2)


class SearchParams(Section):
    """How long and by which rules is searched.

    trials: of the whole study, however many processes share it. startup: how many of them are random. seed: of the
    sampler. retries: how often a trial whose process died is taken up again. goals: accuracy, or accuracy and seconds;
    with two nothing is pruned.
    """

    trials: int = Field(ge=1)
    startup: int = Field(ge=0)
    seed: Seed
    retries: int = Field(ge=0)
    goals: list[Goal]
    pruner: PrunerParams

    @field_validator("goals")
    @classmethod
    def _accuracy_first(cls, goals: list[Goal]) -> list[Goal]:
        if goals not in (["accuracy"], ["accuracy", "seconds"]):
            raise ValueError("goals are [accuracy], or [accuracy, seconds]")
        return goals


class CheckParams(Section):
    """``--check``: how many configurations, and how many networks each, are trained on the whole training set.

    resamples: of the bootstrap.
    """

    configurations: int = Field(ge=3)
    networks: int = Field(ge=1)
    resamples: int = Field(ge=100)


class ProxyParams(SearchParams):
    """``--proxy``: the axes of the judge's protocol, what else is different from it, and the seeds of its networks."""

    judge: dict[str, Any]
    seeds: list[Seed] = Field(min_length=1)
    check: CheckParams
    axes: dict[str, Axis]


class DefaultSearch(Section):
    """What ``make tune`` searches."""

    dataset: str
    method: str
    images_per_class: int
    trials: int = Field(ge=1)


class TuningParams(SearchParams):
    """All of the section.

    seeds: a set is made and judged for each. judge: what is different from the judge's protocol on validation images.
    axes: by method.
    """

    default: DefaultSearch
    seeds: list[Seed] = Field(min_length=1)
    judge: dict[str, Any]
    axes: dict[str, dict[str, Axis]]
    proxy: ProxyParams
