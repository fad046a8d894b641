"""The comparison as Markdown: the tables of the page, with links to the figures beside it."""

from collections.abc import Iterable, Iterator, Sequence

from condensation.reporting.cells import Cell, Table
from condensation.reporting.content import INTRODUCTION, MARKS, Content
from condensation.reporting.headline import Headline
from condensation.reporting.ranked import ABOUT

STARS = {"up": " \\*", "down": " \\*", "surely-up": " \\*\\*", "surely-down": " \\*\\*"}
STUDIES = "Studies"
SEARCHES = "Searches"
SCORES = "Scores"


def markdown(content: Content) -> str:
    """The whole text, ending with a newline."""
    return "\n".join(_lines(content)) + "\n"


def _lines(content: Content) -> Iterator[str]:
    stars = "; ".join(MARKS).replace("*", "\\*")
    yield from ("# Comparison", "", INTRODUCTION, "", f"{stars}.")
    if content.absent:
        yield from ("", "## Missing", "", *((f"{content.progress}.", "") if content.progress else ()))
        yield from (f"- **{sentence}**" for sentence in content.absent)
    if content.headlines:
        yield from ("", "## Main table")
    for headline in content.headlines:
        yield from ("", f"### {headline.title}", "", *_headline(headline))
    for title, tables in (
        ("All results", content.results),
        (SCORES, content.scores),
        ("Other judges", content.other_judges),
        (STUDIES, content.studies),
        (SEARCHES, content.searches),
        ("Computational load", content.loads),
    ):
        if tables:
            yield from ("", f"## {title}")
        if tables and title == SCORES:
            yield from ("", ABOUT)
        for table in tables:
            yield from ("", f"### {table.name}", "", *_table(table))
    if content.drawings:
        yield from ("", "## Figures", "")
    yield from (f"- [{drawing.caption}](figures/{drawing.name}.png)" for drawing in content.drawings)
    yield from ("", "## Conditions", "")
    yield from (f"- {name}: {value}" for name, value in content.conditions)
    if content.footnotes.texts:
        yield from ("", "## Sources", "")
    yield from (f"{number}. {text}" for number, text in enumerate(content.footnotes.texts, 1))


def _row(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _table(table: Table) -> Iterator[str]:
    yield _row(table.columns)
    yield _row("---" for _ in table.columns)
    for cells in table.rows:
        yield _row(square(cell) for cell in cells)


def _headline(headline: Headline) -> Iterator[str]:
    yield _row(["", *headline.methods])
    yield _row("---" for _ in range(len(headline.methods) + 1))
    for line in headline.lines:
        yield _row([square(line.name), *(_stacked(headline.kinds, group) for group in line.methods)])


def _stacked(kinds: Sequence[str], cells: Sequence[Cell]) -> str:
    return "<br>".join(f"{kind}: {square(cell)}" for kind, cell in zip(kinds, cells, strict=True))


def square(cell: Cell) -> str:
    """A cell: bold where something is missing, stars for significance, its note in brackets, its sources in [ ]."""
    text = f"**{cell.text}**" if cell.mark == "missing" else cell.text
    note = f" ({cell.note})" if cell.note else ""
    sources = f" [{', '.join(map(str, cell.sources))}]" if cell.sources else ""
    return f"{text}{STARS.get(cell.mark, '')}{note}{sources}".replace("|", "\\|")
