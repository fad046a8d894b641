"""A zip of a person's own pictures; nothing of it is ever unpacked to disk."""

import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from condensation.core.errors import InputError
from condensation.data.collection import Collection, arrange

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError, LookupError)


@contextmanager
def open_zip(path: Path) -> Iterator[Collection]:
    """The pictures of a zip, each entry's name and kind checked; InputError names the entry."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError(f"{path} is not a readable zip: {error}") from None

    def read(entry: str) -> bytes:
        try:
            return archive.read(entry)
        except DAMAGE as error:
            raise InputError(f"{path}: {entry} is damaged: {error}") from None

    with archive:
        infos = archive.infolist()
        _check_entries(infos, path)
        pictures = arrange([info.filename for info in infos], path)
        yield Collection(path, pictures, {info.filename: info.file_size for info in infos}, read)


def _check_entries(infos: list[zipfile.ZipInfo], path: Path) -> None:
    for info in infos:
        _check_entry(info, path)
    for name, times in Counter(info.filename for info in infos).most_common(1):
        if times > 1:
            raise InputError(f"{path}: entry {name!r} occurs {times} times; names must be distinct")


def _check_entry(info: zipfile.ZipInfo, path: Path) -> None:
    name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    if re.match(r"/|[A-Za-z]:", name) or re.search(r"[\\\0]", name) or ".." in name.split("/"):
        raise InputError(f"{path}: entry {name!r} leads out of the archive; allowed: plain relative names")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InputError(f"{path}: entry {name!r} is a link or a device; allowed: files and folders")
    if info.flag_bits & 1:
        raise InputError(f"{path}: entry {name!r} is encrypted; allowed: entries without a password")
