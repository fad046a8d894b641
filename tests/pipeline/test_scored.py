"""Scores of a result from how its sets were judged otherwise, against numbers worked out by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_files import judged, records, save

from condensation.core.condensed import CondensedDataset, Provenance
from condensation.core.errors import InputError
from condensation.core.judges import parted, under
from condensation.core.results import JudgedCell
from condensation.reporting.ddranking import augmentation_robust_score, label_robust_score, normalised
from condensation.reporting.display import byte_count, fraction, protocol_name
from condensation.reporting.headline import Results
from condensation.reporting.ranked import scores_table
from condensation.reporting.scored import SCORES
from condensation.reporting.storage import sizes, stored
from condensation.reporting.table import COLUMNS, comparison, headline_judge
from condensation.stages.report import report
from condensation.tracking import NullTracker

PLAIN, STEPPED = "standard.no_augmentation", "standard.learned_step_size"


def row(*cells: JudgedCell, method: str = "herding", kind: str = "hard", **stored_sets: Any) -> Any:
    table = comparison(records(*cells), **stored_sets)
    mine = (table["method"] == method) & (table["label_kind"] == kind)
    return table[mine & (table["protocol"] == "standard") & (table["network"] == "convnet")].iloc[0]


def missing(found: Any) -> set[str]:
    return {name for name in SCORES if pd.isna(found[name])}


def test_normalisation_has_its_ends_and_its_middle() -> None:
    assert (normalised(-1.0), normalised(1.0)) == pytest.approx((0.0, 1.0))
    assert normalised(0.0) == pytest.approx((1 - 1 / np.e) / (np.e - 1 / np.e))
    assert normalised(0.0) == pytest.approx(0.268941, abs=1e-6)


def test_scores_by_hand() -> None:
    # alpha = (0.2 - 0.3) / 2 = -0.05: (0.951229 - 0.367879) / 2.350402
    assert label_robust_score(0.2, 0.3) == pytest.approx(0.248192, abs=1e-6)
    assert label_robust_score(0.2, 0.3, weight=1.0) == pytest.approx(normalised(0.2))
    # beta = (0.7 - 0.6) / 2 + (0.5 - 0.3) / 2 = 0.15: (1.161834 - 0.367879) / 2.350402
    assert augmentation_robust_score(0.7, 0.6, 0.5, 0.3) == pytest.approx(0.337796, abs=1e-6)


HARD = (
    judged("random", {0: [60.0], 1: [70.0]}),
    judged("herding", {0: [80.0], 1: [80.0]}),
    judged("whole", {0: [94.0, 96.0]}, None),
)


def test_a_hard_set_recovers_and_improves_by_its_own_labels() -> None:
    found = row(*HARD)
    assert found["hard_label_recovery"] == pytest.approx(0.95 - 0.80)
    assert found["improvement_over_random"] == pytest.approx(0.15)
    assert found["label_robust_score"] == pytest.approx(normalised(0.0))
    assert missing(found) == set(SCORES) - {"hard_label_recovery", "improvement_over_random", "label_robust_score"}


def test_a_whole_set_under_another_protocol_recovers_nothing() -> None:
    elsewhere = judged("whole", {0: [94.0, 96.0]}, None, protocol="paper")
    found = row(*HARD[:2], elsewhere)
    assert pd.isna(found["hard_label_recovery"])
    assert pd.isna(found["label_robust_score"])
    assert found["share_of_whole"] == pytest.approx(0.80 / 0.95)


def test_a_soft_set_improves_over_random_with_a_teachers_labels_and_recovers_by_its_hard_ones() -> None:
    soft = (
        judged("random_soft", {0: [75.0], 1: [77.0]}, label_kind="soft"),
        judged("kernel_ridge", {0: [86.0], 1: [86.0]}, label_kind="soft"),
    )
    found = row(*HARD, *soft, method="kernel_ridge", kind="soft")
    assert found["improvement_over_random"] == pytest.approx(0.86 - 0.76)
    assert found["gain_over_random"] == pytest.approx(10.0)
    assert pd.isna(found["hard_label_recovery"])  # its hard labels were not judged
    assert pd.isna(found["label_robust_score"])
    by_hard = judged("kernel_ridge", {0: [70.0], 1: [72.0]})
    found = row(*HARD, *soft, by_hard, method="kernel_ridge", kind="soft")
    assert found["hard_label_recovery"] == pytest.approx(0.95 - 0.71)
    assert found["label_robust_score"] == pytest.approx(normalised((0.10 - 0.24) / 2))
    assert row(*HARD, by_hard, method="kernel_ridge")["gain_over_random"] == pytest.approx(71.0 - 65.0)
    assert pd.isna(row(*HARD, *soft, method="random_soft", kind="soft")["gain_over_random"])


def test_without_augmentation() -> None:
    plain = judged("herding", {0: [70.0], 1: [74.0]}, protocol=PLAIN)
    found = row(*HARD, plain)
    assert found["accuracy_no_augmentation"] == pytest.approx(72.0)
    assert found["loss_without_augmentation"] == pytest.approx(8.0)
    assert pd.isna(found["augmentation_robust_score"])  # the random sets were not judged so
    found = row(*HARD, plain, judged("random", {0: [58.0], 1: [66.0]}, protocol=PLAIN))
    assert found["augmentation_robust_score"] == pytest.approx(normalised((0.15 + 0.10) / 2))


def test_gains_are_of_the_seeds_that_both_have() -> None:
    found = row(judged("random", {1: [70.0], 2: [10.0]}), judged("herding", {0: [20.0], 1: [80.0]}))
    assert found["improvement_over_random"] == pytest.approx(0.10)


def test_other_judges() -> None:
    others = (
        judged("herding", {0: [50.0]}, network="mlp"),
        judged("herding", {0: [70.0]}, network="lenet"),
        judged("herding", {0: [99.0]}, network="mlp", protocol="paper"),
        judged("herding", {0: [66.0]}, network="evaluation_convnet", protocol="keras"),
        judged("herding", {0: [81.5]}, protocol=STEPPED),
    )
    found = row(*HARD, *others)
    assert (found["cross_architecture_mean"], found["cross_architecture_networks"]) == (60.0, "lenet mlp")
    assert (found["accuracy_keras"], found["accuracy_learned_step_size"]) == (66.0, 81.5)
    table = comparison(records(*HARD, *others))
    assert headline_judge(table) == ("standard", "convnet")
    aside = table[table["protocol"].isin(["keras", STEPPED])]
    assert aside[SCORES].isna().all(axis=None)


def test_cross_checks_lead_only_where_nothing_else_judged() -> None:
    keras = [
        judged(name, {0: [50.0]}, network="evaluation_convnet", protocol="keras") for name in ("random", "herding")
    ]
    assert headline_judge(comparison(records(*keras, HARD[0]))) == ("standard", "convnet")
    assert headline_judge(comparison(records(*keras))) == ("keras", "evaluation_convnet")


def test_bytes_are_those_of_the_arrays(tmp_path: Path) -> None:
    about = {"method": "herding", "dataset": "digits", "images_per_class": 10, "seed": 0, "params": {}}
    told = Provenance.model_validate({**about, "class_names": ("a", "b"), "train_sha256": "0", "label_kind": "soft"})
    images, labels = np.zeros((20, 8, 8, 1), np.float32), np.repeat(np.arange(2), 10)
    path = tmp_path / "digits/herding/ipc-10/seed-3.npz"
    CondensedDataset(images, labels, told, np.full((20, 1, 2), 0.5, np.float16)).save(path)
    found = stored(tmp_path)
    assert found["digits", "herding", 10]["images"] == images.nbytes == 5120
    hard = row(*HARD, stored=found)
    assert (hard["image_bytes"], hard["label_bytes"]) == (5120, 160)
    soft = row(judged("herding", {0: [1.0]}, label_kind="soft"), kind="soft", stored=found)
    assert (soft["image_bytes"], soft["label_bytes"]) == (5120, 80)
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"seed-3\.npz is not a condensed set"):
        sizes(path)


def test_the_table_shows_what_was_measured_and_nothing_else() -> None:
    plain = judged("herding", {0: [70.0], 1: [74.0]}, protocol=PLAIN)
    table = comparison(records(*HARD, plain))
    found = scores_table("digits", Results(table, headline_judge(table)))
    assert found is not None
    texts = [dict(zip(found.columns, (cell.text for cell in cells), strict=True)) for cells in found.rows]
    assert [one["Method"] for one in texts] == ["Random", "Herding"]
    assert texts[1]["Loss without augmentation"] == "+8.0"
    assert found.rows[1][found.columns.index("Loss without augmentation")].note == "to 72.0 %"
    assert texts[0]["Loss without augmentation"] == "not measured"
    assert texts[0]["Label-robust score"] == "baseline"
    assert texts[1]["Label-robust score"] == "0.269"
    assert "Keras judge, %" not in found.columns
    assert scores_table("mnist", Results(table, headline_judge(table))) is None


def test_the_report_has_the_scores_in_every_form(tmp_path: Path) -> None:
    for cell in HARD:
        save(tmp_path, cell)
    save(tmp_path, judged("herding", {0: [70.0]}, protocol=PLAIN), "herding/ipc-10@no_augmentation.json")
    page = report(tmp_path, [], NullTracker())
    assert '<section id="scores">' in page.read_text()
    text = page.with_suffix(".md").read_text()
    assert "## Scores" in text
    assert "### Digits, protocol standard without augmentation, network convnet" in text
    assert list(pd.read_csv(page.with_suffix(".csv")).columns) == COLUMNS


def test_names() -> None:
    assert parted(under("standard", "no_augmentation")) == ("standard", "no_augmentation")
    assert (under("paper", ""), parted("paper")) == ("paper", ("paper", ""))
    assert protocol_name(PLAIN) == "standard without augmentation"
    assert (fraction(-0.05), byte_count(160), byte_count(31360), byte_count(3e6)) == (
        "−0.050",
        "160 B",
        "30.6 KiB",
        "2.9 MiB",
    )
