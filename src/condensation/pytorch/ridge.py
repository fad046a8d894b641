"""A network's last layer in closed form: how good a set is, in milliseconds and without training.

Ridge regression from features to one-hot classes, fitted to a set and scored on held-out images. What one sample is
worth to it, or would be in another's place, costs no fit: the layer's change is of rank one or two, and the error is
followed along it at its slope.
"""

from collections.abc import Sequence

import numpy as np
from scipy import linalg


class RidgeLayer:
    """The layer and the held-out images, features float (m, f) and labels int (m,), that it is scored on.

    examples: features float (n, f) of real images, which say how features are centred and scaled: to a mean squared
    norm of one, with a constant feature appended. ``penalty`` is relative to that and to the size of the set.
    """

    def __init__(
        self, examples: np.ndarray, held: np.ndarray, held_labels: np.ndarray, *, classes: int, penalty: float
    ) -> None:
        self._middle = examples.mean(0)
        self._scale = np.sqrt(np.mean(np.sum((examples - self._middle) ** 2, 1))) + 1e-12
        self.penalty, self._targets = penalty, np.eye(classes) - 1 / classes
        self._held, self._held_labels = self._scaled(held), held_labels

    def fit(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Fit the layer to a set: features float (k, f), labels int (k,)."""
        x, y = self._scaled(features), self._targets[labels]
        gram = x.T @ x
        gram[np.diag_indices_from(gram)] += self.penalty * len(x)
        self._factor = linalg.cho_factor(gram, check_finite=False)
        self._weights = linalg.cho_solve(self._factor, x.T @ y, check_finite=False)
        outputs = self._held @ self._weights
        residual = outputs - self._targets[self._held_labels]
        slope = self._held.T @ residual / len(residual)
        self._direction = linalg.cho_solve(self._factor, slope, check_finite=False)
        self.loss = float(np.sum(residual**2, 1).mean())
        self.accuracy = float((outputs.argmax(1) == self._held_labels).mean())

    @property
    def value(self) -> float:
        """How good the fitted set is: held-out accuracy less squared error."""
        return self.accuracy - self.loss

    def choose_penalty(self, penalties: Sequence[float], sets: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        """Take the penalty under which the layer is worth most, on average over ``sets`` (features, labels)."""

        def worth(penalty: float) -> float:
            self.penalty, total = penalty, 0.0
            for features, labels in sets:
                self.fit(features, labels)
                total += self.value
            return total

        self.penalty = max(penalties, key=worth)

    def worth(self, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """By how much the held-out squared error would rise without each sample of the fitted set, float (k,).

        The change of the layer is exact (Sherman and Morrison), that of the error its slope.
        """
        x = self._scaled(features)
        errors = self._targets[labels] - x @ self._weights
        slope = -2 * np.sum((x @ self._direction) * errors, 1)
        worth: np.ndarray = slope / self._left(np.sum(x * self._solved(x), 1))
        return worth

    def swaps(self, old: np.ndarray, new: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """By how much the error would fall were each sample of the fitted set, alone, given way to another, float (k,).

        old, new: features float (k, f) of samples with the same labels int (k,). As ``worth``; 0 where they are equal.
        """
        x, z = self._scaled(old), self._scaled(new)
        by_x, by_z = self._solved(x), self._solved(z)
        left = self._left(np.sum(x * by_x, 1))
        between = np.sum(z * by_x, 1) / left
        error_x = self._targets[labels] - x @ self._weights
        error_z = self._targets[labels] - z @ self._weights + between[:, None] * error_x
        leverage_z = np.sum(z * by_z, 1) + left * between**2
        slope_x = -2 * x @ self._direction
        slope_z = -2 * z @ self._direction + between[:, None] * slope_x
        fall: np.ndarray = np.sum(slope_z * error_z, 1) / (1 + leverage_z) - np.sum(slope_x * error_x, 1) / left
        return fall

    def _solved(self, x: np.ndarray) -> np.ndarray:
        """Rows times the inverse of the fitted set's Gram matrix with its penalty."""
        solved: np.ndarray = linalg.cho_solve(self._factor, x.T, check_finite=False).T
        return solved

    @staticmethod
    def _left(leverage: np.ndarray) -> np.ndarray:
        """One less the leverage; never 0, where the layer would have nothing else to go by."""
        return np.maximum(1 - leverage, 1e-6)

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        centred = (features.astype(np.float64) - self._middle) / self._scale
        return np.concatenate([centred, np.ones((len(centred), 1))], 1)
