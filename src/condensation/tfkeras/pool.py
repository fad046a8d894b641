"""The candidate pool: real images and all that a trained CNN says of them, looked up once in whole batches."""

from dataclasses import dataclass

import keras
import numpy as np

from condensation.core.images import ImageSet
from condensation.tfkeras.networks import features_of
from condensation.tfkeras.training import logits_of


@dataclass(frozen=True)
class Pool:
    """Everything that is known of a candidate before any choice.

    pixels: float32 (n, h, w, c) at pixel scale; labels: int64 (n,); features: float64 (n, f), of the CNN's last hidden
    layer; margins: float64 (n,), the CNN's logit of the own class less the best other one.
    """

    pixels: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    margins: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @staticmethod
    def of(model: keras.Model, images: ImageSet) -> "Pool":
        """The pool of all ``images``, seen through ``model``."""
        logits = logits_of(model, images.images).astype(np.float64)
        features = logits_of(features_of(model), images.images).astype(np.float64)
        return Pool(images.pixels(), images.labels, features, own_margin(logits, images.labels))


def own_margin(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Logit of the own class less the best other one: (n, classes), (n,) to (n,)."""
    rows = np.arange(len(labels))
    others = logits.copy()
    others[rows, labels] = -np.inf
    return logits[rows, labels] - others.max(1)
