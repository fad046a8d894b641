"""ImageSet: labelled images as they come, the form in which data enters every method."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from condensation.core.errors import InputError
from condensation.core.files import read_npz, write_npz
from condensation.core.randomness import generator


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled images of one data set.

    images: uint8 (n, h, w, c), c is 1 or 3. labels: int64 (n,), each class present at least once.
    Raises InputError when anything does not fit.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    dataset: str

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
            raise InputError(
                f"{self.dataset}: images must be uint8 (n, h, w, 1 or 3) and not empty, "
                f"got {images.dtype} {images.shape}"
            )
        if labels.dtype != np.int64 or labels.shape != (len(images),):
            raise InputError(
                f"{self.dataset}: {len(images)} images need as many int64 labels, got {labels.dtype} {labels.shape}"
            )
        if labels.min() < 0 or labels.max() >= len(self.class_names):
            raise InputError(
                f"{self.dataset}: labels must lie in 0..{len(self.class_names) - 1}, got {labels.min()}..{labels.max()}"
            )
        missing = [self.class_names[c] for c in np.flatnonzero(self.counts() == 0)]
        if missing:
            raise InputError(f"{self.dataset}: no image of class {', '.join(missing)}; every class needs at least one")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(h, w, c)."""
        h, w, c = self.images.shape[1:]
        return h, w, c

    def counts(self) -> np.ndarray:
        """Images of each class, int64 (classes,)."""
        return np.bincount(self.labels, minlength=len(self.class_names))

    def indices_of(self, label: int) -> np.ndarray:
        """Positions of the images of one class, ascending."""
        return np.flatnonzero(self.labels == label)

    def pixels(self, indices: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Images at pixel scale: float32 (k, h, w, c) in [0, 1]."""
        return self.images[indices].astype(np.float32) / np.float32(255)

    def take(self, indices: np.ndarray) -> "ImageSet":
        """The images at ``indices``, in that order; each class must still be present."""
        return ImageSet(self.images[indices], self.labels[indices], self.class_names, self.dataset)

    def first(self, count: int) -> "ImageSet":
        """The first ``count`` images of each class, or all that it has; class after class."""
        return self.take(np.concatenate([self.indices_of(label)[:count] for label in range(self.classes)]))

    def split(self, fraction: float, seed: int) -> tuple["ImageSet", "ImageSet"]:
        """(rest, held out): the images outside and inside ``held_out``."""
        mask = np.zeros(len(self), bool)
        mask[self.held_out(fraction, seed)] = True
        return self.take(np.flatnonzero(~mask)), self.take(np.flatnonzero(mask))

    def held_out(self, fraction: float, seed: int) -> np.ndarray:
        """Positions of ``fraction`` of each class, at least one image, chosen by ``seed``; class after class.

        Raises InputError when a class has a single image and so cannot lie on both sides.
        """
        rng = generator(seed, "split")
        held = []
        for label in range(self.classes):
            members = self.indices_of(label)
            if len(members) < 2:
                raise InputError(
                    f"{self.dataset}: class {self.class_names[label]} has {len(members)} image; "
                    "splitting needs at least 2"
                )
            take = min(max(1, round(fraction * len(members))), len(members) - 1)
            held.append(rng.permutation(members)[:take])
        return np.concatenate(held)

    def arrays(self) -> dict[str, np.ndarray]:
        """What goes into the file."""
        return {"images": self.images, "labels": self.labels, "class_names": np.array(self.class_names)}

    @cached_property
    def sha256(self) -> str:
        """Digest of pixels, labels, class names and shape: the identity of the data, whatever the file."""
        digest = hashlib.sha256(repr((self.images.shape, self.class_names)).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write a byte-stable ``.npz``."""
        write_npz(path, self.arrays())

    @staticmethod
    def load(path: Path, dataset: str) -> "ImageSet":
        """Read what ``save`` wrote; InputError when it is anything else."""
        arrays = read_npz(path)
        if set(arrays) != {"images", "labels", "class_names"}:
            raise InputError(f"{path} holds {', '.join(sorted(arrays))}; allowed: images, labels, class_names")
        names = tuple(str(name) for name in arrays["class_names"])
        return ImageSet(arrays["images"], arrays["labels"], names, dataset)


def pixel_statistics(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation (over all pixels) per channel of uint8 (n, h, w, c), at pixel scale [0, 1].

    From whole-number sums over a histogram: the same numbers on every machine, however many images.
    """
    means, deviations = [], []
    values = np.arange(256, dtype=np.int64)
    for channel in range(images.shape[-1]):
        counts = np.zeros(256, np.int64)
        for start in range(0, len(images), 1024):
            counts += np.bincount(images[start : start + 1024, ..., channel].reshape(-1), minlength=256)
        number, first, second = (int((counts * values**power).sum()) for power in (0, 1, 2))
        means.append(first / (255 * number))
        deviations.append((number * second - first**2) ** 0.5 / (255 * number))
    return means, deviations
