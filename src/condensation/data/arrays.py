"""A person's own arrays in an ``.npz``: images, labels, optional class_names; or train_images, ..., test_labels.

Images are uint8 (n, h, w), (n, h, w, 1) or (n, h, w, 3); labels are whole numbers 0..classes-1 without a gap.
"""

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from condensation.core.errors import InputError
from condensation.core.files import read_npz
from condensation.data.splits import Splits

KEYS = (
    ("images", "labels"),
    ("train_images", "train_labels"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)
ALLOWED = "images, labels; or train_images, train_labels, test_images, test_labels; class_names with either"

Headers = dict[str, tuple[tuple[int, ...], np.dtype]]


def _read_header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an ``.npy`` stream, left at its first element."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise InputError(f"{where} has .npy format {version}; allowed: (1, 0), (2, 0)")
    return shape, dtype


def read_headers(path: Path, memory_limit: int | None = None) -> Headers:
    """Shape and type of every array without reading one; InputError for pickles and for sizes that do not fit."""
    headers: Headers = {}
    total = 0
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                where, name = f"{path}: {info.filename}", info.filename.removesuffix(".npy")
                with archive.open(info) as file:
                    shape, dtype = headers[name] = _read_header(file, where)
                    begin = file.tell()
                if dtype.hasobject:
                    raise InputError(f"{where} holds pickled objects, which are refused; allowed: plain arrays")
                if math.prod(shape) * dtype.itemsize != info.file_size - begin:
                    raise InputError(f"{where} is damaged: {dtype} {shape} does not fit {info.file_size - begin} bytes")
                total += info.file_size
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, LookupError) as error:
        raise InputError(f"{path} is not a readable .npz archive: {error}") from None
    if memory_limit is not None and total > memory_limit:
        raise InputError(
            f"{path} unpacks to {total / 1e9:.3g} GB; allowed by prepare.memory_limit_gb: {memory_limit / 1e9:g} GB"
        )
    return headers


def check_arrays(path: Path, memory_limit: int | None = None) -> None:
    """InputError unless names, types and lengths in the archive are right; reads only its headers."""
    headers = read_headers(path, memory_limit)
    given = set(headers) - {"class_names"}
    if given not in map(set, KEYS):
        raise InputError(f"{path} holds {', '.join(sorted(headers)) or 'nothing'}; allowed: {ALLOWED}")
    for name in sorted(name for name in given if name.endswith("images")):
        (shape, dtype), (label_shape, label_type) = headers[name], headers[name.replace("images", "labels")]
        if dtype != np.uint8 or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)) or 0 in shape:
            raise InputError(
                f"{path}: {name} is {dtype} {shape}; allowed: uint8 (n, h, w), (n, h, w, 1) or (n, h, w, 3)"
            )
        if label_type.kind not in "iu" or label_shape != shape[:1]:
            raise InputError(
                f"{path}: {name.replace('images', 'labels')} is {label_type} {label_shape}; "
                f"allowed: whole numbers ({shape[0]},), one for each image"
            )
    shape, dtype = headers.get("class_names", ((1,), np.dtype(str)))
    if dtype.kind != "U" or len(shape) != 1:
        raise InputError(f"{path}: class_names is {dtype} {shape}; allowed: one row of text")


def _class_names(path: Path, arrays: dict[str, np.ndarray], labels: np.ndarray) -> tuple[str, ...]:
    """The names in the archive, or the labels as text; InputError when the training labels leave a class out."""
    present = np.unique(labels)
    given = arrays.get("class_names", np.arange(len(present)))
    if not np.array_equal(present, np.arange(len(given))):
        some = ", ".join(map(str, present[:12])) + (", ..." if len(present) > 12 else "")
        raise InputError(f"{path}: labels are {some}; allowed: 0..{len(given) - 1}, each of them at least once")
    return tuple(str(name) for name in given)


def read_array_splits(path: Path, dataset: str, memory_limit: int) -> Splits:
    """The splits in a person's ``.npz``; images uint8 (n, h, w, c)."""
    check_arrays(path, memory_limit)
    arrays = read_npz(path)
    prefix = "train_" if "train_images" in arrays else ""

    def pair(start: str) -> tuple[np.ndarray, np.ndarray]:
        images = arrays[f"{start}images"]
        return images[..., None] if images.ndim == 3 else images, arrays[f"{start}labels"].astype(np.int64)

    train, test = pair(prefix), pair("test_") if "test_images" in arrays else None
    return Splits.build(dataset, _class_names(path, arrays, train[1]), train, test)
