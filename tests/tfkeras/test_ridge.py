"""The closed-form layer against plain refits."""

import numpy as np
import pytest

from condensation.tfkeras.ridge import RidgeScore

RNG = np.random.default_rng(3)
FEATURES, LABELS = RNG.normal(size=(40, 5)), np.arange(40) % 3
HELD, HELD_LABELS = RNG.normal(size=(25, 5)), np.arange(25) % 3
CHOSEN = np.array([0, 3, 1, 4, 2, 5])
CHOSEN = CHOSEN[np.argsort(LABELS[CHOSEN], kind="stable")]


def fitted(chosen: np.ndarray, penalty: float = 0.1) -> RidgeScore:
    ridge = RidgeScore(FEATURES, LABELS, HELD, HELD_LABELS, classes=3, penalty=penalty)
    ridge.fit(chosen)
    return ridge


def test_fit_is_ridge_regression_as_scikit_learn_does_it() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    ridge = fitted(CHOSEN)
    x, targets = ridge.features[CHOSEN], np.eye(3)[LABELS[CHOSEN]] - 1 / 3
    reference = linear_model.Ridge(alpha=0.1 * len(CHOSEN), fit_intercept=False).fit(x, targets)
    np.testing.assert_allclose(ridge.weights, reference.coef_.T, atol=1e-10)


def test_takes_the_penalty_under_which_the_sets_are_worth_most_on_average() -> None:
    sets = [CHOSEN, CHOSEN + 6, CHOSEN + 12]
    penalties = [1e-4, 1e-2, 1e-1, 1.0, 100.0]
    worth = [np.mean([fitted(chosen, penalty).value for chosen in sets]) for penalty in penalties]
    ridge = fitted(CHOSEN, penalties[0])
    ridge.choose_penalty(penalties, sets)
    assert ridge.penalty == penalties[int(np.argmax(worth))]
    assert len({round(value, 3) for value in worth}) > 3


def test_swaps_equal_refits() -> None:
    slots, candidates = np.array([0, 1, 4, 5]), np.array([6, 9, 8, 11])
    loss, accuracy = fitted(CHOSEN).swaps(slots, candidates)
    for i, (slot, candidate) in enumerate(zip(slots, candidates, strict=True)):
        changed = CHOSEN.copy()
        changed[slot] = candidate
        again = fitted(changed)
        assert loss[i] == pytest.approx(again.loss, abs=1e-10)
        assert accuracy[i] == again.accuracy


def test_influence_is_the_slope_of_the_held_out_error_as_a_sample_is_added() -> None:
    ridge, candidate, step = fitted(CHOSEN), 10, 1e-6
    targets = np.eye(3) - 1 / 3
    held_features = ridge._held

    def held_out_error(weight: float) -> float:
        rows = ridge.features[[*CHOSEN, candidate]]
        scale = np.append(np.ones(len(CHOSEN)), weight)[:, None]
        gram = rows.T @ (scale * rows) + 0.1 * len(CHOSEN) * np.eye(rows.shape[1])
        layer = np.linalg.solve(gram, rows.T @ (scale * targets[LABELS[[*CHOSEN, candidate]]]))
        held = held_features @ layer
        return float(((held - targets[HELD_LABELS]) ** 2).sum(1).mean())

    slope = (held_out_error(step) - held_out_error(-step)) / (2 * step)
    assert ridge.influences(np.array([candidate]))[0] == pytest.approx(-slope, rel=1e-5)


def test_class_errors_and_margins_on_the_fitted_outputs() -> None:
    ridge = fitted(CHOSEN)
    answers = ridge.held_outputs.argmax(1)
    for label in range(3):
        assert ridge.class_errors()[label] == pytest.approx(np.mean(answers[label == HELD_LABELS] != label))
    outputs = ridge.features[7] @ ridge.weights
    expected = outputs[LABELS[7]] - max(outputs[c] for c in range(3) if c != LABELS[7])
    assert ridge.margins(np.array([7]))[0] == pytest.approx(expected)
