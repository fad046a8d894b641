"""From a condensed set to TensorFlow, importing nothing else of this room."""

import numpy as np
import tensorflow as tf

from condensation.core.condensed import CondensedDataset


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
