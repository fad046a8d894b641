"""Splits: a data set as it comes, with its own test split or without one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from condensation.core.errors import InputError
from condensation.core.images import ImageSet


@dataclass(frozen=True)
class Splits:
    """Training images, and test images where the data set comes with a test split; equal shapes and classes."""

    train: ImageSet
    test: ImageSet | None

    @staticmethod
    def build(
        dataset: str,
        class_names: Sequence[str],
        train: tuple[np.ndarray, np.ndarray],
        test: tuple[np.ndarray, np.ndarray] | None,
    ) -> "Splits":
        """From (images uint8 (n, h, w, c), labels (n,)); InputError names the split in which something is wrong."""
        check_class_names(dataset, class_names)
        first = _image_set("training", dataset, class_names, *train)
        second = None if test is None else _image_set("test", dataset, class_names, *test)
        if second is not None and second.image_shape != first.image_shape:
            raise InputError(
                f"{dataset}: training images are {first.image_shape} and test images {second.image_shape} "
                "(height, width, channels); they must be equal"
            )
        return Splits(first, second)


def _image_set(
    split: str, dataset: str, class_names: Sequence[str], images: np.ndarray, labels: np.ndarray
) -> ImageSet:
    try:
        return ImageSet(
            np.ascontiguousarray(images), np.ascontiguousarray(labels, np.int64), tuple(class_names), dataset
        )
    except InputError as error:
        raise InputError(f"{split} split of {error}") from None


def check_class_names(dataset: str, class_names: Sequence[str]) -> None:
    """InputError unless the names are distinct and each can be the name of a folder."""
    for name in class_names:
        if not name.isprintable() or name.strip(" .") == "" or "/" in name or "\\" in name:
            raise InputError(
                f"{dataset}: class name {name!r} cannot name a folder; allowed: printable, without / or \\"
            )
    if len(set(class_names)) != len(class_names):
        twice = next(name for name in class_names if list(class_names).count(name) > 1)
        raise InputError(f"{dataset}: class name {twice!r} occurs twice; names must be distinct")
