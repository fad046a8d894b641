"""Downloads against a server of our own: torchvision's way, its digests, and nothing left behind when it fails."""

import gzip
import hashlib
import io
import pickle
import socket
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from torchvision import datasets

from condensation.data.manifest import read_manifest
from condensation.data.sources import IDX_FILES, OFFICIAL
from condensation.stages.fetch import fetch


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is served."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def published(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """MNIST's four files of one small idx each, served with digests that torchvision is told to expect."""
    folder, address = site
    contents, resources = {}, []
    for name in IDX_FILES:
        header = b"\0\0\x08\x03\0\0\0\1\0\0\0\2\0\0\0\2" if "idx3" in name else b"\0\0\x08\x01\0\0\0\1"
        contents[name] = header + (b"\1\2\3\4" if "idx3" in name else b"\5")
        packed = gzip.compress(contents[name], mtime=0)
        (folder / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", md5(packed)))
    monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    return contents


def test_a_download_leaves_the_files_and_nothing_else(tmp_path: Path, published: dict[str, bytes]) -> None:
    raw = tmp_path / "raw" / "mnist"
    fetch("mnist", data_root=None, raw=raw)
    assert {p.name for p in raw.iterdir()} == {*IDX_FILES, "manifest.json"}
    assert {name: (raw / name).read_bytes() for name in IDX_FILES} == published
    assert read_manifest(raw).layout == "idx"
    assert [p.name for p in raw.parent.iterdir()] == ["mnist"]


def spoilt(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = (folder / f"{IDX_FILES[2]}.gz").read_bytes()
    (folder / f"{IDX_FILES[2]}.gz").write_bytes(packed[:-1] + b"x")


def unreachable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(datasets.MNIST, "mirrors", [f"http://127.0.0.1:{port}/"])


@pytest.mark.parametrize("fault", [spoilt, unreachable])
def test_a_failed_download_is_one_sentence_and_leaves_nothing(
    tmp_path: Path,
    site: tuple[Path, str],
    published: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Path, pytest.MonkeyPatch], None],
) -> None:
    fault(site[0], monkeypatch)
    raw = tmp_path / "raw" / "mnist"
    with pytest.raises(
        OSError, match=r"download of mnist failed: .* without a network put train-images-idx3"
    ) as caught:
        fetch("mnist", data_root=None, raw=raw)
    assert "\n" not in str(caught.value)
    assert list(raw.parent.iterdir()) == []


def test_a_failed_download_keeps_what_was_there_and_a_good_one_replaces_it(
    tmp_path: Path, site: tuple[Path, str], published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "raw" / "mnist"
    fetch("mnist", data_root=None, raw=raw)
    (raw / IDX_FILES[0]).write_bytes(b"damaged")
    with monkeypatch.context() as patch:
        unreachable(site[0], patch)
        with pytest.raises(OSError, match="download of mnist failed"):
            fetch("mnist", data_root=None, raw=raw)
    assert (raw / IDX_FILES[0]).read_bytes() == b"damaged"
    fetch("mnist", data_root=None, raw=raw)
    assert (raw / IDX_FILES[0]).read_bytes() == published[IDX_FILES[0]]


def test_an_archive_is_unpacked_to_the_files_of_its_layout(
    tmp_path: Path, site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CIFAR-100 comes as a tar; torchvision checks the archive and each file."""
    batch = {"data": [], "fine_labels": [], "fine_label_names": ["ant"]}
    contents = {name: pickle.dumps({**batch, "which": name}) for name in OFFICIAL["cifar100"].files}
    archive = site[0] / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(f"cifar-100-python/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    changes = {
        "url": f"{site[1]}{archive.name}",
        "tgz_md5": md5(archive.read_bytes()),
        "train_list": [["train", md5(contents["train"])]],
        "test_list": [["test", md5(contents["test"])]],
        "meta": {"filename": "meta", "key": "fine_label_names", "md5": md5(contents["meta"])},
    }
    for name, value in changes.items():
        monkeypatch.setattr(datasets.CIFAR100, name, value)
    monkeypatch.setattr(datasets.CIFAR100, "__init__", download_only)
    raw = tmp_path / "raw" / "cifar100"
    fetch("cifar100", data_root=None, raw=raw)
    assert {p.name: p.read_bytes() for p in raw.iterdir() if p.name != "manifest.json"} == contents


def download_only(self: datasets.CIFAR100, root: Path, train: bool, download: bool) -> None:
    """The constructor without reading the batches, which are not images here."""
    self.root, self.train = str(root), train
    self.download()
