"""Variants: kept apart from the methods, made once, compared in pairs."""

from pathlib import Path

import pytest
from report_files import judged, made, save, save_condensed
from scipy import stats

from condensation.core.errors import InputError
from condensation.core.files import write_json
from condensation.core.params import read_params
from condensation.reporting.ablation import ablations
from condensation.reporting.records import Records, read_records
from condensation.stages import ablate as stage
from condensation.stages.layout import Cell, Layout
from condensation.stages.report import report
from condensation.tracking import NullTracker

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml")
OWN = judged("mps2u", {0: [70.0, 72.0], 1: [75.0], 2: [80.0]})
OFF = judged("mps2u", {0: [66.0], 1: [69.0, 71.0], 2: [77.0]}, variant="agent-off")


def test_the_difference_is_paired_by_seed() -> None:
    found = Records((OWN,), {}, (OFF,))
    (table,) = ablations(found)
    assert table.name == "Digits, 10 per class, hard labels, protocol standard, network convnet"
    first, second = table.rows
    assert [cell.text for cell in first] == ["MPS2U", "as it is", "75.3", "baseline"]
    pairs = [66 - 71, 70 - 75, 77 - 80]
    half = stats.t.ppf(0.975, 2) * stats.sem(pairs)
    mean = sum(pairs) / 3
    assert second[3].number == pytest.approx(mean)
    assert second[3].note == f"−{-(mean - half):.1f} to −{-(mean + half):.1f}; 3 seeds"
    assert second[3].mark == "down"


def test_a_variant_whose_method_was_not_judged_says_so() -> None:
    (table,) = ablations(Records((), {}, (OFF,)))
    assert [row[3].text for row in table.rows] == ["baseline", "method not judged"]
    assert table.rows[0][2].text == "not judged"


def test_variants_do_not_enter_the_comparison(tmp_path: Path) -> None:
    for cell in (OWN, OFF, judged("random", {0: [50.0], 1: [51.0], 2: [52.0]})):
        save(
            tmp_path,
            cell,
            f"mps2u{'@agent-off' if cell.variant else ''}/ipc-10.json" if cell.method == "mps2u" else None,
        )
    save_condensed(tmp_path, "mps2u")
    variant = made("mps2u").model_copy(update={"variant": "agent-off"})
    write_json(
        tmp_path / "reports/metrics/condense/digits/mps2u@agent-off/ipc-10.json", variant.model_dump(mode="json")
    )
    found = read_records(tmp_path / "reports/metrics")
    assert [cell.method for cell in found.judged] == ["random", "mps2u"]
    assert [cell.variant for cell in found.variants] == ["agent-off"]
    assert found.condensed["digits", "mps2u", 10].variant == ""
    page = report(tmp_path, [], NullTracker())
    assert "## Ablations" in page.with_suffix(".md").read_text()
    assert "agent-off" in page.read_text()
    assert "agent-off" not in page.with_suffix(".csv").read_text()


@pytest.mark.parametrize("name", ["Agent", "a/b", "a@b", "a b"])
def test_a_variant_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="small letters"):
        Cell("digits", "mps2u", 10, name)


def test_each_is_made_and_judged_once_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []

    def step(layout: Layout, command: str, *words: str) -> None:
        ran.append((command, *words))
        if command in ("condense", "evaluate"):
            given = dict(zip(words[::2], words[1::2], strict=True))
            cell = Cell("digits", given["--method"], int(given["--images-per-class"]), given["--variant"])
            write_json(layout.metrics(command, cell), {})

    monkeypatch.setattr(stage, "step", step)
    layout = Layout(tmp_path)
    stage.ablate(layout, PARAMS, 10, ["mps2"], source="digits")
    shared = ("--dataset", "digits", "--method", "mps2", "--images-per-class", "10", "--variant")
    assert ran[:2] == [("fetch", "--dataset", "digits"), ("prepare", "--dataset", "digits")]
    assert ran[2:6] == [
        ("condense", *shared, ""),
        ("evaluate", *shared, ""),
        ("condense", *shared, "agent-off", "--agent", "off"),
        ("evaluate", *shared, "agent-off", "--agent", "off"),
    ]
    assert ("condense", *shared, "reward-agreement", "--environment.reward", "agreement") in ran
    assert ran[-2:] == [("report",), ("comparison",)]
    ran.clear()
    stage.ablate(layout, PARAMS, 10, ["mps2"], source="digits")
    assert [words[0] for words in ran] == ["fetch", "prepare", "report", "comparison"]
    with pytest.raises(InputError, match="other parameters"):
        stage.ablate(layout, {**PARAMS, "seeds": [7]}, 10, ["mps2"], source="digits")
