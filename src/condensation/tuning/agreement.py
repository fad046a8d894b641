"""How well one way of scoring configurations agrees with another: rank correlations with intervals, and the regret."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from condensation.core.randomness import generator
from condensation.core.tuned import Agreement, Bounds, Checked

Statistic = Callable[[np.ndarray, np.ndarray], float]


def agreement(configurations: Sequence[Checked], *, resamples: int, seed: int) -> Agreement:
    """The agreement of the accuracies on the condensed set with those on the whole one."""
    mine = np.array([one.condensed_accuracy for one in configurations])
    whole = np.array([one.whole_accuracy for one in configurations])
    cheap, dear = (sum(getattr(one, f"{name}_seconds") for one in configurations) for name in ("condensed", "whole"))
    return Agreement(
        configurations=list(configurations),
        spearman=bounds(spearman, mine, whole, resamples=resamples, seed=seed),
        kendall=bounds(kendall, mine, whole, resamples=resamples, seed=seed),
        time_ratio=dear / cheap,
        seconds_saved=dear - cheap,
        regret=regret(mine, whole),
    )


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rank correlation of two lists of scores, (n,); 0 where one of them is constant."""
    return 0.0 if np.ptp(x) == 0 or np.ptp(y) == 0 else float(stats.spearmanr(x, y).statistic)


def kendall(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's tau-b of two lists of scores, (n,); 0 where one of them is constant."""
    return 0.0 if np.ptp(x) == 0 or np.ptp(y) == 0 else float(stats.kendalltau(x, y).statistic)


def regret(mine: np.ndarray, whole: np.ndarray) -> float:
    """What the choice of the highest in ``mine`` loses in ``whole`` against the highest there; ties count as worst."""
    chosen = whole[mine == mine.max()].min()
    return float(whole.max() - chosen)


def bounds(statistic: Statistic, x: np.ndarray, y: np.ndarray, *, resamples: int, seed: int) -> Bounds:
    """A statistic and its 95 % percentile interval over resampled pairs."""
    draws = generator(seed, "bootstrap").integers(0, len(x), (resamples, len(x)))
    values = [statistic(x[draw], y[draw]) for draw in draws]
    low, high = np.percentile(values, [2.5, 97.5])
    return Bounds(value=statistic(x, y), ci_low=float(low), ci_high=float(high))
