"""From a condensed set to TensorFlow, importing nothing else of this room."""

import numpy as np
import tensorflow as tf

from condensation.core.condensed import CondensedDataset
from condensation.core.pictures import pictures


def to_tf(condensed: CondensedDataset) -> tf.data.Dataset:
    """A ``tf.data.Dataset`` of (image, target) pairs, in the set's order.

    image: float32 (h, w, c) at pixel scale, a real image in [0, 1]. target: int64 label (), or float32 (classes,) where
    the set has soft labels. An image that holds several pictures gives as many pairs.
    """
    count, labels, soft = condensed.provenance.pictures_per_image, condensed.labels, condensed.soft_labels
    names = condensed.provenance.class_names
    answers = np.repeat(labels, count) if soft is None else targets(labels, soft, len(names), count)
    return tf.data.Dataset.from_tensor_slices((pictures(condensed.images, count), answers))


def targets(labels: np.ndarray, soft_labels: np.ndarray | None, classes: int, pictures_per_image: int) -> np.ndarray:
    """What each picture is to be called: float32 (n * pictures, classes), rows summing to 1.

    labels: int64 (n,). soft_labels: float (n, pictures, classes), taken in place of the labels, or None.
    """
    if soft_labels is None:
        return np.eye(classes, dtype=np.float32)[np.repeat(labels, pictures_per_image)]
    soft = soft_labels.astype(np.float32).reshape(-1, classes)
    return np.asarray(soft / soft.sum(1, keepdims=True), np.float32)
