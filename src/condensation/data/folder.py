"""A folder of a person's own pictures."""

from collections.abc import Iterator
from pathlib import Path

from condensation.core.errors import InputError
from condensation.data.collection import Collection, arrange, left_behind


def picture_root(folder: Path) -> Path:
    """The folder that holds ``train``: this one, or the only one inside it that does."""
    if (folder / "train").is_dir():
        return folder
    inner = [path for path in sorted(folder.iterdir()) if (path / "train").is_dir()]
    return inner[0] if len(inner) == 1 else folder


def _walk(root: Path) -> Iterator[Path]:
    """Everything down to the depth of pictures. Links are followed; the depth is fixed, so never in circles."""
    for split in root.iterdir():
        yield split
        for inner in split.iterdir() if split.is_dir() and not left_behind(split.name) else ():
            yield inner
            yield from inner.iterdir() if inner.is_dir() else ()


def open_folder(folder: Path) -> Collection:
    """The pictures of a folder, checked by name; entries are relative to ``picture_root``."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    root = picture_root(folder)
    names = [path.relative_to(root).as_posix() + ("/" if path.is_dir() else "") for path in _walk(root)]
    pictures = arrange(names, folder)
    sizes = {p.entry: (root / p.entry).stat().st_size for p in pictures}
    return Collection(folder, pictures, sizes, lambda entry: (root / entry).read_bytes())
