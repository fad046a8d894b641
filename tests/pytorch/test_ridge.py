"""The closed-form layer against scikit-learn, and its influences against layers fitted anew."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from condensation.core.randomness import generator
from condensation.pytorch.ridge import RidgeLayer

CLASSES = 3


def points(count: int, purpose: str) -> tuple[np.ndarray, np.ndarray]:
    rng = generator(0, purpose)
    labels = rng.integers(CLASSES, size=count)
    return rng.normal(size=(count, 5)) + 1.5 * np.eye(CLASSES, 5)[labels], labels


@pytest.fixture
def layer() -> RidgeLayer:
    examples, _ = points(200, "examples")
    return RidgeLayer(examples, *points(80, "held"), classes=CLASSES, penalty=0.05)


def test_it_is_ridge_regression(layer: RidgeLayer) -> None:
    examples, _ = points(200, "examples")
    middle = examples.mean(0)
    scale = np.sqrt(((examples - middle) ** 2).sum(1).mean())
    x, y = points(12, "set")
    held, labels = points(80, "held")
    layer.fit(x, y)

    def with_one(features: np.ndarray) -> np.ndarray:
        return np.column_stack([(features - middle) / scale, np.ones(len(features))])

    reference = Ridge(alpha=0.05 * 12, fit_intercept=False).fit(with_one(x), np.eye(CLASSES)[y] - 1 / CLASSES)
    outputs = reference.predict(with_one(held))
    assert layer.loss == pytest.approx(((outputs - np.eye(CLASSES)[labels] + 1 / CLASSES) ** 2).sum(1).mean())
    assert layer.accuracy == (outputs.argmax(1) == labels).mean()


def test_worth_and_swaps_are_slopes_towards_layers_fitted_anew(layer: RidgeLayer) -> None:
    x, y = points(12, "set")
    new, _ = points(12, "more")
    penalty, held, targets = layer.penalty * 12, layer._held, layer._targets[layer._held_labels]

    def fitted(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
        layer.penalty = penalty / len(features)
        layer.fit(features, labels)
        return layer._weights

    left = [fitted(np.delete(x, i, 0), np.delete(y, i)) for i in range(12)]
    swapped = [fitted(np.where(np.arange(12)[:, None] == i, new, x), y) for i in range(12)]
    own = fitted(x, y)

    def fall(end: np.ndarray) -> float:
        """Slope of the held-out error along the line from the layer to ``end``, by a central difference."""
        tiny = 1e-6
        losses = [((held @ (own + t * (end - own)) - targets) ** 2).sum(1).mean() for t in (-tiny, tiny)]
        return float(losses[0] - losses[1]) / (2 * tiny)

    np.testing.assert_allclose(layer.worth(x, y), [-fall(end) for end in left], rtol=1e-5)
    np.testing.assert_allclose(layer.swaps(x, new, y), [fall(end) for end in swapped], rtol=1e-5)
    np.testing.assert_allclose(layer.swaps(x, x, y), 0, atol=1e-12)


def test_the_penalty_is_the_one_that_suits_the_sets(layer: RidgeLayer) -> None:
    sets = [points(9, "set"), points(9, "another")]
    values = {}
    for penalty in (1e-4, 0.03, 10.0):
        layer.choose_penalty([penalty], sets)
        values[penalty] = layer.value
    layer.choose_penalty(list(values), sets[1:])
    assert layer.penalty == max(values, key=values.__getitem__)
