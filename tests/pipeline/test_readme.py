"""The README's results come from the benchmark's metrics by a command, and the rest of the README stays."""

import shutil
from pathlib import Path

import pytest
from report_files import ASKED, RANDOM, judged, save

from condensation.core.errors import InputError
from condensation.core.files import write_json
from condensation.reporting.readme import BEGIN, END, NOTHING, block, replaced
from condensation.reporting.records import read_records
from condensation.reporting.unfinished import UnfinishedCell
from condensation.stages.readme import write_readme

TEXT = f"# A project\n\nwords | before\n\n{BEGIN}\nold numbers\n{END}\n\nwords after\n"


def test_a_second_run_changes_nothing_and_the_rest_is_kept(finished: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(TEXT)
    write_readme(readme, finished / "reports/metrics", ASKED)
    first = readme.read_bytes()
    write_readme(readme, finished / "reports/metrics", ASKED)
    assert readme.read_bytes() == first
    text = first.decode()
    assert text.startswith(TEXT.partition(BEGIN)[0] + BEGIN)
    assert text.endswith(END + TEXT.partition(END)[2])
    assert "old numbers" not in text


def test_the_block_says_what_was_measured(finished: Path) -> None:
    text = block(read_records(finished / "reports/metrics"), [*ASKED, ("mnist", "random", 50), ("mnist", "random", 1)])
    lines = text.splitlines()
    assert "| 10 per class | Digits |" in lines
    assert "| Random | 61.7 (54.1 to 69.3) |" in lines
    assert "| Herding | 70.7 (67.8 to 73.5)<br>+9.0 \\*\\* (+4.0 to +14.0) |" in lines
    assert "Not run yet at 10 per class: MPS2U." in lines
    assert "| Whole training set | 91.0 (78.3 to 100) |" in lines
    assert "Left out: not run yet: MNIST; 50 and 1 per class: not run yet." in lines
    assert "n = 6 (3 sets x 2 networks), seeds 0, 1 and 2" in lines[-1]
    assert "protocol `standard`, network `convnet`" in lines[-1]
    assert "two cores; commit abc1234." in lines[-1]


def test_soft_labels_and_other_judges_stay_out(tmp_path: Path) -> None:
    save(tmp_path, judged("random", RANDOM))
    save(tmp_path, judged("herding", RANDOM))
    save(tmp_path, judged("mps2u", RANDOM, label_kind="soft"))
    save(tmp_path, judged("random", {0: [99.0]}, protocol="paper"), "random/ipc-10-paper.json")
    text = block(read_records(tmp_path / "reports/metrics"), [("digits", "mps2u", 10)])
    assert "| MPS2U | not run |" in text
    assert "99" not in text


def test_what_did_not_finish_is_shown_as_such(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "reports/metrics", tmp_path / "metrics")
    about = {
        "dataset": "digits",
        "method": "mps2u",
        "images_per_class": 10,
        "state": "begun",
        "sets_made": 0,
        "sets": 3,
    }
    record = UnfinishedCell.model_validate({**about, "seconds": 0.0, "budget_seconds": 9.0})
    write_json(tmp_path / "metrics/unfinished/digits/mps2u/ipc-10.json", record.model_dump())
    assert "| MPS2U | not finished |" in block(read_records(tmp_path / "metrics"), ASKED)


def test_before_the_first_run_it_says_so(tmp_path: Path) -> None:
    assert block(read_records(tmp_path), ASKED) == NOTHING


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}\n{BEGIN}", TEXT + BEGIN])
def test_a_readme_without_its_marks_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="must hold the line"):
        replaced(text, "x")
