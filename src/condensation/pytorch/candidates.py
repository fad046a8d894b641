"""The images that an agent may choose from, and all that networks say of them, looked up in whole batches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from condensation.core.clusters import representatives, squared_distances
from condensation.core.images import ImageSet
from condensation.core.margins import own_margin
from condensation.core.randomness import derive, generator
from condensation.pytorch.classifiers import cut_at_maps
from condensation.pytorch.networks import Network
from condensation.pytorch.precision import Precision, in_precision
from condensation.pytorch.ridge import RidgeLayer
from condensation.pytorch.training import to_input
from condensation.pytorch.untrained import UntrainedFeatures

SPARE = 2  # a class gives at least this many times the images that are wanted, as far as it has them
CHUNK = 64
FASTEST = torch.channels_last
WIDEST = 512
PENALTY_SETS = 3


@dataclass(frozen=True)
class Views:
    """What networks say of images, row by row.

    probability: float (n,), the CNN's softmax of the own class. margin: float (n,), its logit of the own class less the
    best other one; above 0 where it names the class. features: float32 (n, d), its last maps along the directions in
    which they vary most, of deviation 1 on average.
    untrained: float32 (n, f), see untrained.py.
    """

    probability: np.ndarray
    margin: np.ndarray
    features: np.ndarray
    untrained: np.ndarray

    def take(self, rows: np.ndarray) -> "Views":
        """Copies of some rows, int (k,)."""
        return Views(self.probability[rows], self.margin[rows], self.features[rows], self.untrained[rows])

    def put(self, rows: np.ndarray, other: "Views") -> None:
        """Overwrite the rows at positions int (k,)."""
        for name in ("probability", "margin", "features", "untrained"):
            getattr(self, name)[rows] = getattr(other, name)


class Eyes:
    """Sees images through a trained CNN and through untrained networks, a batch in one call of each.

    ``fit`` comes first. dimensions: of the features. precision: of the CNN's products.
    """

    def __init__(
        self,
        network: Network,
        untrained: UntrainedFeatures,
        scale: tuple[np.ndarray, np.ndarray],
        dimensions: int,
        seed: int,
        *,
        precision: Precision,
    ) -> None:
        trunk, self._logits = cut_at_maps(network.eval().requires_grad_(False).to(memory_format=FASTEST))
        self._maps = in_precision(trunk, precision)
        self._untrained, self._scale, self._dimensions, self._seed = untrained, scale, dimensions, seed
        self._first: Tensor | None = None

    def fit(self, images: np.ndarray, labels: np.ndarray, untrained: np.ndarray) -> Views:
        """What ``see`` says of these images, on which the directions of most variance are found.

        Maps of more than 512 numbers are first projected on so many random directions, whose angles keep distances.
        """
        inputs = to_input(images, *self._scale)
        if (width := self._maps(inputs[:1]).shape[1]) > WIDEST:
            drawn = generator(self._seed, "projection").standard_normal((width, WIDEST), np.float32)
            self._first = torch.from_numpy(drawn / np.float32(WIDEST**0.5))
        logits, seen = self._seen(inputs)
        exact = seen.double()
        self._middle = exact.mean(0)
        variances, vectors = torch.linalg.eigh((exact - self._middle).T @ (exact - self._middle) / len(exact))
        kept = variances.flip(0)[: self._dimensions].clamp_min(0)
        self._directions = vectors.flip(1)[:, : self._dimensions] / (kept.mean().sqrt() + 1e-6)
        return self._views(logits, seen, labels, untrained)

    def see(self, images: np.ndarray, labels: np.ndarray) -> Views:
        """What the networks say of images float32 (n, h, w, c) at pixel scale with labels int (n,)."""
        inputs = to_input(images, *self._scale)
        return self._views(*self._seen(inputs), labels, self._untrained.of(inputs))

    def _views(self, logits: Tensor, seen: Tensor, labels: np.ndarray, untrained: np.ndarray) -> Views:
        own = torch.from_numpy(labels)[:, None]
        features = (seen.double() - self._middle) @ self._directions
        return Views(
            logits.softmax(1).gather(1, own)[:, 0].double().numpy(),
            own_margin(logits.numpy(), labels).astype(np.float64),
            features.float().numpy(),
            untrained,
        )

    def _seen(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(logits, maps (n, 512 or fewer)) of normalised images, a part at a time."""
        logits, seen = [], []
        with torch.no_grad():
            for part in inputs.split(CHUNK):
                maps = self._maps(part.contiguous(memory_format=FASTEST))
                logits.append(self._logits(maps))
                seen.append(maps if self._first is None else maps @ self._first)
        return torch.cat(logits), torch.cat(seen)


@dataclass(frozen=True)
class Pool:
    """Candidates: pixels float32 (n, h, w, c) at pixel scale, labels int64 (n,), and what is seen of them."""

    pixels: np.ndarray
    labels: np.ndarray
    views: Views

    def __len__(self) -> int:
        return len(self.labels)

    def start(self, kind: str, images_per_class: int, seed: int) -> np.ndarray:
        """The set to start from, positions int (classes * images_per_class,), sorted by class.

        kind: "random", or "k_means" in the CNN's features, class by class.
        """
        chosen = []
        for label in range(int(self.labels.max()) + 1):
            own, purpose = np.flatnonzero(self.labels == label), derive(seed, "start", label)
            if kind == "random":
                chosen.append(generator(purpose, "random").permutation(own)[:images_per_class])
            else:
                chosen.append(own[representatives(self.views.features[own], images_per_class, purpose)])
        return np.concatenate(chosen)

    def ridge(
        self, held: np.ndarray, held_labels: np.ndarray, penalties: Sequence[float], images_per_class: int, seed: int
    ) -> RidgeLayer:
        """The layer that scores sets of candidates on held-out images, features float (m, f) and labels int (m,).

        Its penalty is the one of ``penalties`` that suits random sets of ``images_per_class``.
        """
        seen, labels = self.views.untrained, self.labels
        layer = RidgeLayer(seen, held, held_labels, classes=int(labels.max()) + 1, penalty=penalties[0])
        sets = [self.start("random", images_per_class, derive(seed, "penalty", i)) for i in range(PENALTY_SETS)]
        layer.choose_penalty(penalties, [(seen[one], labels[one]) for one in sets])
        return layer

    def cells(self, start: np.ndarray) -> list[np.ndarray]:
        """For each place of ``start`` the candidates of its class that lie nearer to it than to the other places.

        Positions int (k,), those nearest to the mean of the cell first; distances are taken in the CNN's features.
        Places that hold the same sample have the same cell.
        """
        place = np.empty(len(self), np.int64)
        features = self.views.features.astype(np.float64)
        for label in np.unique(self.labels):
            own, places = np.flatnonzero(self.labels == label), np.flatnonzero(self.labels[start] == label)
            place[own] = places[squared_distances(features[own], features[start[places]]).argmin(1)]
        place[start] = np.arange(len(start))  # also where several coincide
        cells = [np.flatnonzero(place == place[sample]) for sample in start]
        return [cell[_from_mean(features[cell]).argsort(kind="stable")] for cell in cells]


def _from_mean(points: np.ndarray) -> np.ndarray:
    distances: np.ndarray = np.linalg.norm(points - points.mean(0), axis=1)
    return distances


def random_candidates(train: ImageSet, count: int, images_per_class: int, seed: int) -> np.ndarray:
    """Positions, ascending, of ``count`` random images spread evenly over the classes."""
    rng = generator(seed, "candidates")
    share = max(-(-count // train.classes), SPARE * images_per_class)
    return np.sort(np.concatenate([rng.permutation(train.indices_of(c))[:share] for c in range(train.classes)]))
