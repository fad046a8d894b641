"""fetch: files come over as they are, with a manifest written last, or nothing changes."""

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from picture_files import BOTH, flowers, write_folder, write_zip

from condensation.core.errors import InputError
from condensation.core.files import file_digest
from condensation.core.runlog import RunLog
from condensation.data.manifest import MANIFEST, verified_manifest
from condensation.stages import fetch as stage
from condensation.stages.fetch import fetch


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "data" / "raw" / "flowers"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_digits_need_nothing_but_scikit_learn(tmp_path: Path) -> None:
    for name in ("a", "b"):
        fetch("digits", data_root=None, raw=tmp_path / name / "digits")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    with np.load(tmp_path / "a/digits/digits.npz") as arrays:
        assert arrays["images"].shape == (1797, 8, 8, 1)
        assert np.unique(arrays["images"]).tolist() == [round(255 * level / 16) for level in range(17)]
        assert np.bincount(arrays["labels"]).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_files_are_copied_bit_for_bit_with_their_digests(root: Path, raw: Path) -> None:
    write_zip(root / "flowers.zip", flowers(BOTH))
    fetch("flowers", data_root=root, raw=raw)
    assert (raw / "flowers.zip").read_bytes() == (root / "flowers.zip").read_bytes()
    assert json.loads((raw / MANIFEST).read_text()) == {
        "dataset": "flowers",
        "layout": "zip",
        "files": {"flowers.zip": file_digest(root / "flowers.zip")},
    }


def test_a_copy_does_not_follow_later_edits_of_the_original(root: Path, raw: Path) -> None:
    path = write_zip(root / "flowers.zip", flowers(BOTH))
    before = path.read_bytes()
    fetch("flowers", data_root=root, raw=raw)
    with path.open("r+b") as file:
        file.write(b"edited")
    assert (raw / "flowers.zip").read_bytes() == before


def test_a_folder_comes_without_what_is_passed_over(root: Path, raw: Path) -> None:
    files = flowers(BOTH)
    write_folder(root / "flowers", {**files, ".DS_Store": b"x", "LICENSE": b"x"}, "wrapper/")
    fetch("flowers", data_root=root, raw=raw)
    copied = contents(raw)
    assert set(json.loads(copied.pop(MANIFEST))["files"]) == set(files)
    assert copied == files


def test_the_manifest_does_not_tell_where_the_files_came_from(root: Path, raw: Path, tmp_path: Path) -> None:
    path = write_zip(root / "flowers.zip", flowers(BOTH))
    fetch("flowers", data_root=root, raw=raw)
    before = contents(raw)
    fetch(str(path), data_root=None, raw=raw)
    assert contents(raw) == before
    assert str(tmp_path) not in before[MANIFEST].decode()


def test_fetching_again_takes_the_files_as_they_are_now(root: Path, raw: Path) -> None:
    write_zip(root / "flowers.zip", flowers(BOTH))
    fetch("flowers", data_root=root, raw=raw)
    write_zip(root / "flowers.zip", flowers(BOTH, start=100))
    fetch("flowers", data_root=root, raw=raw)
    assert (raw / "flowers.zip").read_bytes() == (root / "flowers.zip").read_bytes()


def test_a_mistake_in_the_files_is_found_before_anything_is_written(root: Path, raw: Path) -> None:
    write_zip(root / "flowers.zip", {**flowers(BOTH), "../evil.png": b"x"})
    with pytest.raises(InputError, match="leads out of the archive"):
        fetch("flowers", data_root=root, raw=raw)
    with pytest.raises(InputError, match="unknown data set 'flwers'"):
        fetch("flwers", data_root=root, raw=raw)
    assert not raw.parent.exists()


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("step", ["condensation.stages.fetch.copy_file", "condensation.core.files.os.fsync"])
def test_a_full_disk_keeps_what_was_there(root: Path, raw: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    write_zip(root / "flowers.zip", flowers(BOTH))
    fetch("flowers", data_root=root, raw=raw)
    before = contents(raw)
    write_zip(root / "flowers.zip", flowers(BOTH, start=100))
    monkeypatch.setattr(step, full_disk)
    with pytest.raises(OSError, match="No space left"):
        fetch("flowers", data_root=root, raw=raw)
    assert contents(raw) == before
    assert [p.name for p in raw.parent.iterdir()] == ["flowers"]


def small_files_only() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))


def test_a_copy_that_the_kernel_cuts_short_keeps_what_was_there(root: Path, raw: Path) -> None:
    write_zip(root / "flowers.zip", flowers({"train/rose": 2, "train/aster": 2, "test/rose": 1, "test/aster": 1}))
    fetch("flowers", data_root=root, raw=raw)
    before = contents(raw)
    write_zip(root / "flowers.zip", flowers({"train/rose": 30, "train/aster": 30}))
    code = (
        "import sys; from pathlib import Path; from condensation.stages.fetch import fetch;"
        "fetch('flowers', data_root=Path(sys.argv[1]), raw=Path(sys.argv[2]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, root, raw],
        preexec_fn=small_files_only,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "OSError: [Errno 27]" in done.stderr
    assert contents(raw) == before
    assert [p.name for p in raw.parent.iterdir()] == ["flowers"]


def test_the_originals_of_a_person_are_never_replaced(root: Path) -> None:
    """Were the path of a data set taken for the folder to write."""
    path = write_zip(root / "flowers.zip", flowers(BOTH))
    write_folder(root / "leaves", flowers(BOTH))
    before = contents(root)
    for own in (path, root / "leaves"):
        with pytest.raises(InputError, match="is in the way and was not written here"):
            fetch(str(own), data_root=None, raw=own)
    assert contents(root) == before


def test_a_whole_download_is_kept_and_a_damaged_one_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, calls = tmp_path / "mnist", []

    def download(name: str, local: object, folder: Path) -> str:
        calls.append(name)
        (folder / "t10k-images-idx3-ubyte").write_bytes(b"pixels")
        return "idx"

    monkeypatch.setattr(stage, "_fill", download)
    fetch("mnist", data_root=None, raw=raw)
    fetch("mnist", data_root=None, raw=raw)
    assert calls == ["mnist"]
    assert f"{raw} is there and whole" in capsys.readouterr().err
    (raw / "t10k-images-idx3-ubyte").write_bytes(b"pixel")
    fetch("mnist", data_root=None, raw=raw)
    assert calls == ["mnist", "mnist"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: (raw / "flowers.zip").write_bytes(b"x"), r"flowers\.zip has changed since the fetch"),
        (lambda raw: (raw / "flowers.zip").unlink(), r"flowers\.zip is missing since the fetch"),
        (lambda raw: (raw / "more").write_bytes(b"x"), "more was added since the fetch"),
        (lambda raw: (raw / MANIFEST).unlink(), r"flowers holds no manifest\.json: fetch the data set first"),
        (lambda raw: (raw / MANIFEST).write_text("{"), r"manifest\.json is not JSON"),
        (lambda raw: (raw / MANIFEST).write_text("{}"), r"manifest\.json cannot be read: Field required; fetch again"),
    ],
)
def test_raw_data_that_changed_is_noticed(root: Path, raw: Path, change: object, message: str) -> None:
    write_zip(root / "flowers.zip", flowers(BOTH))
    fetch("flowers", data_root=root, raw=raw)
    assert verified_manifest(raw, RunLog()).layout == "zip"
    change(raw)  # type: ignore[operator]
    with pytest.raises(InputError, match=message):
        verified_manifest(raw, RunLog())


def test_torch_is_not_needed_for_local_files(root: Path, tmp_path: Path) -> None:
    write_zip(root / "flowers.zip", flowers(BOTH))
    code = (
        "import sys; from pathlib import Path; from condensation.stages.fetch import fetch;"
        "from condensation.stages.prepare import prepare, PrepareParams;"
        "root, out = map(Path, sys.argv[1:]); fetch('flowers', data_root=root, raw=out / 'raw');"
        "params = PrepareParams(validation_fraction=.1, test_fraction=.2, seed=0, image_size=None, memory_limit_gb=1);"
        "prepare('flowers', raw=out / 'raw', out=out / 'prepared', params=params);"
        "assert not {'torch', 'torchvision', 'tensorflow', 'keras', 'mlflow'} & set(sys.modules), 'loaded'"
    )
    subprocess.run([sys.executable, "-c", code, root, tmp_path / "out"], check=True)
