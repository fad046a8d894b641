"""A network's last layer in closed form: the cheap stand-in for training a network on the current set.

Ridge regression from cached features to one-hot classes, fitted to the set and scored on held-out images. Replacing one
sample is a change of rank two (Sherman, Morrison and Woodbury), so the effect of thousands of single swaps on the
held-out score costs milliseconds and no fit.
"""

from collections.abc import Sequence
from copy import copy

import numpy as np
from scipy import linalg


class RidgeScore:
    """The ridge layer of a set of pool samples, scored on held-out images.

    features: float (n, f) of the pool; labels: int (n,); held and held_labels likewise for the held-out images. Both
    get a constant feature appended and are scaled alike, so that the mean squared norm of the pool is one; ``penalty``
    is relative to that and to the size of the set.
    """

    def __init__(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        held: np.ndarray,
        held_labels: np.ndarray,
        *,
        classes: int,
        penalty: float,
    ) -> None:
        middle = features.mean(0)
        scale = np.sqrt(np.mean(np.sum((features - middle) ** 2, 1))) + 1e-12
        self.features = _with_constant((features - middle) / scale)
        self.labels, self.classes, self.penalty = labels, classes, penalty
        self._held, self._held_labels = _with_constant((held - middle) / scale), held_labels
        self._targets = np.eye(classes) - 1 / classes
        self._held_gram = self._held.T @ self._held
        self._held_sums = self._held.T @ self._targets[held_labels]

    def take(self, positions: np.ndarray) -> "RidgeScore":
        """The same layer for the pool samples at ``positions`` alone."""
        part = copy(self)
        part.features, part.labels = self.features[positions], self.labels[positions]
        return part

    def fit(self, chosen: np.ndarray) -> None:
        """Fit the layer to the pool samples at ``chosen``, int (k,)."""
        x, y = self.features[chosen], self._targets[self.labels[chosen]]
        gram = x.T @ x
        gram[np.diag_indices_from(gram)] += self.penalty * len(chosen)
        self._inverse = linalg.inv(gram, check_finite=False)
        self.weights = self._inverse @ (x.T @ y)
        self.held_outputs = self._held @ self.weights
        self._fitted = chosen
        self.loss, self.accuracy = self._measure(self.held_outputs[None])[:, 0]

    def choose_penalty(self, penalties: Sequence[float], sets: Sequence[np.ndarray]) -> None:
        """Take the penalty under which the layer is worth most, on average over ``sets``, int (k,) each.

        The more samples, the smaller it is: one that suits ten of a class hides what sets of fifty differ in.
        """

        def worth(penalty: float) -> float:
            self.penalty = penalty
            return sum(self._worth_of(chosen) for chosen in sets)

        self.penalty = max(penalties, key=worth)

    def _worth_of(self, chosen: np.ndarray) -> float:
        self.fit(chosen)
        return self.value

    @property
    def value(self) -> float:
        """How good the fitted set is: held-out accuracy less squared error."""
        return float(self.accuracy - self.loss)

    def training_score(self) -> tuple[float, float]:
        """(mean squared error, accuracy) of the fitted layer on the set itself."""
        labels = self.labels[self._fitted]
        outputs = self.features[self._fitted] @ self.weights
        error = np.sum((outputs - self._targets[labels]) ** 2, 1)
        return float(error.mean()), float((outputs.argmax(1) == labels).mean())

    def class_errors(self) -> np.ndarray:
        """Share of held-out images of each class that the fitted layer gets wrong, float (classes,)."""
        wrong = self.held_outputs.argmax(1) != self._held_labels
        counts = np.bincount(self._held_labels, minlength=self.classes)
        return np.bincount(self._held_labels, weights=wrong, minlength=self.classes) / np.maximum(counts, 1)

    def margins(self, indices: np.ndarray) -> np.ndarray:
        """Output for the own class less the best other one, of pool samples at ``indices`` (...,): float (...)."""
        outputs = self.features[indices] @ self.weights
        own = np.take_along_axis(outputs, self.labels[indices][..., None], -1)[..., 0]
        np.put_along_axis(outputs, self.labels[indices][..., None], -np.inf, -1)
        return own - outputs.max(-1)

    def influences(self, indices: np.ndarray) -> np.ndarray:
        """First-order fall of the held-out squared error when a sample is added, pool samples (...,): float (...)."""
        slope = self._held_gram @ self.weights - self._held_sums  # the held-out features times the residuals
        direction = self._inverse @ slope / len(self._held)  # (f, classes)
        x = self.features[indices]
        errors = self._targets[self.labels[indices]] - x @ self.weights
        return -2 * np.sum((x @ direction) * errors, -1)

    def swaps(self, slots: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Held-out (loss, accuracy), float (b,) each, were one slot of the fitted set given another sample.

        slots: positions in the set, int (b,); candidates: pool samples of the same classes, int (b,). Each swap is
        alone: row i answers for the set with only swap i made.
        """
        old, new = self.features[self._fitted[slots]], self.features[candidates]
        targets = self._targets[self.labels[candidates]]
        pair = np.stack([old, new], -1)  # (b, f, 2)
        signs = np.array([-1.0, 1.0])
        inverse_pair = self._inverse @ pair  # (b, f, 2)
        core = np.diag(signs) + np.einsum("bfi,bfj->bij", pair, inverse_pair)
        change = inverse_pair[:, :, 1] - inverse_pair[:, :, 0]
        moved = np.einsum("bfi,fc->bic", pair, self.weights)
        moved += np.einsum("bfi,bf->bi", pair, change)[:, :, None] * targets[:, None]
        right = signs[:, None] * targets[:, None] - np.linalg.solve(core, moved)  # (b, 2, classes)
        held_pair = np.tensordot(inverse_pair, self._held, axes=(1, 1))  # (b, 2, m)
        return tuple(self._measure(self.held_outputs + np.einsum("bim,bic->bmc", held_pair, right)))

    def _measure(self, outputs: np.ndarray) -> np.ndarray:
        """(loss, accuracy) of outputs (b, m, classes): float (2, b)."""
        error = np.sum((outputs - self._targets[self._held_labels]) ** 2, -1).mean(-1)
        accuracy = (outputs.argmax(-1) == self._held_labels).mean(-1)
        return np.stack([error, accuracy])


def _with_constant(features: np.ndarray) -> np.ndarray:
    return np.concatenate([features, np.ones((len(features), 1))], 1).astype(np.float64)
