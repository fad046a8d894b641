"""Tables as plain values: what the page, the Markdown and the tests see of a comparison."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """One square of a table.

    text: never empty. number: what the square is sorted by, None sorts last. note: a smaller second line.
    mark: one of ``missing`` (said loudly), ``none`` (there is nothing to say), ``up``, ``down`` (interval excludes
    zero), ``surely-up``, ``surely-down`` (also after correction), ``head`` (names the row) or nothing.
    sources: numbers of the footnotes.
    """

    text: str
    number: float | None = None
    note: str = ""
    mark: str = ""
    sources: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.text:
            raise ValueError("a cell of the report must say something; use `missing` or `nothing`")


@dataclass(frozen=True)
class Table:
    """Columns and rows of cells; the first column names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    name: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.name}: {len(row)} cells for {len(self.columns)} columns")


@dataclass
class Footnotes:
    """Numbers the sources that a page quotes, in the order in which they are met."""

    texts: list[str] = field(default_factory=list)

    def number(self, text: str) -> int:
        """The number of a source, a new one when it is met for the first time."""
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def missing(text: str = "not run", note: str = "") -> Cell:
    """A number that should be here and is not."""
    return Cell(text, note=note, mark="missing")


def nothing(text: str = "–") -> Cell:
    """Nothing to expect here, and why, where that needs to be said."""
    return Cell(text, mark="none")


def head(text: str, number: float | None = None, note: str = "") -> Cell:
    """The name of a row."""
    return Cell(text, number, note, "head")
