"""Pools: which candidates there are, and what untrained networks see of them."""

import numpy as np

from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog
from condensation.tfkeras.methods.mps2u import best_share
from condensation.tfkeras.methods.mutual_information import ranking
from condensation.tfkeras.networks import training_cnn
from condensation.tfkeras.pool import Pool, confident, random_pool
from condensation.tfkeras.ridge import RidgeScore
from condensation.tfkeras.system import random_start
from condensation.tfkeras.untrained import UntrainedParams, untrained_features

RNG = np.random.default_rng(11)
COUNTS = np.array([12, 30])
IMAGES = ImageSet(RNG.integers(0, 256, (42, 8, 8, 3), np.uint8), np.repeat([0, 1], COUNTS), ("a", "b"), "own")
MODEL = training_cnn((8, 8, 3), 2, 0, width=4)
UNTRAINED = UntrainedParams(networks=2, width=4, dimensions=6, views=1)


def test_a_random_pool_is_even_and_never_too_small() -> None:
    def counts(count: int, *sizes: int) -> list[int]:
        return np.bincount(random_pool(MODEL, IMAGES, count, np.array(sizes), 0).labels).tolist()

    assert counts(16, 2, 2) == [8, 8]
    assert counts(4, 4, 5) == [8, 10]  # twice what is wanted
    assert counts(40, 2, 2) == [12, 20]  # all that there are


def test_a_random_pool_holds_different_images_as_they_are() -> None:
    pool = random_pool(MODEL, IMAGES, 16, np.array([2, 2]), 1)
    position = {image.tobytes(): i for i, image in enumerate(IMAGES.pixels())}
    found = [position[image.tobytes()] for image in pool.pixels]
    assert len(set(found)) == 16
    assert IMAGES.labels[found].tolist() == pool.labels.tolist()


def test_confident_keeps_the_largest_margins_of_each_class() -> None:
    pool = Pool.of(MODEL, IMAGES.pixels(), IMAGES.labels)
    kept = pool.take(confident(pool, 0.5, np.array([1, 1])))
    for label, count in ((0, 6), (1, 15)):
        expected = np.sort(pool.margins[pool.labels == label])[-count:]
        np.testing.assert_array_equal(np.sort(kept.margins[kept.labels == label]), expected)
    assert np.bincount(pool.labels[confident(pool, 0.01, np.array([4, 4]))]).tolist() == [8, 8]


def test_held_out_images_choose_the_share() -> None:
    """Half of each class looks like the other one. Margins that know it: few are taken; that do not: all."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    typical = np.tile([True, False], 60)
    side = np.where(typical, labels, 1 - labels)
    features = np.stack([6.0 * side - 3, np.ones(120)], 1) + 0.1 * rng.normal(size=(120, 2))
    held_labels = np.arange(100) % 2
    held = np.stack([6.0 * held_labels - 3, np.ones(100)], 1)
    for margins, expected in ((typical, 60), (~typical, 120)):
        pool = Pool(np.zeros((120, 2, 2, 1), np.float32), labels, features, margins.astype(float))
        ridge = RidgeScore(features, labels, held, held_labels, classes=2, penalty=0.01)
        kept, layer, start = best_share(pool, ridge, [0.5, 1.0], np.array([3, 3]), seed=0)
        assert len(kept) == len(layer.features) == expected
        assert kept.labels[start].tolist() == [0, 0, 0, 1, 1, 1]
        np.testing.assert_array_equal(layer.labels, kept.labels)


def test_the_most_telling_candidates_are_several_times_what_is_wanted() -> None:
    pool, log = Pool.of(MODEL, IMAGES.pixels(), IMAGES.labels), RunLog()
    kept = ranking(pool, 4, np.array([2, 1]), log)
    there = np.bincount(IMAGES.labels)
    assert np.bincount(IMAGES.labels[kept]).tolist() == [min(16, there[0]), min(8, there[1])]
    assert len(log.tables["information"]["nats_alone"]) == len(kept)
    assert len(ranking(pool, 40, np.array([1, 1]), log)) == 12 + 20


def test_random_start_is_sorted_by_class_with_the_asked_sizes() -> None:
    pool = Pool.of(MODEL, IMAGES.pixels(), IMAGES.labels)
    start = random_start(pool, np.array([3, 5]), 0)
    assert pool.labels[start].tolist() == [0] * 3 + [1] * 5
    assert len(set(start.tolist())) == 8


def test_untrained_features_are_one_map_for_all_parts() -> None:
    pixels = IMAGES.pixels()
    both = untrained_features([pixels, pixels[5:9]], UNTRAINED, 3)
    assert [part.shape for part in both] == [(42, 6), (4, 6)]
    np.testing.assert_allclose(both[0][5:9], both[1], atol=1e-4)
    other = untrained_features([pixels], UNTRAINED, 4)[0]
    assert not np.allclose(np.abs(other), np.abs(both[0]), atol=0.1)


def test_views_bring_an_image_and_itself_moved_nearer() -> None:
    spots = np.zeros((40, 12, 12, 1), np.float32)
    for i, (row, column) in enumerate(np.random.default_rng(0).integers(3, 7, (40, 2))):
        spots[i, row : row + 3, column : column + 3] = 1
    moved = np.roll(spots, 1, axis=2)

    def apart(views: int) -> float:
        params = UNTRAINED.model_copy(update={"views": views, "dimensions": 20})
        here, there = untrained_features([spots, moved], params, 3)
        return float(np.linalg.norm(here - there) / np.linalg.norm(here))

    assert apart(8) < 0.9 * apart(0)


def test_untrained_features_lie_along_the_directions_of_most_variance() -> None:
    features = untrained_features([IMAGES.pixels()], UNTRAINED, 3)[0]
    more = untrained_features([IMAGES.pixels()], UNTRAINED.model_copy(update={"dimensions": 20}), 3)[0]
    covariance = np.cov(more.T, bias=True)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-3 * covariance[0, 0])
    assert (np.diff(np.diag(covariance)) <= 1e-4).all()
    np.testing.assert_allclose(more[:, :6], features, atol=1e-4)
