"""CIFAR-10 and CIFAR-100 as published: pickles, read by an unpickler that knows arrays and nothing else."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from condensation.core.errors import InputError
from condensation.data.splits import Splits

FILES: dict[str, dict[str, tuple[str, ...]]] = {
    "cifar10": {
        "train": tuple(f"data_batch_{i}" for i in range(1, 6)),
        "test": ("test_batch",),
        "meta": ("batches.meta",),
    },
    "cifar100": {"train": ("train",), "test": ("test",), "meta": ("meta",)},
}
LABELS = {"cifar10": ("labels", "label_names"), "cifar100": ("fine_labels", "fine_label_names")}
DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
    OverflowError,
)


def file_names(dataset: str) -> tuple[str, ...]:
    """The files of CIFAR-10 or CIFAR-100 as torchvision unpacks them."""
    files = FILES[dataset]
    return (*files["train"], *files["test"], *files["meta"])


class _ArraysOnly(pickle.Unpickler):
    """Builds numpy arrays and plain values; every other name is refused, so that a file cannot run code."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickled name stands for."""
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return np.empty(0).__reduce__()[0]
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes for Python 2
            return str.encode
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}; allowed: numpy arrays")


def _unpickle(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            # The published files are of numpy 1: their dtypes give `align` as a number, which numpy 2.4 warns of.
            warnings.simplefilter("ignore")
            values = _ArraysOnly(file, encoding="latin1").load()
    except DAMAGE as error:
        raise InputError(f"{path} is not a CIFAR file: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path} is not a CIFAR file: it holds {type(values).__name__}, expected a dictionary")
    return values


def _read_batch(path: Path, labels_key: str) -> tuple[np.ndarray, np.ndarray]:
    """One file: images uint8 (n, 32, 32, 3), labels int64 (n,)."""
    values = _unpickle(path)
    data, labels = values.get("data"), values.get(labels_key)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        raise InputError(f"{path}: 'data' must be uint8 (n, 3072)")
    if not isinstance(labels, list) or len(labels) != len(data) or not all(type(label) is int for label in labels):
        raise InputError(f"{path}: {labels_key!r} must be a list of {len(data)} whole numbers")
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), np.array(labels, np.int64)


def read_cifar_splits(raw: Path, dataset: str) -> Splits:
    """CIFAR-10 or CIFAR-100 (fine labels) with the class names of its meta file; images uint8 (n, 32, 32, 3)."""
    files, (labels_key, names_key) = FILES[dataset], LABELS[dataset]
    meta = raw / files["meta"][0]
    names = _unpickle(meta).get(names_key)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{meta}: {names_key!r} must be a list of names")
    arrays = {}
    for split in ("train", "test"):
        batches = [_read_batch(raw / file, labels_key) for file in files[split]]
        arrays[split] = (np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches]))
    return Splits.build(dataset, names, arrays["train"], arrays["test"])
