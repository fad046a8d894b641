"""The candidate pool: images and all that a trained CNN says of them, looked up once in whole batches."""

from dataclasses import dataclass

import keras
import numpy as np

from condensation.core.images import ImageSet
from condensation.core.margins import own_margin
from condensation.core.randomness import generator
from condensation.tfkeras.networks import features_of
from condensation.tfkeras.training import logits_of

SPARE = 2
"""A pool holds at least this many times the images that are wanted, as far as there are any."""


@dataclass(frozen=True)
class Pool:
    """Everything that is known of a candidate before any choice.

    pixels: float32 (n, h, w, c) at pixel scale; labels: int64 (n,); features: float64 (n, f) of length 1, what the CNN
    sees of it; margins: float64 (n,), the CNN's logit of the own class less the best other one.
    """

    pixels: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    margins: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def members(self, label: int) -> np.ndarray:
        """Positions of the candidates of one class, ascending."""
        return np.flatnonzero(self.labels == label)

    def take(self, positions: np.ndarray) -> "Pool":
        """The candidates at ``positions``, in that order."""
        return Pool(self.pixels[positions], self.labels[positions], self.features[positions], self.margins[positions])

    def with_more(self, other: "Pool") -> "Pool":
        """The candidates of both, these first."""
        mine, its = ((p.pixels, p.labels, p.features, p.margins) for p in (self, other))
        return Pool(*(np.concatenate(pair) for pair in zip(mine, its, strict=True)))

    @staticmethod
    def of(model: keras.Model, pixels: np.ndarray, labels: np.ndarray) -> "Pool":
        """The pool of float32 images (n, h, w, c) at pixel scale with labels (n,), seen through ``model``."""
        logits = logits_of(model, pixels).astype(np.float64)
        features = logits_of(features_of(model), pixels).astype(np.float64)
        return Pool(pixels, labels, features, own_margin(logits, labels))


def random_pool(model: keras.Model, images: ImageSet, count: int, sizes: np.ndarray, seed: int) -> Pool:
    """``count`` random images, spread evenly over the classes, seen through ``model``.

    sizes: what is wanted of each class, int (classes,); a class gives at least ``SPARE`` times that, as far as it can.
    """
    rng = generator(seed, "random pool")
    shares = np.maximum(-(-count // images.classes), SPARE * sizes)
    parts = [rng.permutation(images.indices_of(label))[:share] for label, share in enumerate(shares)]
    some = np.sort(np.concatenate(parts))
    return Pool.of(model, images.pixels(some), images.labels[some])


def confident(pool: Pool, share: float, sizes: np.ndarray) -> np.ndarray:
    """Positions of the ``share`` of each class with the largest margin, never less than ``SPARE`` times what is wanted.

    sizes: what is wanted of each class, int (classes,). Ascending.
    """
    kept = []
    for label, size in enumerate(sizes):
        own = pool.members(label)
        count = max(round(share * len(own)), SPARE * int(size))
        kept.append(own[np.argsort(-pool.margins[own], kind="stable")[:count]])
    return np.sort(np.concatenate(kept))
