"""The manifest of a raw folder: what was fetched, with digests; written last, so its presence means a whole fetch."""

import hashlib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from condensation.core.errors import InputError
from condensation.core.files import canonical_json, file_digest, read_json, write_json
from condensation.core.runlog import RunLog

MANIFEST = "manifest.json"
FileLayout = Literal["arrays", "cifar", "folder", "idx", "svhn", "zip"]


class Manifest(BaseModel):
    """The data set, how its files are laid out and the sha256 of each by relative name; no clock, no path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    layout: FileLayout
    files: dict[str, str]

    def inputs(self) -> dict[str, str]:
        """sha256 by file; for a folder of pictures by ``<split>/<class>``, over the names and digests in it."""
        if self.layout != "folder":
            return self.files
        groups: dict[str, dict[str, str]] = {}
        for name, digest in self.files.items():
            folder, _, file = name.rpartition("/")
            groups.setdefault(folder, {})[file] = digest
        return {folder: hashlib.sha256(canonical_json(group).encode()).hexdigest() for folder, group in groups.items()}


def copy_file(source: Path, target: Path) -> None:
    """Copy bytes, not links: an edit of the original must not reach into a versioned output."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as read, target.open("wb") as write:
        while block := read.read(1 << 20):
            write.write(block)


def _files(folder: Path) -> list[str]:
    """Relative names of the files under ``folder``, sorted, the manifest left out."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name != MANIFEST)


def _digests(folder: Path, log: RunLog) -> dict[str, str]:
    names = _files(folder)
    digests = {}
    for done, name in enumerate(names):
        log.progress(done, len(names), "files checked")
        digests[name] = file_digest(folder / name)
    return digests


def write_manifest(folder: Path, dataset: str, layout: FileLayout, log: RunLog) -> Manifest:
    """Describe every file under ``folder``; the last thing that a fetch writes."""
    manifest = Manifest(dataset=dataset, layout=layout, files=_digests(folder, log))
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a raw folder; InputError when nothing whole was fetched there."""
    if not (folder / MANIFEST).exists():
        raise InputError(f"{folder} holds no {MANIFEST}: fetch the data set first")
    values: Any = read_json(folder / MANIFEST)
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{folder / MANIFEST} cannot be read: {error.errors()[0]['msg']}; fetch again") from None


def verified_manifest(folder: Path, log: RunLog) -> Manifest:
    """The manifest, each file checked against it; InputError naming the first file that differs."""
    manifest = read_manifest(folder)
    found = _digests(folder, log)
    for name in sorted(set(found) | set(manifest.files)):
        if found.get(name) != manifest.files.get(name):
            change = "is missing" if name not in found else "was added" if name not in manifest.files else "has changed"
            raise InputError(f"{folder / name} {change} since the fetch; raw data is never edited: fetch again")
    return manifest
