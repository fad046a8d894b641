"""prepare: three stratified splits and the facts about them, the same bytes for the same seed."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import BOTH, colours, encoded, flowers, write_zip

from condensation.core.errors import InputError
from condensation.core.files import file_digest
from condensation.core.images import ImageSet, pixel_statistics
from condensation.core.params import check
from condensation.stages.fetch import fetch
from condensation.stages.prepare import PrepareParams, prepare

VALUES = {"validation_fraction": 0.25, "test_fraction": 0.2, "seed": 0, "image_size": None, "memory_limit_gb": 1.0}


def params(**changes: Any) -> PrepareParams:
    return PrepareParams(**{**VALUES, **changes})


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw = tmp_path_factory.mktemp("raw") / "digits"
    fetch("digits", data_root=None, raw=raw)
    return raw


def own(folder: Path, files: dict[str, bytes]) -> Path:
    path = write_zip(folder / "flowers.zip", files)
    fetch(str(path), data_root=None, raw=folder / "raw" / "flowers")
    return folder / "raw" / "flowers"


def prepared(raw: Path, out: Path, **changes: Any) -> dict[str, ImageSet]:
    prepare(raw.name, raw=raw, out=out, params=params(**changes))
    return {name: ImageSet.load(out / f"{name}.npz", raw.name) for name in ("train", "validation", "test")}


def test_digits_are_split_three_ways_class_by_class(digits: Path, tmp_path: Path) -> None:
    sets = prepared(digits, tmp_path / "digits")
    with np.load(digits / "digits.npz") as arrays:
        whole, labels = arrays["images"], arrays["labels"]
    counts = np.bincount(labels)
    test = np.rint(0.2 * counts).astype(int)
    validation = np.rint(0.25 * (counts - test)).astype(int)
    assert sets["test"].counts().tolist() == test.tolist()
    assert sets["validation"].counts().tolist() == validation.tolist()
    together = np.concatenate([s.images for s in sets.values()]).reshape(len(whole), -1)
    assert sorted(map(bytes, together)) == sorted(map(bytes, whole.reshape(len(whole), -1)))


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_images(digits: Path, tmp_path: Path) -> None:
    def content(name: str, seed: int) -> dict[str, bytes]:
        prepared(digits, tmp_path / name, seed=seed)
        return {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()}

    first, again, other = content("a", 0), content("b", 0), content("c", 1)
    assert first == again
    assert set(first) == {"train.npz", "validation.npz", "test.npz", "facts.json"}
    assert not {name for name in first if first[name] == other[name]}


def test_a_test_split_that_came_with_the_data_is_kept(tmp_path: Path) -> None:
    raw = own(tmp_path, flowers(BOTH))
    chosen = set()
    for seed in range(4):
        sets = prepared(raw, tmp_path / "out", seed=seed, validation_fraction=0.5)
        np.testing.assert_array_equal(sets["test"].images, np.stack([colours(i) for i in (8, 9, 7)]))
        assert sets["validation"].counts().tolist() == [2, 2]
        assert sets["train"].counts().tolist() == [1, 2]
        chosen.add(sets["validation"].sha256)
    assert len(chosen) > 1


def test_facts_are_those_of_the_files(tmp_path: Path) -> None:
    raw = own(tmp_path, flowers(BOTH))
    sets = prepared(raw, tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "facts.json").read_text())
    pixels = sets["train"].images.astype(np.float64) / 255
    np.testing.assert_allclose(facts.pop("mean"), pixels.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(facts.pop("std"), pixels.std((0, 1, 2)), rtol=1e-12)
    assert facts == {
        "dataset": "flowers",
        "class_names": ["aster", "rose"],
        "shape": [4, 5, 3],
        "splits": {
            "train": {"images": 5, "counts": {"aster": 2, "rose": 3}, "sha256": sets["train"].sha256},
            "validation": {"images": 2, "counts": {"aster": 1, "rose": 1}, "sha256": sets["validation"].sha256},
            "test": {"images": 3, "counts": {"aster": 2, "rose": 1}, "sha256": sets["test"].sha256},
        },
        "inputs": {"flowers.zip": file_digest(raw / "flowers.zip")},
        "params": VALUES,
    }


def test_pixel_statistics_are_exact_on_large_sets() -> None:
    """Float32 sums drift here; the reference is written out in whole numbers."""
    images = np.full((3000, 20, 20, 2), 255, np.uint8)
    images[::3, ..., 0] = 0
    mean, std = pixel_statistics(images)
    assert mean == [2 / 3, 1.0]
    np.testing.assert_allclose(std, [np.sqrt(2) / 3, 0], rtol=1e-15)


def test_resizing_applies_to_every_layout(digits: Path, tmp_path: Path) -> None:
    assert prepared(digits, tmp_path / "digits", image_size=5)["train"].image_shape == (5, 5, 1)
    files = {**flowers(BOTH), "train/rose/large.png": encoded(colours(9, 30, 30))}
    raw = own(tmp_path, files)
    with pytest.raises(InputError, match=r"is 5x4 and train/rose/large\.png is 30x30 pixels; .* prepare\.image_size"):
        prepared(raw, tmp_path / "out")
    assert prepared(raw, tmp_path / "out", image_size=8)["test"].image_shape == (8, 8, 3)


def test_more_than_the_memory_allowed_is_refused(tmp_path: Path) -> None:
    raw = own(tmp_path, {f"train/{c}/{i}.png": encoded(np.zeros((300, 300), np.uint8)) for c in "ab" for i in range(3)})
    with pytest.raises(InputError, match=r"6 pictures of 300x300 unpack to 0\.00054 GB; .*memory_limit_gb: 0\.0005 GB"):
        prepared(raw, tmp_path / "out", memory_limit_gb=0.0005)


def test_a_bad_picture_is_named_and_the_old_splits_stay(tmp_path: Path) -> None:
    raw = own(tmp_path, flowers(BOTH))
    prepared(raw, tmp_path / "out")
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    raw = own(tmp_path, {**flowers(BOTH), "test/rose/bad.png": b"no picture"})
    with pytest.raises(InputError, match=r"flowers\.zip: test/rose/bad\.png is not a picture"):
        prepared(raw, tmp_path / "out")
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


def test_a_full_disk_keeps_the_old_splits(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(digits, tmp_path / "digits")
    before = {p.name: p.read_bytes() for p in (tmp_path / "digits").iterdir()}
    fsync, calls = os.fsync, iter(range(10))

    def full_at_the_third_file(handle: int) -> None:
        if next(calls) == 2:
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full_at_the_third_file)
    with pytest.raises(OSError, match="No space left"):
        prepared(digits, tmp_path / "digits", seed=1)
    assert {p.name: p.read_bytes() for p in (tmp_path / "digits").iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["digits"]


def test_raw_data_must_be_there_and_unchanged(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no manifest\.json: fetch the data set first"):
        prepared(tmp_path / "digits", tmp_path / "out")
    raw = own(tmp_path, flowers(BOTH))
    write_zip(raw / "flowers.zip", flowers(BOTH, start=50))
    with pytest.raises(InputError, match=r"flowers\.zip has changed since the fetch"):
        prepared(raw, tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation_fraction": 0}, r"prepare\.validation_fraction is 0"),
        ({"test_fraction": 1.0}, r"prepare\.test_fraction is 1\.0: input should be less than 1"),
        ({"seed": "0"}, r"prepare\.seed is '0'"),
        ({"seed": -1}, r"prepare\.seed is -1"),
        ({"image_size": 0}, r"prepare\.image_size is 0"),
        ({"image_size": 2.5}, r"prepare\.image_size is 2\.5"),
        ({"memory_limit_gb": 0}, r"prepare\.memory_limit_gb is 0"),
        ({"shuffle": True}, r"prepare\.shuffle is unknown; allowed in prepare: image_size, memory_limit_gb, seed"),
    ],
)
def test_mistyped_parameters_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check({**VALUES, **changes}, PrepareParams, "prepare")


REAL = {
    "mnist": (1, [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958], 0.1307, 0.3081),
    "fashionmnist": (1, [7000] * 10, 0.2860, 0.3530),
}


@pytest.mark.real_data
@pytest.mark.parametrize("dataset", REAL)
def test_real_data_have_their_published_counts_and_statistics(dataset: str, tmp_path: Path) -> None:
    from condensation.data.sources import data_root, find_local

    root = data_root()
    if root is None or find_local(dataset, root) is None:
        pytest.skip(f"{dataset} is not under CONDENSATION_DATA")
    channels, counts, mean, std = REAL[dataset]
    fetch(dataset, data_root=root, raw=tmp_path / "raw" / dataset)
    sets = prepared(tmp_path / "raw" / dataset, tmp_path / "out" / dataset)
    assert sets["train"].image_shape == (28, 28, channels)
    assert sum(s.counts() for s in sets.values()).tolist() == counts
    train = np.concatenate([sets["train"].images, sets["validation"].images])
    np.testing.assert_allclose(pixel_statistics(train), [[mean], [std]], atol=1e-4)
