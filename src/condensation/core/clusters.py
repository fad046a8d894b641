"""k-means as a selection: the different points nearest to the centres."""

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances between rows of a (n, f) and b (m, f): float (n, m), never negative."""
    squared: np.ndarray = np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T, 0)
    return squared


def representatives(points: np.ndarray, k: int, seed: int) -> np.ndarray:
    """The ``k`` different points, positions int (k,), nearest to the centres of k-means on ``points`` (n, f).

    Begins as k-means++ (Arthur and Vassilvitskii 2007); one thread, so that the number of cores changes nothing.
    Raises ValueError for k outside 1..n.
    """
    if not 1 <= k <= len(points):
        raise ValueError(f"k must lie in 1..{len(points)}, got {k}")
    points = points.astype(np.float64)
    distinct = len(np.unique(points, axis=0))
    with threadpool_limits(1):
        centres = KMeans(min(k, distinct), n_init=1, random_state=seed % 2**32).fit(points).cluster_centers_
    centres = np.resize(centres, (k, points.shape[1]))  # where points coincide, a centre stands for several
    return _nearest_different(squared_distances(centres, points))


def _nearest_different(distances: np.ndarray) -> np.ndarray:
    """For each row the nearest column, no column twice: closest pairs first."""
    chosen = np.full(len(distances), -1)
    left = distances.copy()
    for _ in range(len(distances)):
        row, column = np.unravel_index(left.argmin(), left.shape)
        chosen[row] = column
        left[row], left[:, column] = np.inf, np.inf
    return chosen
