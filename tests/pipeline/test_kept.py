"""A page keeps the pictures and sizes of its sets when the sets themselves are on another machine, and of no others."""

from pathlib import Path

import pytest
import report_files
from report_files import RANDOM, judged, save

from condensation.core.errors import InputError
from condensation.core.files import file_digest, write_json
from condensation.stages.report import compare
from condensation.tracking import NullTracker

CELL = "digits/random/ipc-10"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A judged set with its picture."""
    save(tmp_path, judged("random", RANDOM))
    report_files.save_condensed(tmp_path, "random")
    made = report_files.condensed_set("random")
    made.save(tmp_path / f"data/condensed/{CELL}/seed-0.npz")
    recorded(tmp_path, file_digest(tmp_path / f"data/condensed/{CELL}/seed-0.npz"))
    return tmp_path


def recorded(project: Path, digest: str) -> None:
    cell = report_files.made("random")
    seeds = [one.model_copy(update={"sha256": digest}) for one in cell.seeds]
    told = cell.model_copy(update={"seeds": seeds}).model_dump(mode="json")
    write_json(project / f"reports/metrics/condense/{CELL}.json", told)


def page(project: Path, condensed: str = "data/condensed") -> tuple[str, str]:
    """The comparison as text and as a page."""
    found = compare(project / "reports", project / condensed, [], NullTracker(), kept=project / "reports/sets")
    return found.with_suffix(".md").read_text(), found.read_text()


def test_a_page_is_the_same_where_its_sets_are_not(project: Path) -> None:
    text, whole = page(project)
    assert "Gallery: no picture" not in text
    assert page(project, "data/elsewhere") == (text, whole)
    assert page(project, "data/elsewhere") == (text, whole), "what was kept is kept"


def test_what_is_kept_of_another_set_is_removed(project: Path) -> None:
    page(project)
    recorded(project, "1" * 64)
    text, _ = page(project, "data/elsewhere")
    assert "- **Gallery: no picture of Digits Random 10 per class.**" in text
    assert not list((project / "reports/sets").rglob("*.*"))


def test_a_set_that_the_metrics_do_not_name_is_not_kept(project: Path) -> None:
    recorded(project, "1" * 64)
    page(project)
    assert not (project / "reports/sets").exists()


def test_a_record_without_its_picture_is_named(project: Path) -> None:
    page(project)
    (project / f"reports/sets/{CELL}.png").unlink()
    with pytest.raises(InputError, match=r"ipc-10\.png does not exist"):
        page(project, "data/elsewhere")
