"""A person's own pictures, ``train/<class>/*.png|jpg|jpeg|webp`` with or without ``test/``, wherever they lie.

One folder around ``train`` is allowed. Files that operating systems leave behind (hidden ones, Thumbs.db) and loose
files beside ``train``, such as a licence, are passed over; anything else out of place is an error.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from condensation.core.errors import InputError
from condensation.core.runlog import RunLog
from condensation.data.pictures import decode_all
from condensation.data.splits import Splits, check_class_names

SPLITS = ("train", "test")
SUFFIXES = (".jpeg", ".jpg", ".png", ".webp")
WANTED = "train/<class>/<name>.png|jpg|jpeg|webp"
LEFT_BEHIND = ("__macosx", "thumbs.db", "desktop.ini")
# Below this mean file size threads cost more than they gain: the interpreter's lock is held between two decodings.
# Measured on CIFAR-10's WebP files of 1.7 kB: two threads take a third more processor time and no less of the clock.
THREADS_FROM = 16 * 1024

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """One picture: its name in the zip or folder (``entry``), its split and class."""

    entry: str
    split: str
    class_name: str


@dataclass(frozen=True)
class Collection:
    """Checked pictures sorted by split (train first), class and entry; the bytes each unpacks to; how to read one."""

    source: Path
    pictures: list[Picture]
    sizes: dict[str, int]
    read: Callable[[str], bytes]

    def splits(self, dataset: str, *, image_size: int | None, memory_limit: int, log: RunLog) -> Splits:
        """Decode: images uint8 (n, h, w, c), c is 1 where every picture is grey, else 3; class names sorted."""
        size = sum(self.sizes[p.entry] for p in self.pictures)
        if size > memory_limit:
            raise InputError(
                f"{self.source} unpacks to {size / 1e9:.3g} GB of files; "
                f"allowed by prepare.memory_limit_gb: {memory_limit / 1e9:g} GB"
            )
        images = decode_all(
            str(self.source),
            [p.entry for p in self.pictures],
            self.read,
            image_size=image_size,
            memory_limit=memory_limit,
            workers=(os.cpu_count() or 1) if size >= THREADS_FROM * len(self.pictures) else 1,
            log=log,
        )
        names = sorted({p.class_name for p in self.pictures})
        labels = np.array([names.index(p.class_name) for p in self.pictures], np.int64)
        end = sum(p.split == "train" for p in self.pictures)
        test = (images[end:], labels[end:]) if end < len(images) else None
        return Splits.build(dataset, names, (images[:end], labels[:end]), test)


def left_behind(name: str) -> bool:
    """Whether an operating system left a file or folder of this name."""
    return name.startswith(".") or name.lower() in LEFT_BEHIND


def arrange(names: Iterable[str], source: Path) -> list[Picture]:
    """The pictures among relative names (those of folders end in ``/``); InputError names what is out of place.

    Every class must have pictures in every split, and enough in train for what has to be held out.
    """
    split = {name: tuple(part for part in name.split("/") if part not in ("", ".")) for name in names}
    kept = {name: parts for name, parts in split.items() if not any(map(left_behind, parts))}
    wrapper = _wrapper(kept.values())
    pictures, classes = [], set()
    for name, parts in kept.items():
        inner = parts[1:] if parts[:1] == wrapper else parts
        place = _place(inner, name.endswith("/"), name, source)
        if len(place) == 3:
            pictures.append(Picture(name, place[0], place[1]))
        if len(place) >= 2:
            classes.add(place[:2])
    _check_classes(pictures, classes, source)
    return sorted(pictures, key=lambda p: (SPLITS.index(p.split), p.class_name, p.entry))


def _wrapper(paths: Iterable[Parts]) -> Parts:
    """The one folder around ``train``, or ()."""
    roots = {parts[0] for parts in paths if len(parts) > 1}
    around = {parts[:1] for parts in paths if len(parts) > 2 and parts[1] == "train"}
    return next(iter(around)) if len(around) == 1 and "train" not in roots else ()


def _place(parts: Parts, is_folder: bool, name: str, source: Path) -> Parts:
    """(split, class, file) of a picture, (split, class) or (split,) of a folder, () of what is passed over."""
    is_picture = not is_folder and name.lower().endswith(SUFFIXES)
    if not parts or (len(parts) == 1 and not is_folder and not is_picture):
        return ()
    if parts[0] not in SPLITS and (is_folder or len(parts) > 1):
        raise InputError(f"{source}: folder {parts[0]!r} is unknown; allowed: {' and '.join(SPLITS)}")
    if len(parts) == 3 if is_picture else is_folder and len(parts) < 3:
        return parts
    raise InputError(f"{source}: {name!r} is out of place; allowed: {WANTED}")


def _check_classes(pictures: list[Picture], classes: set[Parts], source: Path) -> None:
    counts = Counter((p.split, p.class_name) for p in pictures)
    splits, names = sorted({c[0] for c in classes}), sorted({c[1] for c in classes})
    if "train" not in splits:
        raise InputError(f"{source} holds no {WANTED}")
    check_class_names(str(source), names)
    needed = {"test": 1, "train": 2 if "test" in splits else 3}
    for split in splits:
        for name in names:
            if counts[split, name] < needed[split]:
                raise InputError(
                    f"{source}: class {name!r} has {counts[split, name]} pictures in {split}/; "
                    f"allowed: {needed[split]} or more{', some are held out' if split == 'train' else ''}"
                )
