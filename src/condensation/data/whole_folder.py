"""Folders that are either whole and right or not there at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from condensation.core.errors import InputError


@contextmanager
def whole_folder(target: Path, *, mark: str) -> Iterator[Path]:
    """A fresh folder beside ``target`` that takes its place when the block ends well; the block writes ``mark`` last.

    On any error, a full disk and Ctrl-C included, the fresh folder is removed and the old one is kept. What a killed
    process left behind is cleared, and a folder that it had moved aside is put back. Raises InputError rather than
    replace something else: a file, or a folder with anything in it but no ``mark``.
    """
    if target.exists() and not (target / mark).exists() and (target.is_file() or any(target.iterdir())):
        raise InputError(f"{target} is in the way and was not written here (it holds no {mark}): move it elsewhere")
    fresh, aside = (target.parent / f".{target.name}.{end}" for end in ("part", "old"))
    if aside.exists() and not target.exists():
        aside.rename(target)
    for leftover in (fresh, aside):
        if leftover.exists():
            shutil.rmtree(leftover)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        if target.exists():
            target.rename(aside)
        fresh.rename(target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        if aside.exists() and not target.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
