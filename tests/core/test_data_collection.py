"""A person's own zip or folder of pictures: what is read, and what is refused by the name of the entry."""

import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from picture_files import BOTH, Files, colours, encoded, flowers, write_folder, write_zip

from condensation.core.errors import InputError
from condensation.core.runlog import RunLog
from condensation.data.archive import open_zip
from condensation.data.folder import open_folder
from condensation.data.splits import Splits

LIMIT = 10**9


def of_zip(path: Path, memory_limit: int = LIMIT) -> Splits:
    with open_zip(path) as collection:
        return collection.splits("flowers", image_size=None, memory_limit=memory_limit, log=RunLog())


def of_folder(path: Path, memory_limit: int = LIMIT) -> Splits:
    return open_folder(path).splits("flowers", image_size=None, memory_limit=memory_limit, log=RunLog())


def of_kind(kind: str, folder: Path, files: Files, wrapper: str = "") -> Splits:
    if kind == "zip":
        return of_zip(write_zip(folder / "flowers.zip", files, wrapper))
    return of_folder(write_folder(folder / "flowers", files, wrapper))


@pytest.mark.parametrize("wrapper", ["", "flowers/", "./"])
@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_classes_are_sorted_and_pictures_in_the_order_of_their_names(tmp_path: Path, kind: str, wrapper: str) -> None:
    files = flowers(BOTH)
    shuffled = {name: files[name] for name in np.random.default_rng(0).permutation(list(files))}
    splits = of_kind(kind, tmp_path, shuffled, wrapper)
    assert splits.train.class_names == ("aster", "rose")
    assert splits.train.labels.tolist() == [0] * 3 + [1] * 4
    np.testing.assert_array_equal(splits.train.images, np.stack([colours(i) for i in (4, 5, 6, 0, 1, 2, 3)]))
    assert splits.test is not None
    assert splits.test.labels.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(splits.test.images, np.stack([colours(i) for i in (8, 9, 7)]))


def test_a_test_split_is_not_needed_and_leftovers_are_passed_over(tmp_path: Path) -> None:
    junk = {
        "LICENSE": b"",
        ".DS_Store": b"x",
        "train/.DS_Store": b"x",
        "train/rose/._000.png": b"x",
        "train/rose/Thumbs.db": b"x",
        "__MACOSX/train/rose/._000.png": b"x",
    }
    files = {**flowers({"train/rose": 3, "train/aster": 3}), **junk}
    for splits in (of_zip(write_zip(tmp_path / "f.zip", files)), of_folder(write_folder(tmp_path / "f", files))):
        assert (len(splits.train), splits.test) == (6, None)


PICTURE = encoded(colours(0))
THREE = flowers({"train/rose": 3, "train/aster": 3})
OUT_OF_PLACE: dict[str, tuple[Files, str]] = {
    "a text among the pictures": ({**THREE, "train/rose/notes.txt": b"x"}, r"'train/rose/notes\.txt' is out of place"),
    "a picture without a class": ({**THREE, "train/stray.png": PICTURE}, r"'train/stray\.png' is out of place"),
    "a picture beside train": (
        {**THREE, "stray.png": PICTURE},
        r"'stray\.png' is out of place; allowed: train/<class>",
    ),
    "a folder in a class": ({**THREE, "train/rose/red/1.png": PICTURE}, r"'train/rose/red/?(1\.png)?' is out of place"),
    "another split": ({**THREE, "val/rose/1.png": PICTURE}, "folder 'val' is unknown; allowed: train and test"),
    "no train": (flowers({"rose": 3, "aster": 3}), "folder '(rose|aster)' is unknown|holds no train/<class>"),
    "nothing": ({"LICENSE": b"x"}, "holds no train/<class>/<name>.png"),
    "a class missing in test": (
        flowers({"train/rose": 3, "train/aster": 3, "test/rose": 1}),
        "class 'aster' has 0 pictures in test/; allowed: 1 or more",
    ),
    "a class missing in train": (
        flowers({"train/rose": 3, "train/aster": 3, "test/rose": 1, "test/aster": 1, "test/tulip": 1}),
        "class 'tulip' has 0 pictures in train/; allowed: 2 or more",
    ),
    "too few to hold out two splits": (
        flowers({"train/rose": 3, "train/aster": 2}),
        "class 'aster' has 2 pictures in train/; allowed: 3 or more, some are held out",
    ),
}


@pytest.mark.parametrize("case", OUT_OF_PLACE)
@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_what_is_out_of_place_is_named(tmp_path: Path, kind: str, case: str) -> None:
    files, message = OUT_OF_PLACE[case]
    with pytest.raises(InputError, match=message):
        of_kind(kind, tmp_path, files)


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "flowers", THREE)
    (folder / "train" / "tulip").mkdir()
    with pytest.raises(InputError, match="class 'tulip' has 0 pictures in train/"):
        open_folder(folder)
    with pytest.raises(InputError, match="class 'tulip' has 0 pictures in train/"):
        of_zip(write_zip(tmp_path / "flowers.zip", {**THREE, "train/tulip/": b""}))


def test_links_in_a_folder_are_followed_and_never_in_circles(tmp_path: Path) -> None:
    elsewhere = write_folder(tmp_path / "elsewhere", flowers({"train/rose": 3}))
    folder = write_folder(tmp_path / "flowers", flowers({"train/aster": 3}))
    (folder / "train" / "rose").symlink_to(elsewhere / "train" / "rose")
    assert len(of_folder(folder).train) == 6
    (folder / "train" / "aster" / "loop").symlink_to(folder)
    with pytest.raises(InputError, match="'train/aster/loop/' is out of place"):
        open_folder(folder)


@pytest.mark.parametrize(
    "name",
    ["../evil.png", "train/../../evil.png", "/train/rose/evil.png", "C:/train/rose/evil.png", "train\\rose\\evil.png"],
)
def test_an_entry_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "flowers.zip", {**THREE, name: PICTURE})
    with pytest.raises(InputError, match=r"entry '.*evil\.png' leads out of the archive"):
        of_zip(path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["flowers.zip"]


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_an_entry_that_is_a_link_or_device_is_refused(tmp_path: Path, mode: int) -> None:
    path = write_zip(tmp_path / "flowers.zip", THREE)
    info = zipfile.ZipInfo("train/rose/link.png")
    info.external_attr = (mode | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(InputError, match=r"entry 'train/rose/link\.png' is a link or a device"):
        of_zip(path)


def test_an_entry_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "flowers.zip", THREE)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train/rose/000.png", PICTURE)
    with pytest.raises(InputError, match=r"entry 'train/rose/000\.png' occurs 2 times"):
        of_zip(path)


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "flowers.zip", THREE)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"entry 'train/rose/000\.png' is encrypted"):
        of_zip(path)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04" + bytes(50)])
def test_a_file_that_is_no_zip_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "flowers.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"flowers\.zip is not a readable zip"):
        of_zip(tmp_path / "flowers.zip")


def test_a_zip_that_was_cut_short_is_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "flowers.zip", THREE)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"flowers\.zip is not a readable zip"):
        of_zip(path)


def test_an_entry_whose_bytes_changed_is_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "flowers.zip", THREE)
    content = bytearray(path.read_bytes())
    content[content.index(b"train/rose/000.png") + 60] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"flowers\.zip: train/rose/000\.png is damaged: Bad CRC-32"):
        of_zip(path)


@pytest.mark.parametrize("content", [PICTURE[:-20], b"text"])
@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_a_truncated_or_other_file_is_named(tmp_path: Path, kind: str, content: bytes) -> None:
    files = {**THREE, "train/rose/bad.png": content}
    with pytest.raises(
        InputError, match=r"flowers(\.zip)?: train/rose/bad\.png is (not a picture|damaged or cut short)"
    ):
        of_kind(kind, tmp_path, files)


def test_a_zip_that_unpacks_to_more_than_memory_is_refused_before_a_byte_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "flowers.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in THREE.items():
            archive.writestr(name, content)
        archive.writestr("train/rose/zeros.png", bytes(20_000_000))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    with pytest.raises(InputError, match=r"flowers\.zip unpacks to 0\.02 GB of files; .*memory_limit_gb: 0\.01 GB"):
        of_zip(path, memory_limit=10_000_000)


def test_an_entry_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    """The directory says 100 bytes; 20 MB are behind it: no more than what it says is unpacked."""
    path = tmp_path / "flowers.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in THREE.items():
            archive.writestr(name, content)
        archive.writestr("train/rose/zeros.png", bytes(20_000_000))
    content = path.read_bytes().replace((20_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"train/rose/zeros\.png is damaged"):
        of_zip(path)
