"""Mutual information, sample by sample: how much a sample tells about its class, beyond what chosen samples tell.

The information that a sample x of class y carries about its class is the pointwise mutual information (Fano,
"Transmission of Information", 1961, chapter 2), in nats:

    i(x; y) = log p(y | x) - log p(y), and, given a set S, i(x; y | S) = log p(y | x) - log p(y | x, S).

Its mean over samples is the mutual information of samples and classes. p(y | x) is the kernel estimate from all other
samples (Nadaraya and Watson 1964), p(y | x, S) the same from S alone:

    p(c | x) = (a p(c) + sum of K(x, s) over s of class c) / (a + sum of K(x, s) over all s),

with K Gaussian and a little weight ``a`` on the prior p(c) = 1 / classes, so that an empty S gives i(x; y). The width
of K is the one under which the left-out labels are likeliest. A sample near a chosen one of its class tells nothing
more; a mislabelled one tells less than nothing.
"""

from dataclasses import dataclass

import numpy as np

from condensation.core.clusters import squared_distances

PRIOR_WEIGHT = 0.01
WIDTHS = np.geomspace(0.05, 2.0, 12)  # of the kernel, in root mean square distances of a sample from the mean
ROWS = 1024


@dataclass(frozen=True)
class Ranking:
    """Samples in the order in which they were chosen, class after class in turn.

    chosen: positions, int (k,). alone, beyond: nats, float (k,): what each tells by itself and given those before it.
    """

    chosen: np.ndarray
    alone: np.ndarray
    beyond: np.ndarray


class Information:
    """The information of n samples: features float (n, f), labels int64 (n,) in 0..classes - 1."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int) -> None:
        centred = (features - features.mean(0)).astype(np.float64)
        self._points = centred / (np.sqrt((centred**2).sum(1).mean()) + 1e-12)
        self._labels, self._classes = labels, classes
        likelihoods = self._left_out(WIDTHS)
        self.width = float(WIDTHS[likelihoods.mean(1).argmax()])
        self.alone = likelihoods[likelihoods.mean(1).argmax()] + np.log(classes)
        """i(x; y) of every sample, float (n,), in nats."""

    def _left_out(self, widths: np.ndarray) -> np.ndarray:
        """Logarithm of p(y | x) from all other samples, float (widths, n)."""
        n = len(self._points)
        result = np.empty((len(widths), n))
        for start in range(0, n, ROWS):
            rows = slice(start, min(start + ROWS, n))
            squared = squared_distances(self._points[rows], self._points)
            own = self._labels[rows, None] == self._labels
            squared[np.arange(len(squared)), np.arange(rows.start, rows.stop)] = np.inf
            for i, width in enumerate(widths):
                kernel = np.exp(squared / (-2 * width**2))
                result[i, rows] = self._log_posterior((kernel * own).sum(1), kernel.sum(1))
        return result

    def _log_posterior(self, own: np.ndarray, every: np.ndarray) -> np.ndarray:
        return np.log((PRIOR_WEIGHT / self._classes + own) / (PRIOR_WEIGHT + every))

    def rank(self, counts: np.ndarray) -> Ranking:
        """Choose ``counts`` samples of each class, int (classes,), one of each class in turn: always the one of the
        class that tells most beyond those that are chosen already.
        """
        n = len(self._points)
        own, every, free = np.zeros(n), np.zeros(n), np.ones(n, bool)
        known = self.alone - np.log(self._classes)
        members = [np.flatnonzero(self._labels == label) for label in range(self._classes)]
        chosen, beyond = [], []
        for turn in range(int(counts.max())):
            for label in np.flatnonzero(counts > turn):
                left = members[label][free[members[label]]]
                tells = known[left] - self._log_posterior(own[left], every[left])
                best = int(left[tells.argmax()])
                chosen.append(best)
                beyond.append(float(tells.max()))
                free[best] = False
                kernel = np.exp(squared_distances(self._points, self._points[[best]])[:, 0] / (-2 * self.width**2))
                every += kernel
                own += kernel * (self._labels == label)
        return Ranking(np.array(chosen), self.alone[chosen], np.array(beyond))
