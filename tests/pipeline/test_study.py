"""Variants: kept apart from the methods, made once, compared in pairs."""

from pathlib import Path
from typing import Any

import pytest
from report_files import judged, made, save, save_condensed
from scipy import stats

from condensation.core.errors import InputError
from condensation.core.files import write_json
from condensation.core.params import check, read_params
from condensation.reporting.records import Records, read_records
from condensation.reporting.studies import factors, studies
from condensation.stages import study as stage
from condensation.stages.layout import Cell, Layout
from condensation.stages.report import report, show
from condensation.stages.study import StudyParams
from condensation.tracking import NullTracker

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml")
OWN = judged("mps2u", {0: [70.0, 72.0], 1: [75.0], 2: [80.0]})
OFF = judged("mps2u", {0: [66.0], 1: [69.0, 71.0], 2: [77.0]}, variant="agent-off")


def test_the_difference_is_paired_by_seed() -> None:
    found = Records((OWN,), {}, (OFF,))
    (table,) = studies(found)
    assert table.name == "Digits, 10 per class, hard labels, protocol standard, network convnet"
    first, second = table.rows
    assert [cell.text for cell in first] == ["MPS2U", "as it is", "75.3", "baseline", "not recorded"]
    assert first[2].note.endswith("; 3 sets, 4 networks")
    pairs = [66 - 71, 70 - 75, 77 - 80]
    half = stats.t.ppf(0.975, 2) * stats.sem(pairs)
    mean = sum(pairs) / 3
    assert second[3].number == pytest.approx(mean)
    assert second[3].note == f"−{-(mean - half):.1f} to −{-(mean + half):.1f}; 3 seeds"
    assert second[3].mark == "down"


def test_a_variant_whose_method_was_not_judged_says_so() -> None:
    (table,) = studies(Records((), {}, (OFF,)))
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["MPS2U", "agent-off", "71.0", "method not judged", "not recorded"]
    ]


def test_where_no_method_was_judged_as_it_is_random_images_stand_in_its_place() -> None:
    floor = judged("random", {0: [60.0], 1: [61.0], 2: [65.0]})
    (table,) = studies(Records((floor,), {}, (OFF,)))
    assert table.columns[3] == "Difference from random"
    first, second = table.rows
    assert [cell.text for cell in first] == ["Random", "as it is", "62.0", "baseline", "not recorded"]
    assert second[3].number == pytest.approx((6 + 9 + 12) / 3)
    (table,) = studies(Records((floor, OWN), {}, (OFF,)))
    assert table.columns[3] == "Difference from the method's own"
    assert [row[0].text for row in table.rows] == ["MPS2U", "MPS2U"]


def test_variants_that_combine_two_choices_are_shown_one_down_and_the_other_across() -> None:
    floor = judged("random", {0: [60.0], 1: [61.0], 2: [65.0]})
    scores = {"lenet-dqn": 70.0, "lenet-agent-off": 62.0, "vgg11-dqn": 66.0, "vgg11-agent-off": 50.0}
    rows = [judged("mps_o", {s: [value + s] for s in range(3)}, variant=name) for name, value in scores.items()]
    crossed, every = studies(Records((floor,), {}, tuple(rows)))
    assert crossed.name == f"{every.name}: MPS-o, with the difference from random"
    assert crossed.columns == ("Variant", "dqn", "agent-off")
    texts = [[cell.text for cell in row] for row in crossed.rows]
    assert texts == [["lenet", "71.0", "63.0"], ["vgg11", "67.0", "51.0"]]
    best, _ = crossed.rows[0][1:]
    assert best.note == f"{every.rows[1][3].text} ({every.rows[1][3].note})"
    assert [cell.mark for row in crossed.rows for cell in row[1:]] == ["up", "", "up", "down"]
    assert len(every.rows) == 5
    (alone,) = studies(Records((floor,), {}, tuple(rows[:3])))
    assert len(alone.rows) == 4, "three of four combinations"


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["a-x", "a-y", "b-x", "b-y"], (["a", "b"], ["x", "y"])),
        (["a-on-x", "a-on-y", "a-off-x", "a-off-y"], (["a-on", "a-off"], ["x", "y"])),
        (["a-p-x", "b-p-x", "c-p-x", "a-q-x", "b-q-x", "c-q-x"], (["a", "b", "c"], ["p-x", "q-x"])),
        (["a-x", "a-y", "b-x"], None),
        (["agent-off", "reward-gain"], None),
        (["steps"], None),
        ([], None),
    ],
)
def test_names_are_taken_apart_where_they_are_every_combination(names: list[str], wanted: object) -> None:
    assert factors(names) == wanted


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
    assert found.making(OWN) == made("mps2u")
    assert found.making(OFF) == variant
    ((_, off),) = (table.rows for table in studies(found))
    assert off[4].number == 20.0, "the mean of 10, 30 and 20 seconds"
    page = report(tmp_path, [("digits", "mps2u", 10)], NullTracker())
    text = page.with_suffix(".md").read_text()
    assert "<title>Comparison: Digits" in page.read_text()
    assert text.index("## Main table") < text.index("## Studies")
    page = report(tmp_path, [], NullTracker())
    text = page.with_suffix(".md").read_text()
    assert "<title>Study: Digits" in page.read_text()
    assert page.read_text().index('<section id="studies">') < page.read_text().index('<section id="main">')
    assert text.index("## Studies") < text.index("## Main table")
    assert "agent-off" in page.read_text()
    assert "agent-off" not in page.with_suffix(".csv").read_text()


@pytest.mark.parametrize("name", ["Agent", "a/b", "a@b", "a b"])
def test_a_variant_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="small letters"):
        Cell("digits", "mps2u", 10, name)


def test_under_several_judges_each_has_a_column_and_the_row_its_mean() -> None:
    rows = [
        judged("mps2u", {0: [60.0], 1: [62.0]}, variant="small", network="mlp"),
        judged("mps2u", {0: [70.0], 1: [74.0]}, variant="small", network="convnet"),
        judged("mps2u", {0: [50.0], 1: [52.0]}, variant="large", network="mlp"),
    ]
    (table,) = studies(Records((), {}, tuple(rows)))
    assert table.name == "Digits, 10 per class, hard labels, protocol standard, by the network that judges"
    assert table.columns == ("Method", "Variant", "mlp, %", "convnet, %", "Mean of networks")
    small, large = table.rows
    assert [cell.text for cell in small] == ["MPS2U", "small", "61.0", "72.0", "66.5"]
    assert [cell.text for cell in large[1:]] == ["large", "51.0", "not judged", "not judged by all"]


def test_variants_alone_make_a_page_without_a_main_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path, OFF, "mps2u@agent-off/ipc-10.json")
    page = report(tmp_path, [], NullTracker())
    assert "Main table" not in page.read_text()
    text = page.with_suffix(".md").read_text()
    assert "- Seeds of the sets: 0, 1 and 2" in text
    assert text.startswith("# Study: Digits\n\nAccuracy is that of fresh networks")
    assert "Gain over random" not in text
    assert "\\* the interval of the difference excludes zero, not corrected for the number of variants." in text
    show(tmp_path)
    printed = capsys.readouterr().out
    assert "agent-off" in printed
    assert "Data set" not in printed


def test_random_images_beside_variants_make_no_comparison(tmp_path: Path) -> None:
    for cell, folder in ((OFF, "mps2u@agent-off"), (judged("random", {0: [60.0], 1: [61.0], 2: [65.0]}), "random")):
        save(tmp_path, cell, f"{folder}/ipc-10.json")
    text = report(tmp_path, [], NullTracker()).with_suffix(".md").read_text()
    assert "Difference from random" in text
    assert not [part for part in ("Main table", "All results", "Scores", "Missing") if f"## {part}" in text]
    text = report(tmp_path, [("digits", "random", 10)], NullTracker()).with_suffix(".md").read_text()
    assert "## All results" in text


def test_the_main_table_is_there_when_a_method_of_it_is(tmp_path: Path) -> None:
    save(tmp_path, judged("k_center", {0: [60.0], 1: [61.0]}), "k_center/ipc-10.json")
    assert "## Main table" not in report(tmp_path, [], NullTracker()).with_suffix(".md").read_text()
    asked = report(tmp_path, [("digits", "mps2u", 10)], NullTracker())
    assert "## Main table" in asked.with_suffix(".md").read_text()


def test_a_variant_takes_one_change_of_each_group() -> None:
    groups = [{"a": {"x": 1}, "b": {"x": 2}}, {"c": {"y": 3}, "d": {"y": 4, "z": 5}}]
    params = {
        "datasets": [],
        "images_per_class": [],
        "methods": [],
        "own": False,
        "floor": False,
        "judges": [],
        "variants": groups,
    }
    assert check(params, StudyParams, "study").named() == {
        "a-c": {"x": 1, "y": 3},
        "a-d": {"x": 1, "y": 4, "z": 5},
        "b-c": {"x": 2, "y": 3},
        "b-d": {"x": 2, "y": 4, "z": 5},
    }


Ran = list[tuple[str, ...]]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """The stages that a study calls; each leaves the record that it would write."""
    calls: Ran = []

    def step(layout: Layout, command: str, *words: str) -> None:
        calls.append((command, *words))
        if command in ("condense", "evaluate"):
            given = dict(zip(words[::2], words[1::2], strict=True))
            cell = Cell(given["--dataset"], given["--method"], int(given["--images-per-class"]), given["--variant"])
            write_json(layout.metrics(command, cell, given.get("--judge-network", "")), {})

    monkeypatch.setattr(stage, "step", step)
    return calls


def test_each_is_made_and_judged_once_under_its_name(tmp_path: Path, ran: Ran) -> None:
    layout = Layout(tmp_path)
    stage.study(layout, PARAMS, "agent", {"methods": ["mps2"]})
    shared = ("--dataset", "digits", "--method", "mps2", "--images-per-class", "10", "--variant")
    assert ran[:2] == [("fetch", "--dataset", "digits"), ("prepare", "--dataset", "digits")]
    assert ran[2:6] == [
        ("condense", *shared, ""),
        ("evaluate", *shared, ""),
        ("condense", *shared, "agent-off", "--agent", '"off"'),
        ("evaluate", *shared, "agent-off"),
    ]
    assert ("condense", *shared, "reward-agreement", "--environment.reward", '"agreement"') in ran
    assert ran[-2:] == [("report",), ("comparison",)]
    ran.clear()
    stage.study(layout, PARAMS, "agent", {"methods": ["mps2"]})
    assert [words[0] for words in ran] == ["fetch", "prepare", "report", "comparison"]
    with pytest.raises(InputError, match="other parameters"):
        stage.study(layout, {**PARAMS, "seeds": [7]}, "agent", {})


def test_a_preset_is_of_the_method_as_it_is_and_of_its_variants_and_not_of_random_images(
    tmp_path: Path, ran: Ran
) -> None:
    stage.study(Layout(tmp_path), PARAMS, "minutes-dsa", {"datasets": ["digits"]})
    made = [words[5:] for words in ran if words[0] == "condense"]
    ten = ("--images-per-class", "10", "--variant")
    assert made[:2] == [
        (*ten, "", "--preset", "cpu"),
        (*ten, "steps-2", "--preset", "cpu", "--iterations", "2"),
    ]
    assert made[-1] == (*ten, "")


def test_a_set_is_made_once_and_judged_by_every_judge(tmp_path: Path, ran: Ran) -> None:
    stage.study(Layout(tmp_path), PARAMS, "architecture", {"datasets": ["digits"], "images_per_class": [1]})
    made = [words for words in ran if words[0] == "condense"]
    judges = [words[-1] for words in ran if words[0] == "evaluate"]
    assert [words[8] for words in made] == ["mlp", "lenet", "alexnet", "convnet"]
    assert made[1][9:] == ("--network", '{"name": "lenet"}')
    assert judges == ["mlp", "lenet", "alexnet", "convnet"] * 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"judges": ["mlpp"]}, "judges.name is 'mlpp'"),
        ({"variants": [{"deep": {"network.depths": 4}}]}, "depths"),
        ({"variants": [{"now-and-then": {"agent": "sometimes"}}]}, "methods.mps1.agent is 'sometimes'"),
        ({"variant": []}, "studies.agent.variant is unknown"),
        ({"preset": "cpu"}, "unknown preset of mps1 'cpu'"),
    ],
)
def test_a_faulty_study_is_refused_before_any_work(
    tmp_path: Path, ran: Ran, changes: dict[str, Any], message: str
) -> None:
    tree = {**PARAMS, "studies": {"agent": {**PARAMS["studies"]["agent"], **changes}}}
    with pytest.raises(InputError, match=message):
        stage.study(Layout(tmp_path), tree, "agent", {})
    with pytest.raises(InputError, match="unknown study 'agents'; allowed: agent"):
        stage.study(Layout(tmp_path), tree, "agents", {})
    assert not ran
    assert not list(tmp_path.iterdir())
