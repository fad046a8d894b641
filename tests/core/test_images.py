"""ImageSet: what it refuses, its identity, its file, its split."""

from pathlib import Path

import numpy as np
import pytest

from condensation.core.errors import InputError
from condensation.core.files import write_npz
from condensation.core.images import ImageSet

NAMES = ("ant", "bee", "cat")


def images_of(counts: tuple[int, ...] = (4, 3, 5), shape: tuple[int, int, int] = (2, 3, 1), seed: int = 0) -> ImageSet:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int64)
    return ImageSet(rng.integers(0, 256, (len(labels), *shape), dtype=np.uint8), labels, NAMES[: len(counts)], "toy")


def changed(**fields: object) -> ImageSet:
    whole = images_of()
    values = {"images": whole.images, "labels": whole.labels, "class_names": NAMES, "dataset": "toy", **fields}
    return ImageSet(**values)  # type: ignore[arg-type]


ZEROS, LABELS = np.zeros((3, 2, 2, 1), np.uint8), np.arange(3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"images": np.zeros((3, 2, 2, 1), np.float32)}, r"toy: images must be uint8 .* got float32 \(3, 2, 2, 1\)"),
        ({"images": np.zeros((3, 2, 2), np.uint8)}, r"got uint8 \(3, 2, 2\)"),
        ({"images": np.zeros((3, 2, 2, 4), np.uint8)}, r"got uint8 \(3, 2, 2, 4\)"),
        ({"images": np.zeros((0, 2, 2, 1), np.uint8)}, "not empty"),
        ({"images": ZEROS, "labels": np.arange(2)}, r"3 images need as many int64 labels, got int64 \(2,\)"),
        ({"images": ZEROS, "labels": LABELS.astype(np.int32)}, "got int32"),
        ({"images": ZEROS, "labels": np.array([0, 1, 3])}, r"labels must lie in 0\.\.2, got 0\.\.3"),
        ({"images": ZEROS, "labels": np.array([-1, 0, 1])}, r"got -1\.\.1"),
        ({"images": ZEROS, "labels": np.array([0, 2, 2])}, "no image of class bee"),
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(**fields)


def test_numbers_about_a_set() -> None:
    whole = images_of(shape=(2, 3, 3))
    assert (len(whole), whole.classes, whole.image_shape) == (12, 3, (2, 3, 3))
    assert whole.counts().tolist() == [4, 3, 5]
    assert (whole.labels[whole.indices_of(2)] == 2).all()
    assert len(whole.indices_of(2)) == 5


def test_pixels_lie_in_0_to_1() -> None:
    whole = changed(images=np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1), labels=LABELS)
    np.testing.assert_array_equal(whole.pixels().ravel(), np.array([0, 0.2, 1], np.float32))
    np.testing.assert_array_equal(whole.pixels(np.array([2, 0])).ravel(), np.array([1, 0], np.float32))
    assert whole.pixels().dtype == np.float32


def test_identity_is_that_of_the_content_alone(tmp_path: Path) -> None:
    whole = images_of()
    assert images_of().sha256 == whole.sha256
    assert changed(dataset="other").sha256 == whole.sha256
    assert changed(images=np.asfortranarray(whole.images)).sha256 == whole.sha256
    others = [
        changed(images=whole.images ^ np.uint8(1)),
        changed(labels=(whole.labels + 1) % 3),
        changed(class_names=("ant", "bee", "cow")),
        changed(images=whole.images.reshape(12, 3, 2, 1)),
    ]
    assert len({whole.sha256, *(other.sha256 for other in others)}) == 5


def test_the_file_comes_back_and_is_stable(tmp_path: Path) -> None:
    whole = images_of()
    for name in ("a", "b"):
        whole.save(tmp_path / f"{name}.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back = ImageSet.load(tmp_path / "a.npz", "toy")
    assert back.sha256 == whole.sha256
    assert (back.class_names, back.dataset) == (whole.class_names, "toy")


@pytest.mark.parametrize("drop", ["class_names", "labels"])
def test_another_archive_is_refused(tmp_path: Path, drop: str) -> None:
    arrays = images_of().arrays()
    del arrays[drop]
    write_npz(tmp_path / "x.npz", arrays)
    with pytest.raises(InputError, match=r"x\.npz holds .*; allowed: images, labels, class_names"):
        ImageSet.load(tmp_path / "x.npz", "toy")


def test_a_split_is_stratified_disjoint_and_whole() -> None:
    whole = images_of((20, 10, 5))
    rest, held = whole.split(0.2, seed=3)
    assert held.counts().tolist() == [4, 2, 1]
    assert (rest.counts() + held.counts()).tolist() == [20, 10, 5]
    both = np.concatenate([rest.images, held.images]).reshape(35, -1)
    assert sorted(map(bytes, both)) == sorted(map(bytes, whole.images.reshape(35, -1)))


def test_a_split_depends_on_its_seed_and_nothing_else() -> None:
    whole = images_of((20, 10, 5))
    assert whole.split(0.2, 3)[1].sha256 == whole.split(0.2, 3)[1].sha256
    assert len({whole.split(0.2, seed)[1].sha256 for seed in range(5)}) == 5


def test_each_side_keeps_an_image_of_each_class_at_any_fraction() -> None:
    whole = images_of((2, 2, 3))
    assert whole.split(0.001, 0)[1].counts().tolist() == [1, 1, 1]
    assert whole.split(0.999, 0)[0].counts().tolist() == [1, 1, 1]
    with pytest.raises(InputError, match="class bee has 1 image; splitting needs at least 2"):
        images_of((4, 1, 5)).split(0.5, 0)


def test_taking_images_keeps_their_order_and_needs_every_class() -> None:
    whole = images_of()
    order = np.argsort(whole.labels)[::-1]
    np.testing.assert_array_equal(whole.take(order).images, whole.images[order])
    with pytest.raises(InputError, match="no image of class bee, cat"):
        whole.take(whole.indices_of(0))
