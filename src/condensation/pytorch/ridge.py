"""A network's last layer in closed form: how good a set is, in milliseconds and without training.

Ridge regression from features to one-hot classes, fitted to a set and scored on held-out images. How much one sample
is worth to the layer follows from the first-order change of the held-out error when it is added (influence functions,
Koh and Liang, ICML 2017, section 2).
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

    def influences(self, features: np.ndarray, labels: np.ndarray, *, members: bool) -> np.ndarray:
        """First-order fall of the held-out squared error when a sample is added, float (k,).

        The change of the layer is exact (Sherman and Morrison), that of the error its slope. members: whether the
        samples are of the fitted set; what they are worth is then told by the layer without them.
        """
        x = self._scaled(features)
        errors = self._targets[labels] - x @ self._weights
        leverage = np.sum(x * linalg.cho_solve(self._factor, x.T, check_finite=False).T, 1)
        slope = -2 * np.sum((x @ self._direction) * errors, 1)
        influence: np.ndarray = slope / (np.maximum(1 - leverage, 1e-6) if members else 1 + leverage)
        return influence

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        centred = (features.astype(np.float64) - self._middle) / self._scale
        return np.concatenate([centred, np.ones((len(centred), 1))], 1)
