"""The benchmark's results as the README shows them: a table for each size, between two marks, and its conditions."""

from collections.abc import Sequence

from condensation.core.errors import InputError
from condensation.core.results import CondensedCell, JudgedCell
from condensation.reporting.details import gain_cell, idle
from condensation.reporting.display import (
    WHOLE,
    dataset_name,
    dataset_order,
    interval,
    known,
    listed,
    method_name,
    method_order,
    percent,
    signed_interval,
)
from condensation.reporting.headline import Results, Row
from condensation.reporting.markdown import STARS
from condensation.reporting.records import Key, Records
from condensation.reporting.table import comparison, headline_judge

BEGIN = "<!-- benchmark: from here to the next mark `make readme` writes, and nobody else -->"
END = "<!-- benchmark: end -->"
NOTHING = "The benchmark has not been run yet: `make benchmark` runs it, `make readme` writes its results here."
WORDS = (
    "Accuracy in percent of fresh networks trained on the condensed set alone, on the real test sets, with its 95 % "
    "interval; beneath it the gain over a random selection of the same size, paired by seed.",
    "\\* the interval of the gain excludes zero; \\*\\* and the paired t test stays below 0.05 after Holm's correction",
)


def replaced(text: str, block: str) -> str:
    """``text`` with what lies between the marks replaced by ``block``; InputError unless each mark is there once."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise InputError(f"the README must hold the line {BEGIN!r} once and {END!r} once after it")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{rest.partition(END)[2]}"


def block(records: Records, expected: Sequence[Key]) -> str:
    """The Markdown between the marks: hard labels under the judge that judged most cells, from the records alone."""
    table = comparison(records)
    results = Results(table, headline_judge(table), records.unfinished, expected)
    sizes = sorted({size for _, size in results.places()} | {key[2] for key in records.unfinished}, reverse=True)
    if not sizes:
        return NOTHING
    parts = [WORDS[0], *(_table(results, records, expected, size) for size in sizes), WORDS[1]]
    return "\n\n".join([*parts, *_absent(records, expected, sizes), _conditions(records, results)])


def _table(results: Results, records: Records, expected: Sequence[Key], size: int) -> str:
    """A row for each method that is begun, a column for each data set; the last row is the whole training set.

    A sentence beneath names the methods that are not begun.
    """
    keys = {key for key in (*expected, *records.judged_keys(), *records.unfinished) if key[2] == size}
    begun = {key for key in (*records.judged_keys(), *records.unfinished) if key[2] == size}
    datasets = sorted({key[0] for key in begun}, key=dataset_order)
    methods = sorted({key[1] for key in keys if key[0] in datasets}, key=method_order)
    lines = [[f"{size} per class", *map(dataset_name, datasets)], ["---"] * (1 + len(datasets))]
    ran = {key[1] for key in begun}
    for method in [*(method for method in methods if method in ran), WHOLE]:
        at = 0 if method == WHOLE else size
        lines.append([method_name(method), *(_square(results, dataset, method, at) for dataset in datasets)])
    table, later = "\n".join(f"| {' | '.join(line)} |" for line in lines), [m for m in methods if m not in ran]
    return f"{table}\n\nNot run yet at {size} per class: {listed(map(method_name, later))}." if later else table


def _square(results: Results, dataset: str, method: str, size: int) -> str:
    row = results.find(dataset, method, size)
    return results.lost(dataset, method, size).text if row is None else _accuracy(row) + _gain(row)


def _accuracy(row: Row) -> str:
    ends = f" ({interval(row['ci_low'], row['ci_high'])})" if known(row["ci_low"]) else ""
    return percent(row["accuracy_mean"]) + ends


def _gain(row: Row) -> str:
    if not known(row["gain_over_random"]):
        return ""
    cell = gain_cell(row)
    ends = f" ({signed_interval(row['gain_ci_low'], row['gain_ci_high'])})" if known(row["gain_ci_low"]) else ""
    return f"<br>{cell.text}{STARS.get(cell.mark, '')}{ends}"


def _absent(records: Records, expected: Sequence[Key], sizes: Sequence[int]) -> list[str]:
    """A paragraph on what the tables leave out, if there is any."""
    later = sorted((dataset for dataset, _ in idle(records, expected)), key=dataset_order)
    small = sorted({key[2] for key in expected} - set(sizes), reverse=True)
    parts = [f"not run yet: {listed(map(dataset_name, later))}"] if later else []
    parts += [f"{listed(map(str, small))} per class: not run yet"] if small else []
    gone = sorted(records.absent, key=dataset_order)
    parts += [f"without images here: {listed(map(dataset_name, gone))}"] if gone else []
    return [f"Left out: {'; '.join(parts)}."] if parts else []


def _conditions(records: Records, results: Results) -> str:
    """Of hard labels under the headline's judge: n, sets, networks, protocol, hardware and commits."""
    judged = [c for c in records.judged if (c.protocol, c.network) == results.judge and c.label_kind == "hard"]
    sets = [c for c in judged if c.method != WHOLE]
    cells: list[JudgedCell | CondensedCell] = [*judged, *records.condensed.values()]
    counts = sorted({(len(c.judgements), len(c.set_means())) for c in sets})
    n = listed(f"{n} ({of} sets x {n // of} networks)" for n, of in counts)
    seeds = listed(str(s) for s in sorted({j.set_seed for c in sets for j in c.judgements}))
    protocol, network = results.judge or ("none", "none")
    precisions = listed(sorted({c.precision for c in judged}))
    commits = sorted({_short(c.commit) for c in cells if c.commit})
    return (
        f"Conditions: hard labels, protocol `{protocol}`, network `{network}`, products in {precisions}, n = {n}, "
        f"seeds {seeds}, Student's t over the sets; "
        f"{'; '.join(sorted({c.hardware for c in cells})) or 'hardware not recorded'}; "
        f"{'commits' if len(commits) > 1 else 'commit'} {listed(commits) if commits else 'not recorded'}. "
        "All of it, with costs, versions and pictures: [reports/benchmark](reports/benchmark/comparison.md)."
    )


def _short(commit: str) -> str:
    name, _, dirty = commit.partition(" ")
    return f"{name[:7]} {dirty}".strip()
