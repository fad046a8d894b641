"""The report's numbers against numbers worked out apart from it, and its three forms against each other."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from report_files import ASKED, HERDING, RANDOM, judged, made, records, save, save_condensed
from scipy import stats

from condensation.core.errors import InputError
from condensation.core.files import write_bytes, write_json
from condensation.reporting import figures
from condensation.reporting.cells import Cell, Footnotes
from condensation.reporting.charts import accuracy_against_seconds, error_bar, front
from condensation.reporting.curves import condensing_curves, lines_of_sizes, lines_of_variants, read_curves
from condensation.reporting.details import absent, gain_cell, load_table, progress, results_table
from condensation.reporting.display import duration, interval, sets_and_networks
from condensation.reporting.figures import drawings
from condensation.reporting.headline import MAIN_METHODS, Results, headlines, published_cell
from condensation.reporting.published import claimed, claimed_costs, foreign_results, published, withheld
from condensation.reporting.records import Records, read_records
from condensation.reporting.table import COLUMNS, check, comparison, headline_judge, holm
from condensation.stages.report import report, show
from condensation.tracking import NullTracker

ACCURACY = ["accuracy_mean", "accuracy_std", "ci_low", "ci_high", "n", "seeds"]
GAIN = ["gain_over_random", "gain_ci_low", "gain_ci_high", "share_of_whole"]
COST = ["condense_seconds", "condense_cpu_seconds", "peak_memory_mb", "train_seconds"]
IDENTITY = ["dataset", "method", "images_per_class", "label_kind", "protocol", "network"]
REQUIRED = [*IDENTITY, *ACCURACY, *GAIN, *COST]


def row(table: pd.DataFrame, method: str, **values: object) -> Any:
    found = table[table["method"] == method]
    for name, value in values.items():
        found = found[found[name] == value]
    assert len(found) == 1
    return found.iloc[0]


def results(table: pd.DataFrame) -> Results:
    return Results(table, headline_judge(table))


# The table


def test_interval_of_several_sets_takes_the_sets_as_units() -> None:
    found = row(comparison(records(judged("random", RANDOM))), "random")
    reference = stats.ttest_1samp([61.0, 65.0, 59.0], 0).confidence_interval(0.95)
    assert found["accuracy_mean"] == pytest.approx(61.0 + 2 / 3)
    assert found["accuracy_std"] == pytest.approx(3.0550505)
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((reference.low, reference.high))
    assert (found["n"], found["sets"], found["seeds"], found["interval_over"]) == (6, 3, "0 1 2", "sets")
    assert found["std_between_sets"] == found["accuracy_std"]
    assert found["std_between_networks"] == pytest.approx(np.sqrt(6 / 3))  # each network is 1 off its set's mean


def test_interval_of_one_set_takes_its_networks_and_one_network_has_none() -> None:
    table = comparison(records(judged("random", {4: [60.0, 62.0, 67.0]}), judged("herding", {4: [60.0]})))
    one, alone = row(table, "random"), row(table, "herding")
    reference = stats.ttest_1samp([60.0, 62.0, 67.0], 0).confidence_interval(0.95)
    assert (one["ci_low"], one["ci_high"]) == pytest.approx((reference.low, reference.high))
    assert (one["n"], one["sets"], one["interval_over"]) == (3, 1, "networks")
    assert alone["accuracy_mean"] == 60
    assert alone[["ci_low", "ci_high", "accuracy_std", "std_between_networks"]].isna().all()


def test_gain_is_paired_by_the_seed_of_the_set() -> None:
    backwards = dict(reversed(HERDING.items()))
    found = row(comparison(records(judged("random", RANDOM), judged("herding", backwards))), "herding")
    reference = stats.ttest_rel([70.0, 72.0, 70.0], [61.0, 65.0, 59.0])
    assert found["gain_over_random"] == pytest.approx(9.0)  # 9, 7 and 11: by hand 9 +- 4.302653 * 2 / sqrt(3)
    assert (found["gain_ci_low"], found["gain_ci_high"]) == pytest.approx((4.031724, 13.968276), abs=1e-5)
    interval = reference.confidence_interval(0.95)
    assert (found["gain_ci_low"], found["gain_ci_high"]) == pytest.approx((interval.low, interval.high))
    assert found["gain_p"] == pytest.approx(reference.pvalue)
    assert found["gain_pairs"] == 3


def test_gain_uses_only_seeds_that_both_have() -> None:
    found = row(comparison(records(judged("random", RANDOM), judged("herding", {2: [70.0], 7: [99.0]}))), "herding")
    assert (found["gain_over_random"], found["gain_pairs"]) == (70.0 - 59.0, 1)
    assert pd.isna(found["gain_ci_low"])


@pytest.mark.parametrize(
    "other", [{"label_kind": "soft"}, {"protocol": "paper"}, {"network": "mlp"}, {"dataset": "x"}, {"size": 1}]
)
def test_gain_needs_a_random_set_under_the_same_conditions(other: dict[str, Any]) -> None:
    table = comparison(records(judged("random", RANDOM, **other), judged("herding", HERDING)))
    assert pd.isna(row(table, "herding")["gain_over_random"])
    assert pd.isna(row(table, "random")["gain_over_random"])
    assert gain_cell(row(table, "herding").to_dict()).mark == "missing"


def test_differences_that_do_not_vary_tell_no_error() -> None:
    same = {seed: [value + 5 for value in values] for seed, values in RANDOM.items()}
    found = row(comparison(records(judged("random", RANDOM), judged("herding", same))), "herding")
    assert found[["gain_over_random", "gain_ci_low", "gain_ci_high"]].tolist() == [5.0, 5.0, 5.0]
    assert pd.isna(found["gain_p"])


def test_holm_corrects_for_the_comparisons_that_were_made() -> None:
    assert holm(np.array([0.01, 0.04, np.nan, 0.03])) == pytest.approx([0.03, 0.06, np.nan, 0.06], nan_ok=True)
    assert holm(np.array([0.9, 0.6])) == pytest.approx([1.0, 1.0])


def test_gains_are_marked_by_their_interval_and_by_holm() -> None:
    base = {"method": "herding", "gain_over_random": 3.0, "gain_ci_low": 1.0, "gain_ci_high": 5.0, "gain_pairs": 3}
    assert gain_cell({**base, "gain_p_holm": 0.2}).mark == "up"
    assert gain_cell({**base, "gain_p_holm": 0.04}).mark == "surely-up"
    assert gain_cell({**base, "gain_ci_low": -1.0, "gain_p_holm": 0.2}).mark == ""
    lower = {**base, "gain_over_random": -3.0, "gain_ci_low": -5.0, "gain_ci_high": -1.0}
    assert gain_cell({**lower, "gain_p_holm": 0.04}).mark == "surely-down"


def test_share_of_whole_prefers_its_own_protocol_and_refuses_to_guess() -> None:
    paper, other = ({0: [80.0]}, {"protocol": "paper"}), ({0: [50.0]}, {"protocol": "third"})
    whole = judged("whole", {0: [90.0, 92.0]}, None)
    herding = judged("herding", HERDING)
    several = [judged("whole", values, None, **names) for values, names in (paper, other)]
    share = (70 + 72 + 70) / 3
    cases = [([whole, several[0]], share / 91), ([several[0]], share / 80), (several, None)]
    for wholes, expected in cases:
        found = row(comparison(records(herding, *wholes)), "herding")["share_of_whole"]
        assert pd.isna(found) if expected is None else found == pytest.approx(expected)


def test_costs_are_those_of_one_set_with_its_teacher() -> None:
    table = comparison(records(judged("herding", HERDING), condensed=(made("herding", teacher=7.0),)))
    found = row(table, "herding")
    assert found["condense_seconds"] == pytest.approx(27.0)
    assert found["teacher_seconds"] == pytest.approx(7.0)
    assert found["condense_cpu_seconds"] == pytest.approx(30.0)
    assert found["peak_memory_mb"] == 300
    assert found["train_seconds"] == pytest.approx(2.5)
    assert pd.isna(row(comparison(records(judged("random", RANDOM))), "random")["condense_seconds"])


def test_table_refuses_what_cannot_be() -> None:
    table = comparison(records(judged("random", RANDOM)))
    for name, value in (("accuracy_mean", 101.0), ("ci_low", 70.0), ("n", 0), ("train_seconds", -1.0)):
        with pytest.raises(ValueError, match="comparison table"):
            check(table.assign(**{name: value}))
    with pytest.raises(ValueError, match="twice"):
        check(pd.concat([table, table]))


def test_front_keeps_what_no_other_beats_in_both() -> None:
    points = [(1.0, 50.0), (2.0, 49.0), (3.0, 60.0), (3.0, 55.0), (9.0, 60.0), (10.0, 61.0)]
    assert front(points) == [(1.0, 50.0), (3.0, 60.0), (10.0, 61.0)]


def test_intervals_of_accuracies_are_cut_where_no_accuracy_can_be() -> None:
    assert interval(89.44, 104.0) == "89.4 to 100"
    assert interval(-2.0, 9.0) == "0 to 9.0"
    assert interval(98.0, 100.0) == "98.0 to 100.0"
    row = {"accuracy_mean": 98.0, "ci_low": -1.0, "ci_high": 101.0}
    assert error_bar(row) == [[98.0], [2.0]]
    assert error_bar({**row, "ci_low": None}) is None


def test_beside_an_interval_stands_what_it_was_taken_over() -> None:
    assert sets_and_networks(3, 9) == "3 sets x 3 networks"
    assert sets_and_networks(1, 5) == "1 set x 5 networks"
    assert sets_and_networks(3, 3) == "3 sets x 1 network"
    assert sets_and_networks(3, 8) == "3 sets, 8 networks"


def test_durations_change_their_unit_at_sixty() -> None:
    seconds = (0.001, 9.5, 59.4, 59.6, 107, 3590, 3599, 7200)
    words = ["< 0.01 s", "9.5 s", "59 s", "1.0 min", "1.8 min", "59.8 min", "1.0 h", "2.0 h"]
    assert [duration(value) for value in seconds] == words


def test_a_figure_compares_at_least_two() -> None:
    def names(*methods: str, sizes: tuple[int, ...] = (10,)) -> list[str]:
        cells = tuple(judged(method, RANDOM, size) for method in methods for size in sizes)
        found = records(*cells, condensed=tuple(made(cell.method, size=cell.images_per_class or 0) for cell in cells))
        return [drawing.part for drawing in drawings(found, results(comparison(found)), {})]

    assert names("random") == ["learning"]
    assert names("random", "herding") == ["seconds", "learning", "classes"]
    assert names("random", "herding", "mps2u") == ["seconds", "gain", "learning", "classes"]
    assert names("random", "herding", sizes=(1, 10))[0] == "sizes"


def test_a_method_learns_by_sizes_and_its_variants_at_a_size(tmp_path: Path) -> None:
    def write(folder: str, size: int, text: str = "seed,step,reward\n0,0,0.5\n0,1,0.8\n1,0,0.7\n1,1,0.6\n") -> None:
        write_bytes(tmp_path / "digits" / folder / f"ipc-{size}.csv", text.encode())

    def names() -> list[str]:
        found = records(judged("random", RANDOM))
        drawn = drawings(found, results(comparison(found)), read_curves(tmp_path))
        return [drawing.name for drawing in drawn if drawing.part == "condensing"]

    for folder, size in (("mps_o", 1), ("mps_o", 10), ("mps_o@dqn", 10), ("mps_o@ppo", 10), ("mps_o@empty", 10)):
        write(folder, size, *[""] * (folder == "mps_o@empty"))
    assert names() == ["condensing-digits-mps_o", "condensing-digits-mps_o-10-variants"]
    for number in range(7):
        write(f"mps_o@other-{number}", 10)
    assert names() == ["condensing-digits-mps_o"]  # nine lines, and eight colours


def test_a_method_is_a_line_through_its_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    def study(*variants: str, own: bool = False) -> Records:
        cells = [judged("mps3", HERDING, variant=variant) for variant in variants]
        kept = {("digits", f"mps3@{name}", 10): made("mps3").model_copy(update={"variant": name}) for name in variants}
        plain = (judged("mps3", RANDOM), judged("herding", HERDING)) if own else ()
        condensed = {("digits", cell.method, 10): made(cell.method) for cell in plain}
        return Records(plain, condensed, tuple(cells), kept)

    def rows(found: Records) -> list[tuple[str, str]]:
        seen: list[tuple[str, str]] = []
        chart = accuracy_against_seconds

        def watched(title: str, given: Any) -> Any:
            seen.extend((row["method"], row.get("variant")) for row in given)
            return chart(title, given)

        monkeypatch.setattr(figures, "accuracy_against_seconds", watched)
        names = [d.name for d in drawings(found, results(comparison(found)), {}) if d.name.startswith("budgets")]
        assert names == ["budgets-digits-10-hard-convnet"] * bool(names)
        return seen if names else []

    assert rows(study("steps-100", "300")) == [("mps3", "steps-100"), ("mps3", "300")]
    assert rows(study("steps-100", "td3", "agent-off", own=True))[-2:] == [("mps3", "steps-100"), ("mps3", "")]
    assert rows(study("td3", "agent-off")) == []


def test_points_of_one_method_are_joined_by_rising_seconds() -> None:
    figure, base = Figure(), {"ci_low": None, "ci_high": None}
    points = [("dsa", 100.0, 40.0), ("mps3", 50.0, 45.0), ("dsa", 10.0, 35.0)]
    rows = [{"method": m, "condense_seconds": s, "accuracy_mean": a, **base} for m, s, a in points]
    accuracy_against_seconds("Digits", rows)[0](figure)
    lines = [line.get_xydata().tolist() for line in figure.axes[0].lines]
    assert [[10.0, 35.0], [100.0, 40.0]] in lines
    assert [[50.0, 45.0]] in lines
    assert figure.axes[0].get_xticks().tolist() == [10, 100]
    assert figure.axes[0].get_legend_handles_labels()[1].count("DSA") == 1


def test_a_line_is_the_mean_over_seeds_in_a_panel_per_metric() -> None:
    numbers = pd.DataFrame({"seed": [0, 0, 1, 1], "step": [0, 1, 0, 1], "reward": [0.5, 0.8, 0.7, 0.6]})
    alone = pd.DataFrame({"seed": [0], "step": [3], "loss": [0.25]})
    drawn, figure = lines_of_variants({"dqn": numbers, "ppo": alone.assign(reward=0.1), "td3": numbers}), Figure()
    condensing_curves("Digits", drawn)[0](figure)
    reward, loss = figure.axes
    assert [axes.get_title() or axes.title.get_text() for axes in (reward, loss)] == ["reward", "loss"]
    assert [line.get_label() for line in reward.lines] == ["dqn", "ppo", "td3"]
    np.testing.assert_allclose(reward.lines[0].get_ydata(), [0.6, 0.7])
    assert [line.get_ydata().tolist() for line in loss.lines] == [[0.25]]
    looks = {(line.get_color(), line.get_linestyle()) for line in reward.lines}
    assert len(looks) == 3
    sizes = lines_of_sizes("mps_o", {10: numbers, 1: numbers})
    assert [line.label for line in sizes] == ["1 per class", "10 per class"]
    assert sizes[0].tint == sizes[1].tint
    assert sizes[0].shade < sizes[1].shade


# What others say


def test_recalled_numbers_are_never_shown() -> None:
    assert len(foreign_results()) > 100
    assert all(found.evidence in ("read", "quoted") for found in foreign_results())
    assert published("mnist", "random", 50) == []  # only recalled
    assert withheld("mnist", "random", 50)
    assert withheld("mnist", "whole", None)
    assert not withheld("cifar10", "gradient_matching", 50)
    assert published_cell("mnist", "random", 50, Footnotes()).text == "not verified"
    assert published_cell("digits", "random", 50, Footnotes()).text == "–"
    assert [found.accuracy for found in published("cifar10", "gradient_matching", 50)] == [53.9, 56.8]
    assert published("cifar10", "mps2u", 50) == []  # a claim of its authors is not a publication


def test_claims_are_those_of_the_authors() -> None:
    names = ("mnist", "fashionmnist", "cifar10", "cifar100")
    found = {m: [c.accuracy if (c := claimed(d, m, 50)) else None for d in names] for m in MAIN_METHODS}
    assert found["mps2u"] == [95, 77, 31, 12]
    assert found["mutual_information"] == [88, 77, 23, None]
    assert found["mps2"] == [75, 58, 31, None]
    assert found["gradient_matching"] == [98, 83, 53, None]
    assert {m: cost.minutes for m, cost in claimed_costs().items()} == {
        "mps2": 20,
        "mps2u": 5,
        "mutual_information": 10,
        "gradient_matching": 240,
    }


# The main table


def test_main_table_puts_ours_claimed_and_published_side_by_side() -> None:
    ours = judged("gradient_matching", {0: [54.0], 1: [56.0]}, 50, dataset="cifar10")
    digits = judged("mps2u", RANDOM)
    table = comparison(records(ours, digits, condensed=(made("gradient_matching", "cifar10", 50),)))
    asked = [("mnist", "mps2u", 50), ("cifar10", "mps2u", 50)]
    first, *others = headlines(Results(table, headline_judge(table), expected=asked), Footnotes())
    assert others == []
    assert first.title == "50 images per class, where nothing else is said"
    assert first.methods == ("MPS2U", "MI", "MPS2", "GM")
    assert first.kinds == ("ours", "claimed", "published")
    lines = {line.name.text: line.methods for line in first.lines}
    names = ["MNIST", "CIFAR-10", "Digits", "Average time", "Computational load"]
    assert list(lines) == names
    assert [cell.text for cell in lines["CIFAR-10"][3]] == ["55.0", "53", "53.9 ± 0.5; 56.8"]
    assert [cell.text for cell in lines["CIFAR-10"][0]] == ["not run", "31", "–"]
    assert lines["CIFAR-10"][0][0].mark == "missing"
    assert (lines["CIFAR-10"][1][0].text, lines["CIFAR-10"][1][0].mark) == ("–", "none")  # nobody asked for it
    assert lines["Digits"][0][0].text == "61.7"
    assert lines["Average time"][3][0].text == "20 s"
    assert [cell.text for cell in lines["Average time"][0]] == ["–", "5 min", "–"]
    assert lines["Computational load"][3][0].note == "of CPU; 1.5 cores; 300 MiB"


def test_main_table_says_between_what_a_gain_lies() -> None:
    cells = [judged("mps2u", RANDOM), judged("random", HERDING), judged("whole", {0: [91.0]}, None)]
    for count, words in ((1, ""), (2, "; random 70.7"), (3, "; random 70.7, whole set 91.0")):
        (first,) = headlines(results(comparison(records(*cells[:count]))), Footnotes())
        assert first.lines[0].name.note == f"accuracy in %; 10 per class{words}"


def test_tables_have_no_rows_that_nobody_asked_for() -> None:
    table = comparison(records(judged("mps2u", RANDOM), judged("random", RANDOM, dataset="mnist", size=1)))
    (first,) = headlines(results(table), Footnotes())
    assert first.title == "10 images per class"
    assert [line.name.text for line in first.lines] == ["Digits", "Average time", "Computational load"]
    assert headlines(results(comparison(records(judged("k_center", RANDOM)))), Footnotes()) == []
    asked = Results(table, headline_judge(table), expected=[("digits", "herding", 10)])
    for found, names in ((results(table), ["MPS2U"]), (asked, ["MPS2U", "Whole training set"])):
        assert [cells[0].text for cells in results_table("digits", found, [], Footnotes()).rows] == names
        load = load_table(found, "digits")
        assert load is not None
        assert [cells[0].text for cells in load.rows] == ["MPS2U"]
    assert load_table(asked, "cifar10") is None


def test_main_table_has_a_sister_for_every_other_size() -> None:
    table = comparison(records(judged("mps2u", RANDOM, 1), judged("mps2u", RANDOM, 10), judged("mps2u", RANDOM, 50)))
    titles = [headline.title for headline in headlines(results(table), Footnotes())]
    assert titles[1:] == ["10 images per class", "1 image per class"]


def test_hard_and_soft_labels_have_columns_of_their_own() -> None:
    soft = judged("mps2u", HERDING, label_kind="soft")
    found = results(comparison(records(judged("mps2u", RANDOM), soft, judged("random", RANDOM))))
    (first,) = headlines(found, Footnotes())
    assert first.kinds == ("ours, hard labels", "ours, soft labels", "claimed", "published")
    table = results_table("digits", found, [], Footnotes())
    hard, other = (table.columns.index(f"Accuracy in %, {kind} labels") for kind in ("hard", "soft"))
    texts = {cells[0].text: (cells[hard].text, cells[other].text, cells[other + 1].text) for cells in table.rows}
    assert texts["MPS2U"] == ("61.7", "70.7", "no random to compare")
    assert texts["Random"] == ("61.7", "none", "–")


def test_no_cell_is_blank() -> None:
    with pytest.raises(ValueError, match="must say something"):
        Cell("")


def test_absent_names_each_thing_that_was_asked_for() -> None:
    there = records(judged("random", RANDOM), judged("herding", HERDING), condensed=(made("random"), made("k_center")))
    asked = [("digits", method, size) for method in ("random", "herding", "k_center", "mps2u") for size in (10,)]
    assert absent(there, [*asked, ("digits", "mps2u", 50), ("mnist", "random", 10)]) == [
        "Digits, Herding, 10 per class: judged, but what it cost was not measured.",
        "Digits, k-center, 10 per class: condensed, but not judged.",
        "Digits, MPS2U, 10 and 50 per class: not run.",
        "MNIST, Random, 10 per class: not run.",
        "MNIST and Digits: the whole training set was not judged.",
    ]
    several = [("svhn", "random", 1), ("svhn", "random", 10)]
    assert "SVHN: not run, none of its 2 cells." in absent(there, [*asked, *several])
    assert not any("SVHN: the whole" in sentence for sentence in absent(there, several))
    larger = [("digits", "random", 50), ("digits", "herding", 50), ("digits", "herding", 10), ("digits", "k_means", 10)]
    assert "Digits, 50 per class: not run, none of its 2 cells." in absent(there, [*asked, *larger])
    assert "Digits, MPS2U and k-means, 10 per class: not run." in absent(there, [*asked, *larger])
    whole = judged("whole", {0: [90.0]}, None)
    assert absent(records(judged("random", RANDOM), condensed=(made("random"),)), []) == []
    assert absent(records(judged("random", RANDOM), whole, condensed=(made("random"),)), asked[:1]) == []


def test_absent_says_once_what_several_data_sets_lack_and_how_far_the_rest_is() -> None:
    names, sizes = ("mnist", "digits", "svhn", "cifar10"), (50, 10)
    asked = [(d, m, size) for d in names for m in ("random", "herding", "k_means") for size in sizes]
    cells = [judged("random", RANDOM, 50, dataset="mnist"), judged("random", RANDOM, 50)]
    there = records(*cells, condensed=(made("random", "mnist", 50), made("random", "digits", 50)))
    assert absent(there, asked) == [
        "MNIST and Digits, Herding and k-means, 50 per class: not run.",
        "MNIST and Digits, 10 per class: not run, none of their 6 cells.",
        "SVHN and CIFAR-10: not run, none of their 12 cells.",
        "MNIST and Digits: the whole training set was not judged.",
    ]
    assert progress(there, asked) == "2 of 6 cells at 50 per class are measured"
    assert progress(there, []) == ""


# Files


def everything(folder: Path) -> dict[str, bytes]:
    files = [*folder.glob("reports/comparison.*"), *folder.glob("reports/figures/*.png")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_csv_has_one_row_for_each_result_and_for_what_has_none(finished: Path) -> None:
    table = pd.read_csv(finished / "reports/comparison.csv")
    assert list(table.columns) == COLUMNS
    assert list(table.columns[: len(REQUIRED)]) == REQUIRED
    assert table["method"].tolist() == ["random", "herding", "whole", "mps2u"]
    assert table["state"].tolist() == ["finished"] * 3 + ["not run"]
    assert table["n"].tolist() == [6, 6, 2, 0]
    assert row(table, "herding")["gain_over_random"] == 9
    assert row(table, "whole")["share_of_whole"] == 1


def test_markdown_equals_csv(finished: Path) -> None:
    text = (finished / "reports/comparison.md").read_text()
    table = pd.read_csv(finished / "reports/comparison.csv")
    section = text.split("## All results")[1].split("## Scores")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
    told = {cells[0]: cells for cells in lines[2:]}
    assert list(told) == ["Random", "Herding", "MPS2U", "Whole training set"]
    for name, method in (("Random", "random"), ("Herding", "herding"), ("Whole training set", "whole")):
        want = row(table, method)
        beside = {"random": "3 sets x 2 networks", "herding": "3 sets x 2 networks", "whole": "1 set x 2 networks"}
        high = min(want["ci_high"], 100)  # of the whole set's two networks it is 103.7
        ends = f"{want['ci_low']:.1f} to {f'{high:.1f}' if high < 100 else '100'}"
        assert told[name][2] == f"{want['accuracy_mean']:.1f} ({ends}; {beside[method]})"
        assert told[name][4] == f"{100 * want['share_of_whole']:.0f} %"
    assert told["Herding"][3] == "+9.0 \\*\\* (+4.0 to +14.0; 3 seeds)"
    assert told["Random"][3] == "baseline"
    assert told["MPS2U"][2:5] == ["**not run**", "–", "–"]
    load = text.split("## Computational load")[1]
    assert "| Herding | 10 | 20 s | no teacher | 30 s | 1.5 | 300 MiB | 2.5 s |" in load


def test_what_is_missing_is_said_in_every_form(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "Digits, MPS2U, 10 per class: not run."
    assert f"- **{sentence}**" in (finished / "reports/comparison.md").read_text()
    assert "2 of 3 cells at 10 per class are measured.\n" in (finished / "reports/comparison.md").read_text()
    alert = (finished / "reports/comparison.html").read_text().split('role="alert"')[1].split("</aside>")[0]
    assert "1 thing is missing." in alert
    assert sentence in alert
    show(finished)
    printed = capsys.readouterr().out
    assert f"Missing: {sentence}" in printed
    assert re.search(r"Digits +Herding +10 +hard +70\.7 +67\.8 to 73\.5 +6 +\+9\.0 +20 s", printed)


def test_equal_input_gives_equal_bytes(finished: Path, tmp_path: Path) -> None:
    for part in ("reports/metrics", "reports/curves", "data"):
        shutil.copytree(finished / part, tmp_path / part)
    (tmp_path / "reports/figures").mkdir()
    (tmp_path / "reports/figures/of-an-earlier-report.png").touch()
    report(tmp_path, ASKED, NullTracker())
    first, second = everything(finished), everything(tmp_path)
    assert len(first) == 3 + 5
    assert first == second


def test_a_report_of_nothing_says_so(tmp_path: Path) -> None:
    page = report(tmp_path, ASKED[:1], NullTracker()).read_text()
    assert "Digits, Random, 10 per class: not run." in page
    table = pd.read_csv(tmp_path / "reports/comparison.csv")
    assert list(table.columns) == COLUMNS
    assert table[["method", "state"]].to_numpy().tolist() == [["random", "not run"]]
    with pytest.raises(InputError, match=r"comparison\.md does not exist"):
        show(tmp_path / "nowhere")


def test_the_same_cell_under_two_judges_is_told_apart(tmp_path: Path) -> None:
    save(tmp_path, judged("random", RANDOM))
    save(tmp_path, judged("random", HERDING, protocol="paper"), "random/ipc-10-paper.json")
    found = read_records(tmp_path / "reports/metrics")
    assert [cell.protocol for cell in found.judged] == ["paper", "standard"]
    text = report(tmp_path, [], NullTracker()).with_suffix(".md").read_text()
    assert "### Digits, protocol standard, network convnet" in text


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "random/ipc-10.json",
            {"accuracy": 101.0},
            r"ipc-10\.json: accuracy 101\.0 is not possible; allowed: 0\.\.100",
        ),
        ("herding/ipc-10.json", {}, r"herding/ipc-10\.json holds a result of digits/random"),
        ("random/ipc-10.json", {"extra": 1}, r"ipc-10\.json is not a JudgedCell: extra"),
        ("random/ipc-10.json", {"judgements": []}, r"ipc-10\.json holds no judgement"),
        ("random/again.json", {"twice": True}, r"ipc-10\.json tells .* a second time"),
    ],
)
def test_a_record_that_cannot_be_is_refused_by_name(
    tmp_path: Path, name: str, changes: dict[str, Any], message: str
) -> None:
    values = judged("random", RANDOM).model_dump(mode="json")
    if "accuracy" in changes:
        values["judgements"][0].update(changes)
    elif "twice" in changes:
        save(tmp_path, judged("random", RANDOM))
    else:
        values.update(changes)
    write_json(tmp_path / "reports/metrics/evaluate/digits" / name, values)
    with pytest.raises(InputError, match=message):
        report(tmp_path, [], NullTracker())


def test_broken_files_are_refused_by_name(tmp_path: Path) -> None:
    save(tmp_path, judged("random", RANDOM))
    for name, content, message in (
        ("reports/curves/digits/random/ipc-10.csv", b"a,b\n1,2\n", r"ipc-10\.csv has columns a, b; needed: seed, step"),
        ("data/condensed/digits/random/ipc-10/seed-0.png", b"no picture", r"seed-0\.png is not a readable PNG"),
        ("reports/metrics/evaluate/digits/whole.json", b"{", r"whole\.json is not a JudgedCell"),
    ):
        write_bytes(tmp_path / name, content)
        with pytest.raises(InputError, match=message):
            report(tmp_path, [], NullTracker())
        (tmp_path / name).unlink()


def test_tells_each_run_the_accuracy_of_its_set(tmp_path: Path) -> None:
    class Listening(NullTracker):
        def judged(self, digest: str, values: Mapping[str, float]) -> None:
            told.append((digest, dict(values)))

    told: list[tuple[str, dict[str, float]]] = []
    for method in ("random", "herding"):
        save_condensed(tmp_path, method)
    save(tmp_path, judged("herding", {0: [70.0, 80.0], 1: [60.0, 61.0]}))
    save(tmp_path, judged("whole", {0: [99.0]}, None))
    report(tmp_path, [], Listening())
    assert told == [("0" * 64, {"test_accuracy/standard/convnet": mean}) for mean in (75.0, 60.5)]
