"""Features of networks that have learned nothing: what a fresh network sees of an image at its first step.

A set is judged by networks that start anew, so a layer on such features says more of what they will learn from it than
one on the features of a network that has seen all the data. The networks are the judge's in small: convolution,
instance norm, ReLU and 2x2 average pooling, three times (Zhao et al., ICLR 2021, section 4). Judges train on images
turned and shifted a little; so a feature is the mean over such views, the same for all images.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from condensation.core.params import Section
from condensation.core.randomness import derive, generator
from condensation.tfkeras.augment import AugmentParams, augment_alike
from condensation.tfkeras.training import logits_of

BLOCKS = 3
BATCH = 256  # what keeps the maps in cache
MOVED = AugmentParams(rotation=10.0, shift=0.1, flip={"default": False})


class UntrainedParams(Section):
    """Which untrained networks, and how many numbers are kept of an image.

    views: transforms of an image, beside itself, over which its features are averaged.
    """

    networks: int = Field(ge=1)
    width: int = Field(ge=1)
    dimensions: int = Field(ge=1)
    views: int = Field(ge=0)


class _InstanceNorm(keras.layers.Layer):  # type: ignore[misc]
    """Mean 0 and deviation 1 over the places of each map, nothing learned."""

    def call(self, maps: tf.Tensor) -> tf.Tensor:
        mean, variance = tf.nn.moments(maps, (1, 2), keepdims=True)
        return (maps - mean) * tf.math.rsqrt(variance + 1e-5)


def untrained_features(parts: Sequence[np.ndarray], params: UntrainedParams, seed: int) -> list[np.ndarray]:
    """For each part, images float32 (n, h, w, c) at pixel scale, its features, float32 (n, dimensions or fewer).

    One map for all: the networks' outputs side by side, each centred and scaled to deviation 1, then the directions
    of most variance (PCA), all over the first part. Memory: float32 (n, outputs) for the largest part.
    """
    networks = [_network(parts[0], params.width, derive(seed, "untrained", i)) for i in range(params.networks)]
    views = [derive(seed, "view", i) % 2**31 for i in range(params.views)]
    seen = [_outputs(networks, part, views) for part in parts]
    mean, spread = seen[0].mean(0), seen[0].std(0) + 1e-3
    for outputs in seen:
        outputs -= mean
        outputs /= spread
    directions = _directions(seen[0], params.dimensions, derive(seed, "directions"))
    return [outputs @ directions for outputs in seen]


def _outputs(networks: Sequence[keras.Model], images: np.ndarray, views: Sequence[int]) -> np.ndarray:
    """The networks' outputs side by side, float32 (n, outputs), each the mean over the images and their views."""

    def seen(part: np.ndarray) -> np.ndarray:
        return np.concatenate([logits_of(network, part, BATCH) for network in networks], 1)

    total = seen(images)
    for view in views:
        parts = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
        total += seen(np.concatenate([augment_alike(part, MOVED, (view, 0)).numpy() for part in parts]))
    return total / np.float32(1 + len(views))


def _network(images: np.ndarray, width: int, seed: int) -> keras.Model:
    mean, deviation = images.mean((0, 1, 2), np.float64), images.std((0, 1, 2), np.float64)
    layers, side = keras.layers, min(images.shape[1:3])
    stack = [keras.Input(images.shape[1:]), layers.Rescaling(1 / (deviation + 1e-6), -mean / (deviation + 1e-6))]
    for block in range(BLOCKS):
        start = keras.initializers.HeNormal(seed=derive(seed, "layer", block) % 2**31)
        stack += [layers.Conv2D(width, 3, padding="same", kernel_initializer=start), _InstanceNorm(), layers.ReLU()]
        if side >= 4:
            stack.append(layers.AveragePooling2D(2))
            side //= 2
    return keras.Sequential([*stack, layers.Flatten()])


def _directions(outputs: np.ndarray, count: int, seed: int, rows: int = 8192) -> np.ndarray:
    """The ``count`` directions of most variance of (n, d), from at most ``rows`` of them: float32 (d, count)."""
    some = outputs if len(outputs) <= rows else outputs[generator(seed, "rows").permutation(len(outputs))[:rows]]
    covariance = (some.T @ some).astype(np.float64) / len(some)
    _, vectors = np.linalg.eigh(covariance)
    return np.ascontiguousarray(vectors[:, ::-1][:, :count], np.float32)
