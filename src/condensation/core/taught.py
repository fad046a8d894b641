"""What ``teach`` says of the training images: the teacher's features and logits, as the methods read them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import softmax

from condensation.core.errors import InputError
from condensation.core.files import read_npz
from condensation.core.images import ImageSet
from condensation.core.margins import own_margin


@dataclass(frozen=True)
class Taught:
    """features: float32 (n, d), of the teacher's last maps, at the teacher's scale. logits: float32 (n, classes)."""

    features: np.ndarray
    logits: np.ndarray

    @staticmethod
    def load(teacher: Path, train: ImageSet) -> "Taught":
        """What lies in the folder ``teacher``; InputError when it was trained on other data than ``train``."""
        arrays = read_npz(teacher / "features.npz")
        if arrays["logits"].shape != (len(train), train.classes):
            raise InputError(
                f"{teacher} holds logits of shape {arrays['logits'].shape}; "
                f"{train.dataset} has {len(train)} images of {train.classes} classes"
            )
        return Taught(arrays["features"].astype(np.float32), arrays["logits"].astype(np.float32))

    def directions(self) -> np.ndarray:
        """The features, rows scaled to length 1: float32 (n, d)."""
        return np.asarray(self.features / np.maximum(np.linalg.norm(self.features, axis=1, keepdims=True), 1e-12))

    def margins(self, labels: np.ndarray) -> np.ndarray:
        """How sure the teacher is of ``labels``, int (n,): its logit of that class less the best other, float (n,)."""
        return own_margin(self.logits, labels)


def soft_labels(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Logits (n, classes) as probabilities under a temperature: float16 (n, 1, classes), one picture per image."""
    return np.asarray(softmax(logits.astype(np.float32) / temperature, axis=1), np.float16)[:, None]
