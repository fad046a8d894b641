"""What a condensed set takes to store, read from the heads of its arrays."""

import zipfile
from pathlib import Path

import numpy as np

from condensation.core.errors import InputError
from condensation.reporting.records import Key, first_seeds

LABELS = {"hard": "labels", "soft": "soft_labels"}
"""The array that a network is told by, of each kind of labels."""

Sizes = dict[str, int]
"""Bytes of each array of a set."""


def stored(condensed: Path) -> dict[Key, Sizes]:
    """The arrays of the first seed's set under ``<condensed>/<dataset>/<method>/ipc-<k>/seed-<s>.npz``, by its cell.

    Raises InputError naming a file that is not a set.
    """
    return {key: sizes(path) for key, (_, path) in first_seeds(condensed, "npz").items()}


def sizes(path: Path) -> Sizes:
    """Bytes of each array of an ``.npz``, of its numbers alone; nothing but heads is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy"): _bytes(archive, name) for name in archive.namelist()}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a condensed set: {error}") from None


def _bytes(archive: zipfile.ZipFile, name: str) -> int:
    with archive.open(name) as entry:
        version = np.lib.format.read_magic(entry)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(entry)
    return int(np.prod(shape)) * int(dtype.itemsize)
