"""Everything that the page and the Markdown say, gathered once from the records."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from condensation.reporting.cells import Footnotes, Table
from condensation.reporting.details import (
    absent,
    conditions,
    datasets,
    load_table,
    present,
    progress,
    results_table,
    unseen,
)
from condensation.reporting.display import protocol_name
from condensation.reporting.figures import Drawing
from condensation.reporting.gallery import Picture
from condensation.reporting.headline import MAIN_METHODS, Headline, Results, headlines
from condensation.reporting.ranked import scores_table
from condensation.reporting.records import Key, Records

INTRODUCTION = (
    "Accuracy is that of fresh networks on test data, in percent: each is trained on a condensed set alone. "
    "Intervals are 95 %, Student's t, over sets where there are several (their networks averaged first), "
    "else over the networks of the one set, and cut at 0 and 100. "
    "Gain over random is the difference from a random selection of the same size under the same judge and kind of "
    "labels, paired by seed."
)
MARKS = (
    "* the interval of the gain excludes zero",
    "** and the paired t test stays below 0.05 after Holm's correction for all comparisons of this report",
)


@dataclass(frozen=True)
class Content:
    """Nothing is left to compute, only to write. headlines: none where no method of theirs was judged or asked for."""

    headlines: Sequence[Headline]
    absent: Sequence[str]
    progress: str
    results: Sequence[Table]
    scores: Sequence[Table]
    other_judges: Sequence[Table]
    studies: Sequence[Table]
    searches: Sequence[Table]
    loads: Sequence[Table]
    drawings: Sequence[Drawing]
    pictures: Sequence[Picture]
    conditions: Sequence[tuple[str, str]]
    footnotes: Footnotes


def gather(
    records: Records,
    table: pd.DataFrame,
    results: Results,
    expected: Sequence[Key],
    drawings: Sequence[Drawing],
    pictures: Sequence[Picture],
    studies: Sequence[Table] = (),
    searches: Sequence[Table] = (),
    told: Sequence[tuple[str, str]] = (),
) -> Content:
    """The content of a comparison whose headline judge is that of ``results``; told: further conditions."""
    notes = Footnotes()
    shown = present(records, expected)
    names = datasets(table, shown)
    methods = {row["method"] for row in results.rows} | {method for _, method, _ in expected}
    return Content(
        headlines=headlines(results, notes) if methods & MAIN_METHODS.keys() else (),
        absent=[*absent(records, expected), *unseen(records, [picture.key for picture in pictures])],
        progress=progress(records, expected),
        results=[results_table(name, results, shown, notes) for name in names],
        scores=[found for name in names if (found := scores_table(name, results))],
        other_judges=_other_judges(table, results, notes),
        studies=studies,
        searches=searches,
        loads=[found for name in names if (found := load_table(results, name))],
        drawings=drawings,
        pictures=pictures,
        conditions=[*conditions(records, results, expected), *told],
        footnotes=notes,
    )


def _other_judges(table: pd.DataFrame, results: Results, notes: Footnotes) -> list[Table]:
    """The results under every protocol and network but the headline's, a table each."""
    found = []
    for judge in sorted(set(zip(table["protocol"], table["network"], strict=True)) - {results.judge}):
        theirs = Results(table, judge)
        for name in datasets(pd.DataFrame(theirs.rows), []):
            plain = results_table(name, theirs, [], notes)
            found.append(
                Table(
                    plain.columns, plain.rows, f"{plain.name}, protocol {protocol_name(judge[0])}, network {judge[1]}"
                )
            )
    return found
