"""CondensedDataset: what it refuses, its bytes, and the request checked before long work."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from condensation.core.condensed import CondensedDataset, Provenance, check_request
from condensation.core.errors import InputError
from condensation.core.files import read_npz, write_npz
from condensation.core.images import ImageSet
from condensation.core.params import Section


class Params(Section):
    rate: float = 0.5


def train_set(counts: tuple[int, ...] = (6, 3, 5)) -> ImageSet:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int64)
    images = rng.integers(0, 256, (len(labels), 2, 3, 3), dtype=np.uint8)
    return ImageSet(images, labels, ("ant", "bee", "cat")[: len(counts)], "toy")


def built(**changes: Any) -> CondensedDataset:
    """Two images of each of three classes, given out of order, with soft labels when asked for."""
    rng = np.random.default_rng(changes.pop("noise", 1))
    values: dict[str, Any] = {
        "method": "made_up",
        "images_per_class": 2,
        "seed": 4,
        "params": Params(),
        "learned": {"step_size": 0.01},
    }
    images = rng.normal(0.5, 0.5, (6, 2, 3, 3)).astype(np.float32)
    return CondensedDataset.build(train_set(), images, np.array([2, 0, 1, 2, 1, 0]), **{**values, **changes})


def soft(n: int = 6) -> np.ndarray:
    return np.full((n, 1, 3), 1 / 3, np.float16)


def test_images_are_sorted_by_class_and_keep_their_order_within_it() -> None:
    labels = np.array([2, 0, 1, 2, 1, 0])
    images = np.arange(6, dtype=np.float64)[:, None, None, None] * np.ones((6, 2, 3, 3))
    probabilities = np.repeat(np.eye(3)[labels][:, None], 1, 1).astype(np.float16)
    done = CondensedDataset.build(
        train_set(), images, labels, method="m", images_per_class=2, seed=0, params=Params(), soft_labels=probabilities
    )
    assert done.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert done.images[:, 0, 0, 0].tolist() == [1, 5, 2, 4, 0, 3]
    assert done.images.dtype == np.float32
    assert done.soft_labels is not None
    assert done.soft_labels[:, 0].argmax(-1).tolist() == [0, 0, 1, 1, 2, 2]


def test_provenance_says_how_to_make_it_again() -> None:
    provenance = built(soft_labels=soft()).provenance
    assert provenance.model_dump() == {
        "format": 1,
        "method": "made_up",
        "dataset": "toy",
        "images_per_class": 2,
        "seed": 4,
        "params": {"rate": 0.5},
        "class_names": ("ant", "bee", "cat"),
        "train_sha256": train_set().sha256,
        "label_kind": "soft",
        "pictures_per_image": 1,
        "learned": {"step_size": 0.01},
    }


def test_a_selection_holds_the_real_pixels() -> None:
    train = train_set()
    chosen = np.array([train.indices_of(label)[0] for label in (2, 0, 1)])
    done = CondensedDataset.of_selection(train, chosen, method="m", images_per_class=1, seed=0, params=Params())
    np.testing.assert_array_equal(np.rint(done.images * 255), train.images[chosen[[1, 2, 0]]])


@pytest.mark.parametrize("labels", [None, soft()])
def test_the_file_comes_back_and_its_bytes_are_stable(tmp_path: Path, labels: np.ndarray | None) -> None:
    whole = built(soft_labels=labels)
    whole.save(tmp_path / "set.npz")
    assert (tmp_path / "set.npz").read_bytes() == built(soft_labels=labels).to_bytes()
    for back in (CondensedDataset.load(tmp_path / "set.npz"), CondensedDataset.from_bytes(whole.to_bytes())):
        assert back.to_bytes() == whole.to_bytes()
        assert back.provenance == whole.provenance
        np.testing.assert_array_equal(back.images, whole.images)
        assert (back.soft_labels is None) == (labels is None)


def test_bytes_differ_where_anything_differs() -> None:
    variants = [
        built(),
        built(noise=2),
        built(seed=5),
        built(params=Params(rate=0.25)),
        built(learned=None),
        built(soft_labels=soft()),
    ]
    assert len({variant.to_bytes() for variant in variants}) == len(variants)


def raw(**changes: Any) -> CondensedDataset:
    whole = built()
    values = {"images": whole.images, "labels": whole.labels, "provenance": whole.provenance, "soft_labels": None}
    return CondensedDataset(**{**values, **changes})


def of_kind(kind: str) -> Provenance:
    return built().provenance.model_copy(update={"label_kind": kind})


NAN = np.full((6, 2, 3, 3), np.nan, np.float32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": NAN.astype(np.float64)}, "must be float32 .* got float64"),
        ({"images": NAN[..., :2]}, r"got float32 \(6, 2, 3, 2\)"),
        ({"images": NAN[:0]}, "not empty"),
        ({"images": NAN}, "must be finite"),
        ({"labels": np.array([0, 0, 1, 1, 2])}, "6 images need as many int64 labels"),
        ({"labels": np.array([0, 0, 1, 1, 2, 2], np.uint8)}, "got uint8"),
        ({"labels": np.array([0, 0, 0, 2, 2, 2])}, r"cover each of 0\.\.2, got \[0, 2\]"),
        ({"labels": np.array([0, 1, 1, 2, 2, 3])}, r"got \[0, 1, 2, 3\]"),
        ({"labels": np.array([0, 1, 0, 1, 2, 2])}, "sorted by label"),
        ({"soft_labels": soft()}, "label kind 'hard'"),
        ({"provenance": of_kind("soft")}, "label kind 'soft'"),
        ({"provenance": of_kind("soft"), "soft_labels": soft()[:, 0]}, r"must be float16 \(6, 1, 3\), got .* \(6, 3\)"),
        ({"provenance": of_kind("soft"), "soft_labels": soft().astype(np.float32)}, "got float32"),
        ({"provenance": of_kind("soft"), "soft_labels": soft() * np.float16(0.9)}, "each row summing to 1"),
        ({"provenance": of_kind("soft"), "soft_labels": soft() * [[[4, -2, 1]]]}, "got float64"),
        (
            {"provenance": of_kind("soft"), "soft_labels": np.tile(np.float16([1.5, -0.5, 0]), (6, 1, 1))},
            "not negative",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        raw(**changes)


def test_another_archive_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    train_set().save(path)
    with pytest.raises(InputError, match=r"set\.npz is not a condensed set: it holds class_names, images, labels"):
        CondensedDataset.load(path)


@pytest.mark.parametrize("text", ["{", "{}", '{"format": 2}'])
def test_a_provenance_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "set.npz"
    built().save(path)
    write_npz(path, {**read_npz(path), "provenance": np.array(text)})
    with pytest.raises(InputError, match=r"set\.npz: provenance cannot be read"):
        CondensedDataset.load(path)


@pytest.mark.parametrize("number", [0, -1, 4])
def test_more_images_than_the_smallest_class_has_are_refused_before_work(number: int) -> None:
    message = rf"images per class {number} is not possible on toy; allowed: 1\.\.3 \(class bee has 3 training images\)"
    with pytest.raises(InputError, match=message):
        check_request(train_set(), number)


def test_a_request_that_every_class_can_meet_is_let_through() -> None:
    for number in (1, 3):
        check_request(train_set(), number)
