"""Networks, augmentation, batches, sparsity and the exchange: small arrays with known answers."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.margins import own_margin
from condensation.core.params import Section
from condensation.core.pictures import pictures
from condensation.tfkeras.augment import AugmentParams, augment, augment_alike
from condensation.tfkeras.exchange import to_tf
from condensation.tfkeras.networks import evaluation_convnet, features_of, training_cnn
from condensation.tfkeras.selection_environment import sparsity
from condensation.tfkeras.training import batches_of, logits_of

STILL = AugmentParams(rotation=0.0, shift=0.0, flip={"default": False})


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 3, 3), (28, 28, 1), (2, 2, 1)])
def test_networks_fit_any_shape_and_their_seed_decides_them(shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    for make in (training_cnn, evaluation_convnet):
        first, again, other = (logits_of(make(shape, 7, seed), images) for seed in (1, 1, 2))
        assert first.shape == (3, 7)
        np.testing.assert_array_equal(first, again)
        assert not np.allclose(first, other)


def test_training_cnn_has_the_authors_layers() -> None:
    kernels = [tuple(v.shape) for v in training_cnn((28, 28, 1), 10, 0).trainable_variables if len(v.shape) > 1]
    assert kernels == [(3, 3, 1, 32), (3, 3, 32, 64), (3, 3, 64, 64), (7 * 7 * 64, 64), (64, 10)]


@pytest.mark.parametrize(("side", "grid"), [(8, 2), (13, 3), (28, 4), (64, 4)])
def test_features_are_the_directions_of_the_last_maps_averaged_to_a_grid(side: int, grid: int) -> None:
    model = training_cnn((side, side, 1), 4, 0)
    images = np.random.default_rng(1).integers(0, 256, (5, side, side, 1), np.uint8)
    features = logits_of(features_of(model), images, batch=2)
    assert features.shape == (5, grid * grid * 64)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    if grid < 4:  # nothing is averaged: at some length, the layers above give them the model's logits
        (hidden, hidden_bias), (kernel, bias) = ([v.numpy() for v in layer.variables] for layer in model.layers[-2:])
        lengths = np.geomspace(1e-2, 1e2, 4001)[:, None]
        found = np.maximum(lengths * (features[0] @ hidden) + hidden_bias, 0) @ kernel + bias
        assert abs(found - logits_of(model, images[:1])).max(1).min() < 1e-3


def test_augment_without_strength_is_the_identity_and_a_flip_is_a_flip() -> None:
    images = tf.random.stateless_uniform((16, 6, 5, 3), (0, 1))
    np.testing.assert_allclose(augment(images, STILL, False, tf.constant([0, 0])), images, atol=1e-5)
    flipped = augment(images, STILL, True, tf.constant([0, 0])).numpy()
    mirrored = images.numpy()[:, :, ::-1]
    turned = [bool(np.allclose(a, b, atol=1e-5)) for a, b in zip(flipped, mirrored, strict=True)]
    assert 0 < sum(turned) < 16
    np.testing.assert_allclose(flipped[~np.array(turned)], images.numpy()[~np.array(turned)], atol=1e-5)


def test_augment_moves_within_its_bounds_and_by_its_seed_alone() -> None:
    spot = np.zeros((64, 21, 21, 1), np.float32)
    spot[:, 10, 10] = 1
    strong = AugmentParams(rotation=180.0, shift=0.2, flip={"default": False})
    moved = augment(tf.constant(spot), strong, False, tf.constant([3, 4])).numpy()
    rows, columns = np.divmod(moved.reshape(64, -1).argmax(1), 21)
    assert max(abs(rows - 10).max(), abs(columns - 10).max()) <= 6  # 4.2 either way, turned
    assert len(set(zip(rows, columns, strict=True))) > 10
    again = augment(tf.constant(spot), strong, False, tf.constant([3, 4])).numpy()
    np.testing.assert_array_equal(moved, again)


def test_images_moved_alike_share_one_draw() -> None:
    images = np.random.default_rng(0).random((5, 8, 7, 3), np.float32)
    images[3] = images[1]
    params = AugmentParams(rotation=20.0, shift=0.2, flip={"default": False})
    moved = augment_alike(images, params, (3, 4)).numpy()
    np.testing.assert_array_equal(moved[3], moved[1])
    assert not np.allclose(moved, images, atol=0.01)
    alone = augment(images[2:3], params, False, tf.constant([3, 4])).numpy()
    np.testing.assert_allclose(moved[2:3], alone, atol=1e-6)


def test_batches_cover_every_image_and_have_one_size() -> None:
    batches = batches_of(10, 4, seed=0)
    assert batches.shape == (3, 4)
    assert set(batches.ravel()) == set(range(10))
    assert batches_of(3, 8, seed=0).shape == (1, 3)
    some = batches_of(10, 4, seed=0, most=7)
    assert some.shape == (2, 4)
    assert len(set(some.ravel())) == 7


def test_own_margin() -> None:
    logits = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    np.testing.assert_array_equal(own_margin(logits, np.array([0, 2])), [1.0, -1.0])


def test_sparsity_is_the_mean_distance_to_the_nearest_others() -> None:
    points = np.random.default_rng(2).normal(size=(30, 3))
    distances = np.sort(np.linalg.norm(points[:, None] - points[None], axis=-1), 1)[:, 1:6].mean(1)
    np.testing.assert_allclose(sparsity(points, rows=7), distances, rtol=1e-6)
    assert sparsity(points[:1]).tolist() == [0.0]


class Nothing(Section):
    """No parameters."""


def made(train: ImageSet, images_per_class: int, **more: Any) -> CondensedDataset:
    """All images of ``train`` as a set."""
    shared = {"method": "random", "images_per_class": images_per_class, "seed": 0, "params": Nothing()}
    return CondensedDataset.build(train, train.pixels(), train.labels, **shared, **more)


def test_to_tf_gives_images_with_hard_or_soft_targets() -> None:
    rng = np.random.default_rng(0)
    train = ImageSet(rng.integers(0, 256, (4, 5, 6, 3), np.uint8), np.array([1, 0, 1, 0]), ("a", "b"), "own")
    soft = np.full((4, 1, 2), 0.5, np.float16)
    for targets in (None, soft):
        condensed = made(train, 2, soft_labels=targets)
        images, labels = zip(*to_tf(condensed).as_numpy_iterator(), strict=True)
        np.testing.assert_array_equal(np.stack(images), condensed.images)
        if targets is None:
            assert [(int(label), label.dtype) for label in labels] == [(0, np.int64)] * 2 + [(1, np.int64)] * 2
        else:
            assert np.stack(labels).dtype == np.float32
            assert np.stack(labels).shape == (4, 2)


def test_to_tf_gives_the_pictures_of_an_image_one_by_one() -> None:
    train = ImageSet(np.arange(32, dtype=np.uint8).reshape(2, 4, 4, 1), np.array([0, 1]), ("a", "b"), "own")
    condensed = made(train, 1, pictures_per_image=4)
    images, labels = zip(*to_tf(condensed).as_numpy_iterator(), strict=True)
    np.testing.assert_array_equal(np.stack(images), pictures(condensed.images, 4))
    assert [int(label) for label in labels] == [0] * 4 + [1] * 4
