"""The information of a sample where the answer is known."""

import numpy as np
import pytest

from condensation.core.information import WIDTHS, Information, _most

RNG = np.random.default_rng(5)


def two_gaussians(n: int, distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples (2n, 1) of two normal classes, their labels, and log p(y | x) / p(y) in closed form."""
    labels = np.repeat([0, 1], n)
    x = RNG.normal(size=2 * n) + distance * (labels - 0.5)
    logit = distance * x * np.where(labels == 1, 1, -1)
    return x[:, None], labels, np.log(2) - np.log1p(np.exp(-logit))


@pytest.mark.parametrize("distance", [0.5, 2.0, 5.0])
def test_two_gaussians_in_closed_form(distance: float) -> None:
    features, labels, expected = two_gaussians(1500, distance)
    found = Information(features, labels, 2).alone
    assert found.mean() == pytest.approx(expected.mean(), abs=0.03)
    inner = np.abs(features[:, 0]) < 2  # where there are samples enough
    assert np.abs(found - expected)[inner].mean() < 0.12


def test_features_that_know_nothing_tell_nothing() -> None:
    labels = np.arange(2000) % 4
    found = Information(RNG.normal(size=(2000, 3)), labels, 4).alone
    assert abs(found.mean()) < 0.03


def test_features_that_know_all_tell_the_entropy_of_the_classes() -> None:
    labels = np.arange(300) % 3
    found = Information(np.eye(3)[labels] + 0.01 * RNG.normal(size=(300, 3)), labels, 3).alone
    np.testing.assert_allclose(found, np.log(3), atol=0.01)


def test_a_mislabelled_sample_tells_less_than_nothing() -> None:
    labels = np.arange(300) % 3
    features = np.eye(3)[labels] + 0.05 * RNG.normal(size=(300, 3))
    labels[0] = 1
    alone = Information(features, labels, 3).alone
    assert alone[0] < -1
    assert alone[1:].min() > 0.9


def test_the_names_of_the_classes_do_not_matter() -> None:
    features, labels, _ = two_gaussians(100, 2.0)
    first, second = Information(features, labels, 2), Information(features, 1 - labels, 2)
    np.testing.assert_allclose(first.alone, second.alone)


def test_clusters_tell_their_share_and_copies_nothing() -> None:
    """Class 0 is one cluster, half of all images; class 1 is two, of 30 % and 20 %: each tells its share of log 2."""
    sizes = [50, 30, 20]
    features = np.repeat([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]], sizes, axis=0)
    labels = np.repeat([0, 1, 1], sizes)
    ranking = Information(features, labels, 2).rank(np.array([2, 3]))
    assert labels[ranking.chosen].tolist() == [0, 1, 0, 1, 1]
    assert len(set(ranking.chosen.tolist())) == 5
    assert np.repeat([0, 1, 2], sizes)[ranking.chosen].tolist()[:4] == [0, 1, 0, 2]
    np.testing.assert_allclose(ranking.alone, np.log(2), atol=0.01)
    np.testing.assert_allclose(ranking.beyond, np.log(2) * np.array([0.5, 0.3, 0, 0.2, 0]), atol=0.02)


def test_a_mislabelled_sample_is_the_last_one_to_be_chosen() -> None:
    labels = np.repeat([0, 1], 40)
    features = 4.0 * labels[:, None] + RNG.normal(size=(80, 2))
    labels[5] = 1
    ranking = Information(features, labels, 2).rank(np.array([39, 41]))
    assert ranking.chosen[labels[ranking.chosen] == 1][-1] == 5
    assert ranking.beyond[ranking.chosen == 5] < 0


def test_each_choice_is_the_one_that_tells_most_worked_out_plainly() -> None:
    features, labels, _ = two_gaussians(15, 1.0)
    ranking = Information(features, labels, 2).rank(np.array([4, 3]))
    x = (features[:, 0] - features.mean()) / features.std()

    def told(chosen: list[int], width: float) -> float:
        total = 0.0
        for i in range(30):
            kernel = {s: np.exp(-((x[i] - x[s]) ** 2) / (2 * width**2)) for s in chosen if s != i}
            own = sum(k for s, k in kernel.items() if labels[s] == labels[i])
            total += np.log((0.005 + own) / (0.01 + sum(kernel.values()))) + np.log(2)
        return total / 30

    members = [np.flatnonzero(labels == label) for label in (0, 1)]
    spread = [
        int(m[i]) for m, count in zip(members, (4, 3), strict=True) for i in np.linspace(0, 14, count).astype(int)
    ]
    width = max(WIDTHS, key=lambda one: told(spread, one))
    for step, best in enumerate(ranking.chosen):
        before = ranking.chosen[:step].tolist()
        left = [i for i in range(30) if labels[i] == labels[best] and i not in before]
        tells = {i: told([*before, i], width) - told(before, width) for i in left}
        assert tells[int(best)] == pytest.approx(max(tells.values()), rel=1e-4)
        assert ranking.beyond[step] == pytest.approx(tells[int(best)], rel=1e-4)
    assert np.bincount(labels[ranking.chosen]).tolist() == [4, 3]


def test_rows_that_float32_does_not_tell_apart_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    every = rng.uniform(0.01, 50, 400)
    own, left = every[:200] / 3, np.ones(60, bool)
    left[:20] = False
    for _ in range(20):
        near = rng.random(400, np.float32) * (1 + 1e-6 * rng.random((60, 400), np.float32))
        near_own = near[:, :200].copy()
        gains = np.log1p(near_own / own).sum(1) - np.log1p(near / every).sum(1)
        best, gain = _most(near_own, own, near, every, left)
        assert best == 20 + gains[20:].argmax()
        assert gain == gains[best]
