"""k-means in feature space: the strongest cheap selection, from which an agent starts."""

import numpy as np

from condensation.core.randomness import generator


def k_means(points: np.ndarray, k: int, seed: int, *, iterations: int = 20) -> np.ndarray:
    """The ``k`` different points, positions int (k,), nearest to the centres of Lloyd's k-means on ``points`` (n, f).

    Begins as k-means++ (Arthur and Vassilvitskii 2007). Raises ValueError for k outside 1..n.
    """
    if not 1 <= k <= len(points):
        raise ValueError(f"k must lie in 1..{len(points)}, got {k}")
    rng = generator(seed, "k-means")
    points = points.astype(np.float64)
    centres = points[_spread_out(points, k, rng)]
    for _ in range(iterations):
        nearest = squared_distances(points, centres).argmin(1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, points)
        counts = np.bincount(nearest, minlength=k)
        filled = counts > 0
        moved = centres.copy()
        moved[filled] = sums[filled] / counts[filled, None]
        if np.array_equal(moved, centres):
            break
        centres = moved
    return _nearest_different(squared_distances(centres, points))


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances between rows of a (n, f) and b (m, f): float (n, m), never negative."""
    return np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T, 0)


def sparsity(points: np.ndarray, neighbours: int = 5, rows: int = 1024) -> np.ndarray:
    """Mean distance of each point (n, f) to its nearest ``neighbours`` others, float (n,); 0 for a lone point."""
    near = min(neighbours, len(points) - 1)
    if near < 1:
        return np.zeros(len(points))
    result = np.empty(len(points))
    for i in range(0, len(points), rows):
        squared = squared_distances(points[i : i + rows], points)
        squared[np.arange(len(squared)), i + np.arange(len(squared))] = np.inf
        result[i : i + rows] = np.sqrt(np.partition(squared, near - 1, 1)[:, :near]).mean(1)
    return result


def _spread_out(points: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    chosen = [int(rng.integers(len(points)))]
    distance = squared_distances(points, points[chosen])[:, 0]
    while len(chosen) < k:
        distance[chosen] = 0
        total = distance.sum()
        if total > 0:
            following = int(rng.choice(len(points), p=distance / total))
        else:  # every point coincides with a chosen one
            following = int(rng.choice(np.setdiff1d(np.arange(len(points)), chosen)))
        chosen.append(following)
        distance = np.minimum(distance, squared_distances(points, points[[following]])[:, 0])
    return np.array(chosen)


def _nearest_different(distances: np.ndarray) -> np.ndarray:
    """For each row the nearest column, no column twice: closest pairs first."""
    chosen = np.full(len(distances), -1)
    left = distances.copy()
    for _ in range(len(distances)):
        row, column = np.unravel_index(left.argmin(), left.shape)
        chosen[row] = column
        left[row], left[:, column] = np.inf, np.inf
    return chosen
