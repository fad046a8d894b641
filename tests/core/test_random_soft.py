"""Random images with a teacher's labels: the same images as random's, labelled by what the teacher says of them."""

from pathlib import Path

import numpy as np
import pytest
from contract import make, params_of, teacher_folder, toy

from condensation.core.errors import InputError
from condensation.core.files import read_npz
from condensation.core.runlog import RunLog
from condensation.core.taught import soft_labels
from condensation.selection.random import draw
from condensation.selection.random_soft import condense


def test_the_images_are_those_of_random(tmp_path: Path) -> None:
    soft, hard = (make(method, toy(), 4, tmp_path) for method in ("random_soft", "random"))
    np.testing.assert_array_equal(soft.images, hard.images)
    np.testing.assert_array_equal(soft.labels, hard.labels)
    assert (soft.provenance.label_kind, hard.provenance.label_kind) == ("soft", "hard")


def test_the_labels_are_the_teachers_of_the_same_images(tmp_path: Path) -> None:
    train = toy()
    made = make("random_soft", train, 4, tmp_path)
    logits = read_npz(teacher_folder(tmp_path / "again", train, 4) / "features.npz")["logits"]
    chosen = draw(train, 2, 4)
    wanted = np.exp(logits[chosen].astype(np.float64) / params_of("random_soft").temperature)
    wanted /= wanted.sum(1, keepdims=True)
    np.testing.assert_allclose(made.soft_labels[:, 0], wanted, atol=1e-3)


def test_a_temperature_softens() -> None:
    logits = np.array([[4.0, 0.0]])
    first, second = (soft_labels(logits, temperature)[0, 0, 0] for temperature in (1.0, 4.0))
    assert first == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-3)
    assert second == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-3)
    assert soft_labels(np.full((5, 100), 9.0), 2.0).dtype == np.float16


def test_a_teacher_of_other_data_is_refused(tmp_path: Path) -> None:
    teacher_folder(tmp_path, toy(counts=(5, 5, 5)), 0)
    with pytest.raises(InputError, match="not trained on these 41 images of toy"):
        condense(toy(), images_per_class=1, params=params_of("random_soft"), seed=0, log=RunLog(), teacher=tmp_path)
