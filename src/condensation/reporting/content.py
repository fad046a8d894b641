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
    "else over the networks of the one set, and cut at 0 and 100."
)
GAIN = (
    "Gain over random is the difference from a random selection of the same size under the same judge and kind of "
    "labels, paired by seed."
)
MARKS = (
    "* the interval of the gain excludes zero",
    "** and the paired t test stays below 0.05 after Holm's correction for all comparisons of this report",
)
STUDIED = (
    "Methods under other parameters than their own, named as in params.yaml; differences are paired by seed. "
    "* the interval of the difference excludes zero, not corrected for the number of variants."
)
SEARCHED = (
    "Scores are of fresh networks on validation images, intervals 95 % over seeds. "
    "The best is the best of many tries on the same images, so it flatters"
)


@dataclass(frozen=True)
class Content:
    """Nothing is left to compute, only to write. headlines: none where no method of theirs was judged or asked for.

    leads: whether studies and searches come first, as where no comparison was asked for.
    """

    title: str
    leads: bool
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

    @property
    def introduction(self) -> str:
        """What the accuracies and gains are that the page shows; empty of a page of searches alone."""
        shown = ((INTRODUCTION, self.results or self.studies), (GAIN, self.results))
        return " ".join(text for text, tables in shown if tables)

    @property
    def about_searches(self) -> str:
        """What a search's scores are worth; only a page with a study shows results on the test set above them."""
        return f"{SEARCHED}; the test set, above, does not." if self.studies else f"{SEARCHED}."


def gather(
    title: str,
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
        title=title,
        leads=bool(studies or searches) and not expected,
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
