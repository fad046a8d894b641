"""From records to one table: a row for each result, the numbers of ``comparison.csv``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from condensation.core.judges import KERAS, parted
from condensation.core.results import CondensedCell, JudgedCell, Spread
from condensation.reporting.display import RANDOMS, WHOLE
from condensation.reporting.records import Key, Records
from condensation.reporting.scored import SCORES, Judged, score_columns
from condensation.reporting.storage import Sizes

IDENTITY = ["dataset", "method", "images_per_class", "label_kind", "protocol", "network"]
ACCURACY = ["accuracy_mean", "accuracy_std", "ci_low", "ci_high", "n", "seeds"]
GAIN = ["gain_over_random", "gain_ci_low", "gain_ci_high", "share_of_whole"]
COST = ["condense_seconds", "condense_cpu_seconds", "peak_memory_mb", "train_seconds"]
BESIDE = ["sets", "interval_over", "std_between_sets", "std_between_networks", "train_accuracy"]
PAIRED = ["gain_pairs", "gain_p", "gain_p_holm"]
MORE_COST = ["teacher_seconds", "judge_seconds", "judge_cpu_seconds", "judge_peak_memory_mb"]
COLUMNS = [*IDENTITY, *ACCURACY, *GAIN, *COST, *BESIDE, *PAIRED, *MORE_COST, *SCORES, "state"]
WORDS = {*IDENTITY, "n", "seeds", "sets", "interval_over", "gain_pairs", "cross_architecture_networks", "state"}
FINISHED, NOT_RUN, NO_DATA = "finished", "not run", "not run, no images"


def comparison(records: Records, stored: Mapping[Key, Sizes] | None = None) -> pd.DataFrame:
    """One row per judged cell, in the order of ``records``, with the columns ``COLUMNS``.

    stored: the bytes of each set's arrays, where the sets are at hand.
    Accuracies, deviations, intervals and gains are in percent, ``share_of_whole`` and DD-Ranking's scores are
    fractions, costs are seconds and MiB. What was not measured is NaN; ``state`` is ``FINISHED``, in every row.
    See ``accuracy_columns``, ``gain_columns``, ``cost_columns`` and ``scored.score_columns``.
    """
    judged, wholes = Judged(records.judged), [cell for cell in records.judged if cell.method == WHOLE]
    rows = []
    for cell in records.judged:
        identity = {name: getattr(cell, name) for name in IDENTITY}
        key = (cell.dataset, cell.method, cell.images_per_class or 0)
        gain = gain_columns(cell, judged.random(cell))
        costs = cost_columns(cell, records.making(cell))
        scores = score_columns(cell, judged, _judged_likewise(cell, wholes), (stored or {}).get(key))
        beside = {"share_of_whole": _share(cell, wholes), "state": FINISHED}
        rows.append({**identity, **accuracy_columns(cell), **gain, **costs, **scores, **beside})
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["gain_p_holm"] = holm(table["gain_p"].to_numpy(np.float64))
    table["images_per_class"] = table["images_per_class"].astype("Int64")
    for name in set(COLUMNS) - WORDS:
        table[name] = table[name].astype(np.float64)
    check(table)
    return table


def accuracy_columns(cell: JudgedCell) -> dict[str, Any]:
    """Mean, deviation and 95 % interval of a cell's accuracy, and what they are taken over.

    With several sets, the sets are the independent units: networks are averaged within each set, and deviation and
    Student's t interval are those of the set means (``interval_over`` is ``sets``). With one set, the networks are
    the units. ``n`` counts all networks, ``sets`` the sets, ``seeds`` names the sets. ``std_between_networks`` is
    the deviation of networks trained on the same set, pooled over sets.
    """
    means = cell.set_means()
    several = len(means) > 1
    spread = cell.spread()
    return {
        "accuracy_mean": spread.mean,
        "accuracy_std": spread.std,
        "ci_low": spread.ci_low,
        "ci_high": spread.ci_high,
        "n": len(cell.judgements),
        "seeds": " ".join(map(str, means)),
        "sets": len(means),
        "interval_over": "sets" if several else "networks",
        "std_between_sets": spread.std if several else None,
        "std_between_networks": _within(cell),
        "train_accuracy": float(np.mean([j.train_accuracy for j in cell.judgements])),
    }


def _within(cell: JudgedCell) -> float | None:
    means = cell.set_means()
    freedom = len(cell.judgements) - len(means)
    squares = sum((j.accuracy - means[j.set_seed]) ** 2 for j in cell.judgements)
    return float(np.sqrt(squares / freedom)) if freedom else None


def gain_columns(cell: JudgedCell, random: JudgedCell | None) -> dict[str, Any]:
    """The paired gain over random: the difference of set means for each seed that both have, its mean and interval.

    The 95 % interval is Student's t over seeds, ``gain_p`` the two-sided paired t test. The random sets themselves,
    the whole training set and a cell without a random one of the same data set, size, labels and judge have no gain.
    """
    if random is None or cell.method in (*RANDOMS.values(), WHOLE):
        return {"gain_pairs": 0}
    spread = cell.gain_over(random)
    if spread is None:
        return {"gain_pairs": 0}
    return {
        "gain_over_random": spread.mean,
        "gain_ci_low": spread.ci_low,
        "gain_ci_high": spread.ci_high,
        "gain_pairs": spread.n,
        "gain_p": _paired_p(spread),
    }


def _paired_p(spread: Spread) -> float | None:
    """Two-sided p of a mean difference of zero; None where the differences do not vary and so tell no error."""
    if spread.std is None or spread.std == 0:
        return None
    return float(2 * stats.t.sf(abs(spread.mean) / (spread.std / np.sqrt(spread.n)), spread.n - 1))


def without_result(records: Records, expected: Sequence[Key]) -> pd.DataFrame:
    """Rows of ``COLUMNS`` for what was asked for, or begun, and has no result: ``state`` says so, and n is 0."""
    rows, judged = [], records.judged_keys()
    for key in dict.fromkeys([*expected, *records.unfinished]):
        found = records.unfinished.get(key)
        state = f"not finished: {found.words()}" if found else NO_DATA if key[0] in records.absent else NOT_RUN
        if key not in judged:
            rows.append((*key, state))
    names = ["dataset", "method", "images_per_class", "state"]
    none = {"n": 0, "sets": 0, "gain_pairs": 0}
    return pd.DataFrame(rows, columns=names).assign(**none).reindex(columns=COLUMNS)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's correction of p values float (n,) for being many; NaN stays NaN and is not counted."""
    adjusted = np.full(len(p), np.nan)
    order = [i for i in np.argsort(p, kind="stable") if not np.isnan(p[i])]
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * float(p[i])))
        adjusted[i] = largest
    return adjusted


def cost_columns(cell: JudgedCell, made: CondensedCell | None) -> dict[str, Any]:
    """What condensing one set took, averaged over seeds (peak memory: the largest), and what judging took.

    ``condense_seconds`` include the teacher's. ``train_seconds`` is for one network.
    """
    judging = {
        "train_seconds": float(np.mean([j.seconds for j in cell.judgements])),
        "judge_seconds": cell.cost.seconds,
        "judge_cpu_seconds": cell.cost.cpu_seconds,
        "judge_peak_memory_mb": cell.cost.peak_memory_mb,
    }
    if made is None or not made.seeds:
        return judging
    return {
        **judging,
        "condense_seconds": float(np.mean([s.cost.seconds + s.teacher_seconds for s in made.seeds])),
        "condense_cpu_seconds": float(np.mean([s.cost.cpu_seconds for s in made.seeds])),
        "peak_memory_mb": max(s.cost.peak_memory_mb for s in made.seeds),
        "teacher_seconds": float(np.mean([s.teacher_seconds for s in made.seeds])),
    }


def _by_protocol(cell: JudgedCell, wholes: Sequence[JudgedCell]) -> dict[str, JudgedCell]:
    """The whole training set judged with the cell's network, by protocol and condition."""
    return {w.protocol: w for w in wholes if (w.dataset, w.network) == (cell.dataset, cell.network)}


def _judged_likewise(cell: JudgedCell, wholes: Sequence[JudgedCell]) -> JudgedCell | None:
    """The whole training set under the cell's protocol and condition, else under the protocol without a condition."""
    same = _by_protocol(cell, wholes)
    return same.get(cell.protocol) or same.get(parted(cell.protocol)[0])


def _share(cell: JudgedCell, wholes: Sequence[JudgedCell]) -> float | None:
    """The share of the whole set's accuracy as judged likewise, else under the only protocol there is."""
    same = _by_protocol(cell, wholes)
    only = next(iter(same.values())) if len(same) == 1 else None
    whole = _judged_likewise(cell, wholes) or only
    if whole is None:
        return None
    mean = float(np.mean(list(whole.set_means().values())))
    return float(np.mean(list(cell.set_means().values()))) / mean if mean else None


def check(table: pd.DataFrame) -> None:
    """ValueError unless each result has one row, every accuracy is possible and lies in its interval."""
    faults: Mapping[str, Any] = {
        "results that appear twice": table.duplicated(IDENTITY),
        "accuracies outside 0..100": ~table["accuracy_mean"].between(0, 100),
        "means outside their interval": (table["ci_low"] > table["accuracy_mean"])
        | (table["ci_high"] < table["accuracy_mean"]),
        "gains outside their interval": (table["gain_ci_low"] > table["gain_over_random"])
        | (table["gain_ci_high"] < table["gain_over_random"]),
        "results without a network": table["n"] < 1,
        "fewer networks than sets": table["n"] < table["sets"],
        "negative costs": (table[COST] < 0).any(axis=1),
    }
    for fault, rows in faults.items():
        if rows.any():
            raise ValueError(f"comparison table: {fault}:\n{table.loc[rows, IDENTITY].to_string()}")


def headline_judge(table: pd.DataFrame) -> tuple[str, str] | None:
    """The (protocol, network) that judged most cells, the first by name among equals; None for an empty table.

    A protocol under a condition and the Keras judge are cross-checks; they lead only where nothing else judged.
    """
    counts = table.groupby(["protocol", "network"]).size()

    def rank(judge: tuple[str, str]) -> tuple[bool, int, tuple[str, str]]:
        protocol, condition = parted(judge[0])
        return bool(condition) or protocol == KERAS, -counts[judge], judge

    return min(counts.index, key=rank) if len(counts) else None
