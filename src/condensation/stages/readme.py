"""readme: write the benchmark's results into the README, from its metrics files alone."""

from collections.abc import Sequence
from pathlib import Path

from condensation.core.errors import InputError
from condensation.core.files import write_text
from condensation.reporting.readme import block, replaced
from condensation.reporting.records import Key, read_records


def write_readme(readme: Path, metrics: Path, expected: Sequence[Key]) -> None:
    """Replace what lies between the README's marks; the rest stays, and equal metrics give equal bytes."""
    if not readme.exists():
        raise InputError(f"{readme} does not exist; run from the project's root")
    write_text(readme, replaced(readme.read_text(), block(read_records(metrics), expected)))
