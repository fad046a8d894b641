"""What ``teach`` says of the training images: the teacher's features and logits, as the methods read them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel
from scipy.special import softmax

from condensation.core.errors import InputError
from condensation.core.files import read_json, read_npz
from condensation.core.images import ImageSet
from condensation.core.margins import own_margin

FACTS = "facts.json"
"""Beside what was taught: what it was made of."""


def made_of(train_sha256: str, params: BaseModel) -> dict[str, object]:
    """What decides a seed's teacher, or its experts, JSON-like: those that are made of the same are the same."""
    return {"params": params.model_dump(mode="json"), "train_sha256": train_sha256}


@dataclass(frozen=True)
class Taught:
    """features: float32 (n, d), of the teacher's last maps, at the teacher's scale. logits: float32 (n, classes)."""

    features: np.ndarray
    logits: np.ndarray

    @staticmethod
    def load(teacher: Path, train: ImageSet) -> "Taught":
        """What lies in the folder ``teacher``; InputError when it was trained on other images than ``train``."""
        told = teacher / FACTS
        if not told.exists() or read_json(told)["train_sha256"] != train.sha256:
            raise InputError(
                f"the teacher in {teacher} was not trained on these {len(train)} images of {train.dataset}; "
                f"run `condense teach --dataset {train.dataset}` again"
            )
        arrays = read_npz(teacher / "features.npz")
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
