"""From a condensed set to TensorFlow, importing nothing else of this room."""

import math

import numpy as np
import tensorflow as tf

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError


def to_tf(condensed: CondensedDataset) -> tf.data.Dataset:
    """A ``tf.data.Dataset`` of (image, target) pairs, in the set's order.

    image: float32 (h, w, c) at pixel scale, a real image in [0, 1]. target: int64 label (), or, where the set has soft
    labels, float32 (classes,) for one picture per image and (pictures per image, classes) for several.
    """
    targets = condensed.labels
    if condensed.soft_labels is not None:
        targets = condensed.soft_labels.astype(np.float32)
        targets = targets[:, 0] if targets.shape[1] == 1 else targets
    return tf.data.Dataset.from_tensor_slices((condensed.images, targets))


def pictures(images: np.ndarray, pictures_per_image: int) -> np.ndarray:
    """float32 (n, h, w, c) to (n * pictures, h, w, c): each image is a square grid of pictures, read by rows.

    The pictures are enlarged bilinearly to the size of the image. InputError when they do not form such a grid.
    """
    side = math.isqrt(pictures_per_image)
    n, h, w, c = images.shape
    if side * side != pictures_per_image or h % side or w % side:
        raise InputError(
            f"{pictures_per_image} pictures do not fit an image of {h}x{w}; allowed: squares of common divisors"
        )
    if side == 1:
        return images
    cells = images.reshape(n, side, h // side, side, w // side, c).transpose(0, 1, 3, 2, 4, 5)
    small = cells.reshape(n * pictures_per_image, h // side, w // side, c)
    large: np.ndarray = tf.image.resize(small, (h, w), method="bilinear").numpy()
    return large


def targets(labels: np.ndarray, soft_labels: np.ndarray | None, classes: int, pictures_per_image: int) -> np.ndarray:
    """What each picture is to be called: float32 (n * pictures, classes), rows summing to 1.

    labels: int64 (n,). soft_labels: float (n, pictures, classes), taken in place of the labels, or None.
    """
    if soft_labels is None:
        return np.eye(classes, dtype=np.float32)[np.repeat(labels, pictures_per_image)]
    soft = soft_labels.astype(np.float32).reshape(-1, classes)
    return np.asarray(soft / soft.sum(1, keepdims=True), np.float32)
