"""A person's own .npz: what is read, and what is refused, mostly before an array is read."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from condensation.core.errors import InputError
from condensation.data.arrays import check_arrays, read_array_splits

LIMIT = 10**9


def images(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, *shape), dtype=np.uint8)


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_grey_arrays_without_names(tmp_path: Path, dtype: type) -> None:
    labels = np.array([1, 0, 2, 1, 0, 2], dtype)
    splits = read_array_splits(save(tmp_path / "x.npz", images=images(6, 4, 5), labels=labels), "mine", LIMIT)
    assert splits.test is None
    assert splits.train.class_names == ("0", "1", "2")
    assert splits.train.labels.tolist() == [1, 0, 2, 1, 0, 2]
    np.testing.assert_array_equal(splits.train.images, images(6, 4, 5)[..., None])


def test_coloured_arrays_with_a_test_split_and_names(tmp_path: Path) -> None:
    path = save(
        tmp_path / "x.npz",
        train_images=images(4, 2, 3, 3),
        train_labels=np.array([1, 0, 1, 0]),
        test_images=images(2, 2, 3, 3),
        test_labels=np.array([0, 1]),
        class_names=np.array(["bee", "ant"]),
    )
    splits = read_array_splits(path, "mine", LIMIT)
    assert splits.train.class_names == ("bee", "ant")
    assert splits.test is not None
    np.testing.assert_array_equal(splits.test.images, images(2, 2, 3, 3))
    assert splits.test.labels.tolist() == [0, 1]


GOOD = {"images": images(4, 2, 3), "labels": np.array([0, 1, 0, 1])}
SPLIT = {
    "train_images": images(4, 2, 3),
    "train_labels": np.array([0, 1, 0, 1]),
    "test_images": images(2, 2, 3),
    "test_labels": np.array([0, 1]),
}
AT_SIGHT = [
    ({**GOOD, "labels": np.array([0, 1, 0])}, r"labels is int64 \(3,\); allowed: whole numbers \(4,\)"),
    ({**GOOD, "labels": np.array([[0], [1], [0], [1]])}, r"labels is int64 \(4, 1\)"),
    ({**GOOD, "labels": np.array([0.0, 1, 0, 1])}, "labels is float64"),
    ({**GOOD, "labels": np.array(list("abab"))}, "labels is <U1"),
    ({**GOOD, "images": images(4, 2, 3) / 255}, r"images is float64 \(4, 2, 3\); allowed: uint8 \(n, h, w\)"),
    ({**GOOD, "images": images(4, 3, 8, 8)}, r"images is uint8 \(4, 3, 8, 8\); allowed"),
    ({**GOOD, "images": images(4, 6)}, r"images is uint8 \(4, 6\)"),
    ({**GOOD, "images": images(0, 2, 3), "labels": np.array([], np.int64)}, r"images is uint8 \(0, 2, 3\)"),
    ({"images": GOOD["images"]}, "x.npz holds images; allowed: images, labels; or"),
    ({**GOOD, "weights": np.ones(4)}, "x.npz holds images, labels, weights; allowed"),
    ({k: v for k, v in SPLIT.items() if k != "test_labels"}, "holds test_images, train_images, train_labels; allowed"),
    ({**SPLIT, "test_labels": np.array([0])}, r"test_labels is int64 \(1,\); allowed: whole numbers \(2,\)"),
    ({**GOOD, "labels": np.array([0, 1, None, 1])}, r"labels\.npy holds pickled objects, which are refused"),
    ({**GOOD, "class_names": np.array(["a", None])}, r"class_names\.npy holds pickled objects"),
    ({**GOOD, "class_names": np.array([1, 2])}, "class_names is int64"),
]


@pytest.mark.parametrize(("arrays", "message"), AT_SIGHT)
def test_what_is_wrong_at_sight_is_refused_without_reading_an_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrays: dict[str, Any], message: str
) -> None:
    path = save(tmp_path / "x.npz", **arrays)
    monkeypatch.setattr(np.lib.format, "read_array", None)
    with pytest.raises(InputError, match=message):
        check_arrays(path)


WITHIN = [
    ({**GOOD, "labels": np.array([0, 2, 0, 2])}, r"labels are 0, 2; allowed: 0\.\.1, each of them at least once"),
    ({**GOOD, "labels": np.array([1, 2, 1, 2])}, "labels are 1, 2"),
    ({**GOOD, "labels": np.array([-1, 0, 1, 1])}, "labels are -1, 0, 1"),
    ({**GOOD, "labels": np.array([0, 10**15, 0, 0])}, "labels are 0, 1000000000000000;"),
    ({**GOOD, "class_names": np.array(["a", "b", "c"])}, r"labels are 0, 1; allowed: 0\.\.2"),
    ({**GOOD, "class_names": np.array(["a"])}, r"labels are 0, 1; allowed: 0\.\.0"),
    ({**GOOD, "class_names": np.array(["a", "a"])}, "class name 'a' occurs twice"),
    ({**GOOD, "class_names": np.array(["a", "../b"])}, "class name '../b' cannot name a folder"),
    ({**GOOD, "class_names": np.array(["a", ".."])}, r"class name '\.\.' cannot name a folder"),
    ({**GOOD, "class_names": np.array(["a", "b\n"])}, "cannot name a folder"),
    ({**SPLIT, "test_labels": np.array([1, 1])}, "test split of mine: no image of class 0"),
    ({**SPLIT, "test_labels": np.array([0, 2])}, r"test split of mine: labels must lie in 0\.\.1, got 0\.\.2"),
    ({**SPLIT, "test_images": images(2, 3, 3)}, r"training images are \(2, 3, 1\) and test images \(3, 3, 1\)"),
]


@pytest.mark.parametrize(("arrays", "message"), WITHIN)
def test_labels_and_names_that_do_not_fit_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_array_splits(save(tmp_path / "x.npz", **arrays), "mine", LIMIT)


def with_header(path: Path, header: bytes, body: bytes = b"") -> Path:
    save(path, **GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("class_names.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body)
    return path


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path: Path) -> None:
    """A petabyte must not even be asked for."""
    path = with_header(tmp_path / "x.npz", b"{'descr': '|u1', 'fortran_order': False, 'shape': (10**15,)}".ljust(118))
    with pytest.raises(InputError, match=r"x\.npz"):
        check_arrays(path)
    path = with_header(tmp_path / "y.npz", b"{'descr': '|u1', 'fortran_order': False, 'shape': (999999999999999,)}")
    with pytest.raises(InputError, match=r"y\.npz: class_names\.npy is damaged: .* does not fit 0 bytes"):
        check_arrays(path)


def test_an_archive_that_unpacks_to_more_than_memory_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", images=np.zeros((2, 3000, 3000), np.uint8), labels=np.array([0, 1]))
    assert (tmp_path / "x.npz").stat().st_size < 100_000
    with pytest.raises(InputError, match=r"x\.npz unpacks to 0\.018 GB; allowed by prepare\.memory_limit_gb: 0\.01 GB"):
        read_array_splits(tmp_path / "x.npz", "mine", 10**7)


def broken_archives() -> dict[str, bytes]:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **GOOD)
    whole = buffer.getvalue()
    text = io.BytesIO()
    with zipfile.ZipFile(text, "w") as archive:
        archive.writestr("images.npy", "hello")
    single = io.BytesIO()
    np.save(single, np.arange(3))
    return {
        "nothing": b"",
        "text": b"hello",
        "cut short": whole[:-50],
        "changed": whole[:60] + bytes(30) + whole[90:],
        "no array": text.getvalue(),
        "single array": single.getvalue(),
    }


@pytest.mark.parametrize("kind", broken_archives())
def test_an_archive_that_cannot_be_read_is_named(tmp_path: Path, kind: str) -> None:
    (tmp_path / "x.npz").write_bytes(broken_archives()[kind])
    with pytest.raises(InputError, match=r"x\.npz"):
        read_array_splits(tmp_path / "x.npz", "mine", LIMIT)
