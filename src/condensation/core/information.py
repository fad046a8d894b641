"""Mutual information, sample by sample: how much a sample tells about its class, beyond what chosen samples tell.

The information that an image x of class y carries about its class is the pointwise mutual information (Fano,
"Transmission of Information", 1961, chapter 2), in nats:

    i(x; y) = log p(y | x) - log p(y).

Its mean over images is the mutual information of images and classes. p(y | x) is the kernel estimate (Nadaraya and
Watson 1964) from all other images; from a set S of samples it is

    p(c | x, S) = (a p(c) + sum of K(x, s) over s of class c) / (a + sum of K(x, s) over all s),

with K Gaussian and a little weight ``a`` on the prior p(c) = 1 / classes. So a set tells I(S), the mean over images
of log p(y | x, S) - log p(y), and a sample tells I(S with it) - I(S) beyond the set: nothing where it repeats what is
there, much where many images of its class lie around it and no sample yet, less than nothing where it is mislabelled.
The width of K is the one under which the labels are likeliest, given as many samples as there will be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from condensation.core.clusters import squared_distances

PRIOR_WEIGHT = 0.01
WIDTHS = tuple(
    map(float, np.geomspace(0.05, 2.0, 12))
)  # of the kernel, in root mean square distances of a sample from the mean
ROWS = 1024
CACHED_ROWS = 32
ROUGH = 1e-5  # above the relative error of a sum of logarithms in float32
MEASURED = 2000  # images on which a set's information is measured


@dataclass(frozen=True)
class Ranking:
    """Samples in the order in which they were chosen, class after class in turn.

    chosen: positions, int (k,). alone: i(x; y) of each, float (k,). beyond: what each tells beyond those before it,
    float (k,). Both in nats.
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
        every = np.arange(len(labels))
        self._measured = _spread(every, MEASURED)
        self.alone = self._log_posteriors(every, every, [self._width(every)])[0] + np.log(classes)
        """i(x; y) of every sample, float (n,), in nats."""

    def _width(self, samples: np.ndarray) -> float:
        """The width of the kernel under which samples tell most of the measured images."""
        return WIDTHS[int(self._log_posteriors(self._measured, samples, WIDTHS).mean(1).argmax())]

    def _log_posteriors(self, images: np.ndarray, samples: np.ndarray, widths: Sequence[float]) -> np.ndarray:
        """Log p(y | x, S) of images (n,) given samples, none given itself: float (widths, n)."""
        result = np.empty((len(widths), len(images)))
        for start in range(0, len(images), ROWS):
            rows = images[start : start + ROWS]
            squared = squared_distances(self._points[rows], self._points[samples])
            squared[rows[:, None] == samples] = np.inf
            same = self._labels[rows, None] == self._labels[samples]
            for i, width in enumerate(widths):
                kernel = np.exp(squared / (-2 * width**2))
                own, every = (kernel * same).sum(1), kernel.sum(1)
                result[i, start : start + ROWS] = np.log((PRIOR_WEIGHT / self._classes + own) / (PRIOR_WEIGHT + every))
        return result

    def rank(self, counts: np.ndarray) -> Ranking:
        """Choose ``counts`` samples of each class, int (classes,), one of each class in turn: always the one of the
        class that tells most beyond those that are chosen already.

        What a set tells is measured on up to ``MEASURED`` images, spread evenly; none tells of itself.
        """
        measured, labels, n = self._measured, self._labels[self._measured], len(self._measured)
        members = [np.flatnonzero(self._labels == label) for label in range(self._classes)]
        width = self._width(np.concatenate([_spread(own, count) for own, count in zip(members, counts, strict=True)]))
        squared = squared_distances(self._points, self._points[measured])
        squared[measured, np.arange(n)] = np.inf
        kernel = np.exp(squared / (-2 * width**2)).astype(np.float32)
        near = [kernel[own] for own in members]
        near_own = [rows.compress(labels == label, axis=1) for label, rows in enumerate(near)]
        left = [np.ones(len(own), bool) for own in members]
        own, every = np.full(n, PRIOR_WEIGHT / self._classes), np.full(n, PRIOR_WEIGHT)
        chosen, beyond = [], []
        for turn in range(int(counts.max())):
            for label in np.flatnonzero(counts > turn):
                same = labels == label
                best, gain = _most(near_own[label], own[same], near[label], every, left[label])
                chosen.append(members[label][best])
                beyond.append(gain / n)
                own[same] += near_own[label][best]
                every += near[label][best]
                left[label][best] = False
        return Ranking(np.array(chosen), self.alone[chosen], np.array(beyond))


def _most(
    near_own: np.ndarray, own: np.ndarray, near: np.ndarray, every: np.ndarray, left: np.ndarray
) -> tuple[int, float]:
    """Of the rows that are left the one that tells most, and what it tells; of equals the first.

    All are told apart in float32, which is many times faster, and those that its error leaves in float64.
    """
    gained, lost = _rough_sums(near_own, own), _rough_sums(near, every)
    told, error = np.where(left, gained - lost, -np.inf), ROUGH * (gained + lost)
    close = np.flatnonzero(told + error >= (told - error).max())
    gains = np.log1p(near_own[close] / own).sum(1) - np.log1p(near[close] / every).sum(1)
    best = int(gains.argmax())
    return int(close[best]), float(gains[best])


def _rough_sums(near: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Sums over columns of log(1 + near / before), float32 (rows,), in blocks that a cache holds."""
    share = (1 / before).astype(np.float32)
    blocks = np.split(near, range(CACHED_ROWS, len(near), CACHED_ROWS))
    return np.concatenate([np.log1p(share * rows).sum(1) for rows in blocks])


def _spread(positions: np.ndarray, count: int) -> np.ndarray:
    """Up to ``count`` of the positions, at even steps."""
    steps = np.linspace(0, len(positions) - 1, min(count, len(positions)))
    spread: np.ndarray = positions[steps.astype(int)]
    return spread
