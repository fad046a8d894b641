"""Files are whole and right or not there: atomic writes, stable bytes, refusals that name the file."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from condensation.core.errors import InputError
from condensation.core.files import (
    canonical_json,
    file_digest,
    npz_bytes,
    read_json,
    read_npz,
    turn,
    write_bytes,
    write_json,
    write_npz,
    write_text,
)


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "good.txt"
    write_text(path, "old")
    monkeypatch.setattr(step, full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["good.txt"]  # noqa: PTH208


def small_files_only() -> None:
    """The kernel's own refusal in the middle of a write, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def test_a_write_that_the_kernel_cuts_short_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "good.npz"
    write_npz(path, {"x": np.arange(3)})
    before = path.read_bytes()
    code = (
        "import sys, numpy as np; from pathlib import Path; from condensation.core.files import write_npz;"
        "write_npz(Path(sys.argv[1]), {'x': np.zeros(100_000)})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], preexec_fn=small_files_only, capture_output=True, text=True, check=False
    )
    assert "OSError: [Errno 27]" in done.stderr
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["good.npz"]


def test_write_makes_folders_and_files_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x.bin"
    write_bytes(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert path.stat().st_mode & 0o777 == 0o644


def test_npz_comes_back_as_it_was_whatever_the_memory_order() -> None:
    arrays = {
        "scalar": np.array("text"),
        "fortran": np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
        "strided": np.arange(10, dtype=np.float32)[::3],
    }
    with np.load(io.BytesIO(npz_bytes(arrays)), allow_pickle=False) as archive:
        for name, array in arrays.items():
            assert archive[name].dtype == array.dtype
            assert archive[name].shape == array.shape
            np.testing.assert_array_equal(archive[name], array)


def test_npz_bytes_do_not_depend_on_order_or_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    first = npz_bytes({"a": np.arange(3), "b": np.ones((2, 2))})
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert npz_bytes({"b": np.ones((2, 2), order="F"), "a": np.arange(3)}) == first
    assert npz_bytes({"a": np.arange(3), "b": np.zeros((2, 2))}) != first


def test_pickles_are_neither_written_nor_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        npz_bytes({"a": np.array([{}])})
    path = tmp_path / "pickled.npz"
    np.savez(path, a=np.array([{}]))
    with pytest.raises(InputError, match=r"pickled\.npz is not .* of plain arrays: Object arrays cannot be loaded"):
        read_npz(path)


def broken(kind: str, path: Path) -> None:
    write_npz(path, {"a": np.arange(1000)})
    content = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "text":
        path.write_text("no archive")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut short":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "changed":
        path.write_bytes(content[:500] + b"\xaa" + content[501:])
    elif kind == "single array":
        buffer = io.BytesIO()
        np.save(buffer, np.arange(3))
        path.write_bytes(buffer.getvalue())
    elif kind == "badly deflated":
        np.savez_compressed(path, a=np.arange(1000))
        content = path.read_bytes()
        path.write_bytes(content[:60] + bytes(range(40)) + content[100:])


KINDS = ["missing", "text", "empty", "cut short", "changed", "single array", "badly deflated"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_cannot_be_read_is_named(tmp_path: Path, kind: str) -> None:
    broken(kind, tmp_path / "set.npz")
    with pytest.raises(InputError, match=r"set\.npz"):
        read_npz(tmp_path / "set.npz")


def test_entries_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match=r"set\.npz"):
        read_npz(tmp_path / "set.npz")


def test_canonical_json_is_one_text_for_equal_values() -> None:
    assert canonical_json({"b": [1, 2.5], "a": None}) == '{"a":null,"b":[1,2.5]}'
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("nan")})


def test_json_comes_back_and_what_is_not_json_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 1, "a": [True, "é"]})
    assert read_json(tmp_path / "x.json") == {"b": 1, "a": [True, "é"]}
    assert list(json.loads((tmp_path / "x.json").read_text())) == ["a", "b"]
    for content in (b"{", b"\xff\xfe"):
        (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(InputError, match=r"x\.json is not JSON"):
            read_json(tmp_path / "x.json")
    with pytest.raises(InputError, match=r"y\.json does not exist"):
        read_json(tmp_path / "y.json")


def test_file_digest_is_that_of_the_standard(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert file_digest(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path / "x", "md5") == "900150983cd24fb0d6963f7d28e17f72"


def test_a_turn_is_one_at_a_time_and_the_second_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    order: list[str] = []

    def second() -> None:
        with turn(tmp_path / "work", "waiting for the other"):
            order.append("second")

    with turn(tmp_path / "work", "nobody waits"):
        other = threading.Thread(target=second)
        other.start()
        other.join(0.3)
        assert other.is_alive()
        order.append("first")
    other.join(10)
    assert order == ["first", "second"]
    assert capfd.readouterr().err == "waiting for the other\n"
