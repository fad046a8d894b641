"""From a verified raw folder to image sets, whatever its layout."""

from pathlib import Path

from condensation.core.runlog import RunLog
from condensation.data.archive import open_zip
from condensation.data.arrays import read_array_splits
from condensation.data.cifar import read_cifar_splits
from condensation.data.folder import open_folder
from condensation.data.idx import read_idx_splits
from condensation.data.manifest import Manifest
from condensation.data.pictures import resize_all
from condensation.data.splits import Splits
from condensation.data.svhn import read_svhn_splits


def read_splits(raw: Path, manifest: Manifest, *, image_size: int | None, memory_limit: int, log: RunLog) -> Splits:
    """The images of a raw folder, each (image_size, image_size, c) if given; at most ``memory_limit`` bytes of them.

    Raises InputError naming the file, and the entry in it, that cannot be used.
    """
    name = manifest.dataset
    if manifest.layout == "folder":
        return open_folder(raw).splits(name, image_size=image_size, memory_limit=memory_limit, log=log)
    if manifest.layout == "zip":
        with open_zip(raw / f"{name}.zip") as collection:
            return collection.splits(name, image_size=image_size, memory_limit=memory_limit, log=log)
    if manifest.layout == "arrays":
        splits = read_array_splits(raw / f"{name}.npz", name, memory_limit)
    else:
        read = {"idx": read_idx_splits, "cifar": read_cifar_splits, "svhn": read_svhn_splits}[manifest.layout]
        splits = read(raw, name)
    return splits if image_size is None else _resized(splits, image_size)


def _resized(splits: Splits, image_size: int) -> Splits:
    pairs = [(resize_all(s.images, image_size), s.labels) for s in (splits.train, splits.test) if s is not None]
    return Splits.build(splits.train.dataset, splits.train.class_names, pairs[0], pairs[1] if len(pairs) > 1 else None)
