"""The comparison as Markdown: the tables of the page, with links to the figures beside it."""

from collections.abc import Iterable, Iterator, Sequence

from condensation.reporting.cells import Cell, Table
from condensation.reporting.content import MARKS, STUDIED, Content
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
    yield f"# {content.title}"
    if content.introduction:
        yield from ("", content.introduction)
    if content.results:
        yield from ("", f"{stars}.")
    asked = ((STUDIES, content.studies), (SEARCHES, content.searches))
    if content.leads:
        yield from _sections(asked, content)
    if content.absent:
        yield from ("", "## Missing", "", *((f"{content.progress}.", "") if content.progress else ()))
        yield from (f"- **{sentence}**" for sentence in content.absent)
    if content.headlines:
        yield from ("", "## Main table")
    for headline in content.headlines:
        yield from ("", f"### {headline.title}", "", *_headline(headline))
    results = (("All results", content.results), (SCORES, content.scores), ("Other judges", content.other_judges))
    loads = (("Computational load", content.loads),)
    yield from _sections((*results, *(() if content.leads else asked), *loads), content)
    if content.drawings:
        yield from ("", "## Figures", "")
    yield from (f"- [{drawing.caption}](figures/{drawing.name}.png)" for drawing in content.drawings)
    yield from ("", "## Conditions", "")
    yield from (f"- {name}: {value}" for name, value in content.conditions)
    if content.footnotes.texts:
        yield from ("", "## Sources", "")
    yield from (f"{number}. {text}" for number, text in enumerate(content.footnotes.texts, 1))


def _sections(sections: Iterable[tuple[str, Sequence[Table]]], content: Content) -> Iterator[str]:
    """The sections that have tables, each after what there is to say about it."""
    about = {SCORES: ABOUT, STUDIES: STUDIED.replace("*", "\\*"), SEARCHES: content.about_searches}
    for title, tables in sections:
        if tables:
            yield from ("", f"## {title}", *(("", about[title]) if title in about else ()))
        for table in tables:
            yield from ("", f"### {table.name}", "", *_table(table))


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
