"""The published formats, idx, CIFAR's pickles and SVHN's MATLAB files, written here by hand and read back."""

import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from condensation.core.errors import InputError
from condensation.data import cifar, idx, svhn
from condensation.data.cifar import read_cifar_splits
from condensation.data.idx import read_idx, read_idx_splits
from condensation.data.svhn import read_svhn_splits


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def idx_bytes(array: np.ndarray) -> bytes:
    """LeCun's format: two zeros, 08 for bytes, the number of dimensions, each size, all big-endian."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_an_idx_file_comes_back(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(idx_bytes(noise(3, 4, 5)))
    np.testing.assert_array_equal(read_idx(tmp_path / "x", 3), noise(3, 4, 5))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an idx file of 3 dimensions: it starts with nothing, expected 00000803"),
        (idx_bytes(noise(3, 4)), "it starts with 00000802"),
        (b"\x1f\x8b\x08\x00" + bytes(20), "it starts with 1f8b0800"),
        (idx_bytes(noise(3, 4, 5))[:10], "not an idx file"),
        (idx_bytes(noise(3, 4, 5))[:-1], "x has 75 bytes, but its header promises 76"),
        (idx_bytes(noise(3, 4, 5)) + b"1", "x has 77 bytes, but its header promises 76"),
        (struct.pack(">4I", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1), "cut short or damaged"),
    ],
)
def test_an_idx_file_of_wrong_magic_or_size_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_idx(tmp_path / "x", 3)


def write_idx_set(folder: Path, test_labels: np.ndarray | None = None) -> None:
    for split, n in (("train", 20), ("test", 10)):
        images, labels = idx.FILES[split]
        (folder / images).write_bytes(idx_bytes(noise(n, 28, 28, seed=n)))
        (folder / labels).write_bytes(idx_bytes(np.arange(n, dtype=np.uint8)[::-1] % 10))
    if test_labels is not None:
        (folder / idx.FILES["test"][1]).write_bytes(idx_bytes(test_labels))


def test_four_idx_files_make_a_data_set(tmp_path: Path) -> None:
    write_idx_set(tmp_path)
    splits = read_idx_splits(tmp_path, "fashionmnist")
    assert splits.train.class_names[::9] == ("T-shirt", "Ankle boot")
    assert splits.train.labels.tolist()[:3] == [9, 8, 7]
    assert splits.test is not None
    np.testing.assert_array_equal(splits.test.images[..., 0], noise(10, 28, 28, seed=10))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(10, np.uint8), "test split of mnist: no image of class 1, 2"),
        (np.arange(9, dtype=np.uint8), "test split of mnist: 10 images need as many int64 labels"),
        (np.arange(1, 11, dtype=np.uint8), r"test split of mnist: labels must lie in 0\.\.9, got 1\.\.10"),
    ],
)
def test_labels_that_do_not_fit_the_images_are_refused(tmp_path: Path, labels: np.ndarray, message: str) -> None:
    write_idx_set(tmp_path, labels)
    with pytest.raises(InputError, match=message):
        read_idx_splits(tmp_path, "mnist")


class Published:
    """An array that pickles as CIFAR's files of 2009 do: protocol 2, a dtype of numbers, bytes as a str of latin-1."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __reduce__(self) -> Any:
        rebuild = np.empty(0).__reduce__()[0]
        return (
            rebuild,
            (np.ndarray, (0,), "b"),
            (1, self.array.shape, OldType(), False, self.array.tobytes().decode("latin1")),
        )


class OldType:
    def __reduce__(self) -> Any:
        return np.dtype, ("u1", 0, 1), (3, "|", None, None, None, -1, -1, 0)


def write_cifar(folder: Path, dataset: str, data: Any = Published) -> np.ndarray:
    """Two images of each class in every file; the pixels of all training files, uint8 (n, 3, 32, 32)."""
    labels_key, names_key = cifar.LABELS[dataset]
    classes, pixels = 3, []
    files = cifar.FILES[dataset]
    for number, name in enumerate([*files["train"], *files["test"]]):
        array = noise(2 * classes, 3072, seed=number)
        batch = {"data": data(array), labels_key: [0, 1, 2, 2, 1, 0], "coarse_labels": [0] * 6}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
        pixels.append(array)
    (folder / files["meta"][0]).write_bytes(pickle.dumps({names_key: ["ant", "bee", "cat"]}, protocol=2))
    return np.concatenate(pixels[: len(files["train"])]).reshape(-1, 3, 32, 32)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
@pytest.mark.parametrize("data", [Published, np.array])
def test_cifar_pickles_come_back(tmp_path: Path, dataset: str, data: Any) -> None:
    pixels = write_cifar(tmp_path, dataset, data)
    splits = read_cifar_splits(tmp_path, dataset)
    assert splits.train.class_names == ("ant", "bee", "cat")
    assert splits.train.labels.tolist()[:6] == [0, 1, 2, 2, 1, 0]
    assert splits.test is not None
    assert len(splits.test) == 6
    for channel in range(3):
        np.testing.assert_array_equal(splits.train.images[..., channel], pixels[:, channel])


class Attack:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("was-here"),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps({"data": Attack()}), r"it asks for pathlib\.Path\.touch; allowed: numpy arrays"),
        (pickle.dumps([1]), "it holds list, expected a dictionary"),
        (pickle.dumps({"data": noise(6, 3072)}), "'labels' must be a list of 6 whole numbers"),
        (pickle.dumps({"data": noise(6, 3072), "labels": [0, 1, 2]}), "'labels' must be a list of 6"),
        (pickle.dumps({"data": noise(2, 3072), "labels": [0, "1"]}), "'labels' must be a list of 2 whole numbers"),
        (pickle.dumps({"data": noise(6, 1024), "labels": [0] * 6}), r"'data' must be uint8 \(n, 3072\)"),
        (pickle.dumps({"data": noise(6, 3072)})[:-100], "is not a CIFAR file"),
        (b"", "is not a CIFAR file"),
        (b"text", "is not a CIFAR file"),
    ],
)
def test_a_pickle_that_is_no_cifar_file_is_refused_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_cifar(tmp_path, "cifar10")
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(InputError, match=rf"test_batch.*({message})"):
        read_cifar_splits(tmp_path, "cifar10")
    assert not Path("was-here").exists()


def test_a_meta_file_without_names_is_refused(tmp_path: Path) -> None:
    write_cifar(tmp_path, "cifar10")
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({"label_names": [1, 2, 3]}))
    with pytest.raises(InputError, match=r"batches\.meta: 'label_names' must be a list of names"):
        read_cifar_splits(tmp_path, "cifar10")


def write_svhn(folder: Path) -> None:
    for split, n in (("train", 20), ("test", 10)):
        labels = (np.arange(n) % 10 + 1).astype(np.uint8)[:, None]
        savemat(folder / svhn.FILES[split], {"X": noise(32, 32, 3, n, seed=n), "y": labels})


def test_svhn_comes_back_with_its_ten_as_zero(tmp_path: Path) -> None:
    write_svhn(tmp_path)
    splits = read_svhn_splits(tmp_path, "svhn")
    assert splits.train.labels.tolist()[:10] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    np.testing.assert_array_equal(splits.train.images[7], noise(32, 32, 3, 20, seed=20)[..., 7])


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-500]), "is not SVHN's MATLAB file"),
        (lambda path: path.write_bytes(b"text"), "is not SVHN's MATLAB file"),
        (lambda path: path.write_bytes(b""), "is not SVHN's MATLAB file"),
        (lambda path: savemat(path, {"X": noise(32, 32, 3, 5)}), "is not SVHN's MATLAB file with X and y"),
        (
            lambda path: savemat(path, {"X": noise(5, 32, 32, 3), "y": np.ones((3, 1))}),
            r"X must be uint8 \(32, 32, 3, n\)",
        ),
        (lambda path: savemat(path, {"X": noise(32, 32, 3, 20), "y": np.ones((3, 1))}), "20 images need as many"),
    ],
)
def test_a_damaged_svhn_file_is_named(tmp_path: Path, write: Any, message: str) -> None:
    write_svhn(tmp_path)
    write(tmp_path / "train_32x32.mat")
    with pytest.raises(InputError, match=message):
        read_svhn_splits(tmp_path, "svhn")
