"""The family's augmentation: rotation, shifts and a horizontal flip, a whole batch at once, from a seed."""

import math

import tensorflow as tf
from pydantic import Field

from condensation.core.params import ByDataset, Section


class AugmentParams(Section):
    """How far an image is moved; the authors: 10 degrees, 0.1, flip (MPS1: 20 degrees, 0.2)."""

    rotation: float = Field(10.0, ge=0, le=180)  # degrees, either way
    shift: float = Field(0.1, ge=0, lt=1)  # of height and width, either way
    flip: ByDataset[bool]  # left to right, for half of the images; digits do not bear it


def augment(images: tf.Tensor, params: AugmentParams, flip: bool, seed: tf.Tensor) -> tf.Tensor:
    """Images (n, h, w, c), each rotated, shifted and (if ``flip``) flipped by its own draw.

    Empty borders repeat the edge. seed: int (2,), the only source of randomness: equal seeds give equal results.
    """
    n, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    draw = tf.random.stateless_uniform((4, n), seed, -1.0, 1.0)
    angle = draw[0] * (params.rotation * math.pi / 180)
    mirror = tf.where(draw[3] < 0, -1.0, 1.0) if flip else tf.ones(n)
    across, down = draw[1] * (params.shift * width), draw[2] * (params.shift * height)
    cos, sin, zero = tf.cos(angle), tf.sin(angle), tf.zeros(n)
    # Rows of the inverse map, about the centre: where in the input each output pixel comes from.
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    x_terms = (mirror * cos, -mirror * sin)
    y_terms = (sin, cos)
    offset_x = middle_x - x_terms[0] * middle_x - x_terms[1] * middle_y + across
    offset_y = middle_y - y_terms[0] * middle_x - y_terms[1] * middle_y + down
    transforms = tf.stack([*x_terms, offset_x, *y_terms, offset_y, zero, zero], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.constant([height, width]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def augment_alike(images: tf.Tensor, params: AugmentParams, seed: tf.Tensor) -> tf.Tensor:
    """Images (n, h, w, c), all rotated and shifted by one and the same draw; see ``augment``."""
    n, h, w, c = images.shape
    as_channels = tf.reshape(tf.transpose(images, (1, 2, 0, 3)), (1, h, w, n * c))
    moved = augment(as_channels, params, False, seed)
    return tf.transpose(tf.reshape(moved, (h, w, n, c)), (2, 0, 1, 3))
