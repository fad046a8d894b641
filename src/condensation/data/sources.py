"""Where a data set's files are looked for before anything is downloaded.

A name in ``params.yaml`` is one of ``OFFICIAL``, or names a person's own images: with ``datasets: [flowers]`` and
``CONDENSATION_DATA=/data`` it is the first of ``/data/flowers/``, ``/data/flowers.zip`` and ``/data/flowers.npz``. The
first two hold ``train/<class>/*.png|jpg|jpeg|webp`` with or without ``test/<class>/`` (data/collection.py), the last
one ``images``, ``labels`` and, if wanted, ``class_names`` (data/arrays.py). A path, ``~/flowers.zip``, works too.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from condensation.core.errors import InputError, one_of
from condensation.data import cifar, idx, svhn
from condensation.data.archive import open_zip
from condensation.data.arrays import check_arrays
from condensation.data.folder import open_folder, picture_root
from condensation.data.manifest import FileLayout

VARIABLE = "CONDENSATION_DATA"
EMBEDDED = "digits"


@dataclass(frozen=True)
class Official:
    """A data set with a name: its layout, where torchvision puts its files under a root, and their names."""

    layout: FileLayout
    folders: tuple[str, ...]
    files: tuple[str, ...]


IDX_FILES = idx.FILES["train"] + idx.FILES["test"]
OFFICIAL = {
    "mnist": Official("idx", ("MNIST/raw",), IDX_FILES),
    "fashionmnist": Official("idx", ("FashionMNIST/raw",), IDX_FILES),
    "svhn": Official("svhn", ("SVHN", "."), tuple(svhn.FILES.values())),
    "cifar10": Official("cifar", ("cifar-10-batches-py",), cifar.file_names("cifar10")),
    "cifar100": Official("cifar", ("cifar-100-python",), cifar.file_names("cifar100")),
}
NAMES = (EMBEDDED, *OFFICIAL)


@dataclass(frozen=True)
class Local:
    """A data set's files on this machine: where found, how laid out, and each by its name in the raw folder."""

    found: Path
    layout: FileLayout
    files: dict[str, Path]


def data_root() -> Path | None:
    """The folder that ``CONDENSATION_DATA`` names, or None; the only place that reads it."""
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    root = Path(text).expanduser()
    if not root.is_dir():
        raise InputError(f"{VARIABLE} is {text!r}, which is not a folder")
    return root


def _is_path(dataset: str) -> bool:
    return bool(re.search(r"[/\\]|^[.~]|\.(zip|npz)$", dataset))


def dataset_name(dataset: str) -> str:
    """The name of a data set given by name or path: ``~/flowers.zip`` is ``flowers``. InputError for an unfit name."""
    name = re.sub(r"\.(zip|npz)$", "", Path(dataset).expanduser().resolve().name) if _is_path(dataset) else dataset
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InputError(
            f"data set name {name!r} cannot be used; allowed: letters, digits, '_', '-' and '.', as in flowers"
        )
    return name


def find_local(dataset: str, root: Path | None) -> Local | None:
    """The files of a data set given by name or path; None when an official one has to be downloaded.

    Raises InputError for an unknown data set, naming the known ones and where it was looked for, and for files that
    are incomplete or wrong at first sight (names, headers; nothing is decoded).
    """
    name = dataset_name(dataset)
    if _is_path(dataset):
        path = Path(dataset).expanduser()
        return _own_at(path if root is None or path.exists() else root / path, name)
    official = _official(name, root)
    if official is not None:
        return official
    candidates = [] if root is None else [root / name, root / f"{name}.zip", root / f"{name}.npz"]
    for path in candidates:
        if path.exists() and not _is_of_torchvision(path, name):
            return _own_at(path, name)
    if name in NAMES:
        return None
    raise _unknown(name, root, candidates)


def _official(name: str, root: Path | None) -> Local | None:
    """The files where torchvision keeps them under ``root``, or None; InputError when a part is missing."""
    if name not in OFFICIAL or root is None:
        return None
    official = OFFICIAL[name]
    for folder in official.folders:
        files = {file: root / folder / file for file in official.files}
        missing = [file for file, path in files.items() if not path.is_file()]
        if not missing:
            return Local(root / folder, official.layout, files)
        if len(missing) < len(files):
            raise InputError(f"{root / folder} is incomplete: {', '.join(missing)} missing; add or remove the others")
    return None


def _is_of_torchvision(path: Path, name: str) -> bool:
    """Whether ``path`` is a folder like ``MNIST``, which holds a data set of that name but no pictures."""
    return path.is_dir() and name.lower() in NAMES and not (picture_root(path) / "train").is_dir()


def _own_at(path: Path, name: str) -> Local:
    """A person's own images, looked at without decoding one."""
    if path.is_dir():
        collection, root = open_folder(path), picture_root(path)
        return Local(path, "folder", {p.entry: root / p.entry for p in collection.pictures})
    if not path.is_file():
        raise InputError(f"data set {path} does not exist; allowed: a folder, a .zip or an .npz")
    if path.suffix == ".zip":
        with open_zip(path):
            return Local(path, "zip", {f"{name}.zip": path})
    if path.suffix == ".npz":
        check_arrays(path)
        return Local(path, "arrays", {f"{name}.npz": path})
    raise InputError(f"data set {path} is a {path.suffix or 'nameless'} file; allowed: a folder, a .zip or an .npz")


def _unknown(name: str, root: Path | None, candidates: list[Path]) -> InputError:
    if root is None:
        return InputError(
            f"{one_of('data set', name, NAMES)}; or your own images as {name}/, {name}.zip or {name}.npz in a folder "
            f"named by {VARIABLE}, which is not set"
        )
    own = {path.stem for path in root.iterdir() if path.suffix in (".zip", ".npz") or (path / "train").is_dir()}
    looked = ", ".join(map(str, candidates))
    return InputError(f"{one_of('data set', name, {*NAMES, *own})}; looked for {looked}")
