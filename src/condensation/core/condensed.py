"""CondensedDataset: the one file that every method writes and every judge reads."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from condensation.core.errors import InputError
from condensation.core.files import canonical_json, npz_bytes, read_npz, write_bytes
from condensation.core.images import ImageSet

FORMAT: Literal[1] = 1


class Provenance(BaseModel):
    """Where a condensed set comes from: enough to make it again, and nothing that changes from run to run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = FORMAT
    method: str
    dataset: str
    images_per_class: int
    seed: int
    params: dict[str, Any]
    class_names: tuple[str, ...]
    train_sha256: str
    label_kind: Literal["hard", "soft"] = "hard"
    pictures_per_image: int = 1
    learned: dict[str, float] = {}


@dataclass(frozen=True, eq=False)
class CondensedDataset:
    """A small set of images that stands for a large one.

    images: float32 (n, h, w, c) at pixel scale: a real image lies in [0, 1], a learned one may leave it.
    labels: int64 (n,), sorted. soft_labels: float16 (n, pictures per image, classes), rows that sum to 1, or None.
    Raises InputError when anything does not fit.
    """

    images: np.ndarray
    labels: np.ndarray
    provenance: Provenance
    soft_labels: np.ndarray | None = None

    def __post_init__(self) -> None:
        images, labels, names = self.images, self.labels, self.provenance.class_names
        if images.dtype != np.float32 or images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
            raise InputError(
                f"condensed images must be float32 (n, h, w, 1 or 3) and not empty, got {images.dtype} {images.shape}"
            )
        if not np.isfinite(images).all():
            raise InputError("condensed images must be finite; some pixels are not a number or infinite")
        if labels.dtype != np.int64 or labels.shape != (len(images),):
            raise InputError(f"{len(images)} images need as many int64 labels, got {labels.dtype} {labels.shape}")
        if set(np.unique(labels)) != set(range(len(names))):
            raise InputError(f"labels must cover each of 0..{len(names) - 1}, got {np.unique(labels).tolist()}")
        if (np.diff(labels) < 0).any():
            raise InputError("condensed images must be sorted by label")
        self._check_soft_labels()

    def _check_soft_labels(self) -> None:
        soft, provenance = self.soft_labels, self.provenance
        if (soft is not None) != (provenance.label_kind == "soft"):
            raise InputError(f"label kind {provenance.label_kind!r} does not fit soft labels {soft is not None}")
        if soft is None:
            return
        shape = (len(self.images), provenance.pictures_per_image, len(provenance.class_names))
        if soft.dtype != np.float16 or soft.shape != shape:
            raise InputError(f"soft labels must be float16 {shape}, got {soft.dtype} {soft.shape}")
        if (soft < 0).any() or not np.allclose(soft.astype(np.float32).sum(-1), 1, atol=0.01):
            raise InputError("soft labels must be probabilities: not negative, each row summing to 1")

    @staticmethod
    def build(
        train: ImageSet,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        method: str,
        images_per_class: int,
        seed: int,
        params: BaseModel,
        soft_labels: np.ndarray | None = None,
        learned: dict[str, float] | None = None,
        pictures_per_image: int = 1,
    ) -> "CondensedDataset":
        """A set made from ``train``: images float (n, h, w, c) and labels (n,) in any order; sorted here, stably."""
        order = np.argsort(labels, kind="stable")
        provenance = Provenance(
            method=method,
            dataset=train.dataset,
            images_per_class=images_per_class,
            seed=seed,
            params=params.model_dump(mode="json"),
            class_names=train.class_names,
            train_sha256=train.sha256,
            label_kind="hard" if soft_labels is None else "soft",
            learned=learned or {},
            pictures_per_image=pictures_per_image,
        )
        return CondensedDataset(
            np.ascontiguousarray(images[order], np.float32),
            np.ascontiguousarray(labels[order], np.int64),
            provenance,
            None if soft_labels is None else np.ascontiguousarray(soft_labels[order]),
        )

    @staticmethod
    def of_selection(
        train: ImageSet, chosen: np.ndarray, *, method: str, images_per_class: int, seed: int, params: BaseModel
    ) -> "CondensedDataset":
        """The real images at the positions ``chosen``, int (n,), unchanged."""
        return CondensedDataset.build(
            train,
            train.pixels(chosen),
            train.labels[chosen],
            method=method,
            images_per_class=images_per_class,
            seed=seed,
            params=params,
        )

    def __len__(self) -> int:
        return len(self.images)

    def first(self, images_per_class: int) -> "CondensedDataset":
        """The first images of each class, as a set of their own; InputError when a class has fewer.

        Of a method that orders its images (mps3) they are a good set; the provenance says of how many they are.
        """
        whole = self.provenance.images_per_class
        least = int(np.bincount(self.labels).min())
        if not 1 <= images_per_class <= least:
            raise InputError(f"the first {images_per_class} images of each class are not there; allowed: 1..{least}")
        starts = np.searchsorted(self.labels, np.arange(len(self.provenance.class_names)))
        kept = np.concatenate([np.arange(start, start + images_per_class) for start in starts])
        told = {"images_per_class": images_per_class, "learned": {**self.provenance.learned, "first_of": float(whole)}}
        soft = None if self.soft_labels is None else self.soft_labels[kept]
        return CondensedDataset(self.images[kept], self.labels[kept], self.provenance.model_copy(update=told), soft)

    def to_bytes(self) -> bytes:
        """The file's bytes: equal for equal sets."""
        text = canonical_json(self.provenance.model_dump(mode="json"))
        arrays = {"images": self.images, "labels": self.labels, "provenance": np.array(text)}
        if self.soft_labels is not None:
            arrays["soft_labels"] = self.soft_labels
        return npz_bytes(arrays)

    def save(self, path: Path) -> None:
        """Write the byte-stable ``.npz`` atomically."""
        write_bytes(path, self.to_bytes())

    @staticmethod
    def load(path: Path) -> "CondensedDataset":
        """Read what ``save`` wrote; InputError when it is anything else. Never unpickles."""
        return CondensedDataset._from_arrays(read_npz(path), str(path))

    @staticmethod
    def from_bytes(content: bytes) -> "CondensedDataset":
        """The set whose ``to_bytes`` this is."""
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return CondensedDataset._from_arrays({name: archive[name] for name in archive.files}, "bytes")

    @staticmethod
    def _from_arrays(arrays: dict[str, np.ndarray], source: str) -> "CondensedDataset":
        names = set(arrays) - {"soft_labels"}
        if names != {"images", "labels", "provenance"}:
            raise InputError(
                f"{source} is not a condensed set: it holds {', '.join(sorted(arrays))}; "
                "allowed: images, labels, provenance, soft_labels"
            )
        try:
            provenance = Provenance.model_validate_json(str(arrays["provenance"][()]))
        except ValidationError as error:
            raise InputError(f"{source}: provenance cannot be read: {error.errors()[0]['msg']}") from None
        return CondensedDataset(arrays["images"], arrays["labels"], provenance, arrays.get("soft_labels"))


def check_request(train: ImageSet, images_per_class: int) -> None:
    """InputError unless every class of ``train`` has at least ``images_per_class`` (>= 1) images."""
    smallest = int(train.counts().argmin())
    most = int(train.counts()[smallest])
    if not 1 <= images_per_class <= most:
        raise InputError(
            f"images per class {images_per_class} is not possible on {train.dataset}; "
            f"allowed: 1..{most} (class {train.class_names[smallest]} has {most} training images)"
        )
