"""Mean features of classes: what the real images give once for each network, and how synthetic ones move towards it.

The match of distribution matching (Zhao and Bilen, WACV 2023, section 3): summed over classes, the squared distance
between the mean features of real and of synthetic images, both under the same transform.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from condensation.core.images import ImageSet
from condensation.core.randomness import derive, generator
from condensation.core.runlog import RunLog
from condensation.pytorch.augment import Augmentation, draw
from condensation.pytorch.cores import side_by_side
from condensation.pytorch.fused import fused_features
from condensation.pytorch.matching import CHUNK_PIXELS, matchable, siamese
from condensation.pytorch.networks import Network, NetworkSpec
from condensation.pytorch.pool import PoolParams, Targets, make_pool
from condensation.pytorch.precision import Precision, in_precision
from condensation.pytorch.synthetic import Scale, Storage, real_batch


@dataclass(frozen=True)
class Step:
    """One network, the transform of each class, and the mean features of real images, float32 (classes, d).

    precision: of the network's products.
    """

    network: Network
    transforms: list[Augmentation]
    means: Tensor
    precision: Precision = "float32"


class RealMeans:
    """The real side: mean features of a training set's classes in any network, under transforms drawn by a seed.

    precision: of the networks' products, here and where the means are matched.
    """

    def __init__(self, train: ImageSet, spec: NetworkSpec, strategy: str, precision: Precision) -> None:
        self.train, self.scale, self.spec = train, Scale.of(train), matchable(spec, train.image_shape)
        self.precision: Precision = precision
        self._strategy = siamese(strategy, train.class_names)

    def transforms(self, seed: int) -> list[Augmentation]:
        """A transform for each class."""
        shape, drawn = self.train.image_shape, torch.Generator()
        seeds = [derive(seed, "transform", c) for c in range(self.train.classes)]
        return [draw(self._strategy, image_shape=shape, generator=drawn.manual_seed(each)) for each in seeds]

    def step(self, network: Network, count: int | None, seed: int) -> Step:
        """Transforms drawn by ``seed`` and the means of up to ``count`` (None: all) images of each class under them."""
        transforms = self.transforms(seed)

        def mean(label: int) -> Tensor:
            images = real_batch(self.train, label, count, self.scale, seed)
            return mean_features(network, transforms[label](images), self.precision)

        means = torch.stack(side_by_side(mean, range(len(transforms))))
        return Step(network, transforms, means, self.precision)


class CachedSteps:
    """Steps on a fixed pool of networks, each with the real means of ``draws`` drawn transforms."""

    def __init__(self, real: RealMeans, pool: PoolParams, draws: int, seed: int, log: RunLog) -> None:
        self._real, self._draws, self._seed = real, draws, seed

        def targets(network: Network, number: int) -> Targets:
            steps = [real.step(network, pool.real_per_class, self._draw_seed(number, i)) for i in range(draws)]
            return {str(i): step.means for i, step in enumerate(steps)}

        train, scale = real.train, real.scale
        self._pool = make_pool(real.spec, train, scale=scale, params=pool, seed=seed, log=log, targets=targets)

    def step(self, iteration: int) -> Step:
        """What iteration ``iteration`` matches; the same whenever it is asked."""
        rng = generator(derive(self._seed, "step", iteration), "member")
        number, drawn = int(rng.integers(len(self._pool))), int(rng.integers(self._draws))
        member, transforms = self._pool[number], self._real.transforms(self._draw_seed(number, drawn))
        return Step(member.network, transforms, member.targets[str(drawn)], self._real.precision)

    def _draw_seed(self, number: int, drawn: int) -> int:
        return derive(self._seed, "pool draw", number, drawn)


def mean_features(network: Network, images: Tensor, precision: Precision) -> Tensor:
    """Mean of the network's features over (n, c, h, w) images, float32 (d,), a chunk at a time and without a graph."""
    features = in_precision(fused_features(network), precision)
    with torch.no_grad():
        chunks = images.split(max(1, CHUNK_PIXELS // images[0, 0].numel()))
        return torch.stack([features(chunk).sum(0) for chunk in chunks]).sum(0) / len(images)


def match(step: Step, images: Tensor, storage: Storage) -> tuple[float, Tensor]:
    """(squared distances summed over classes, gradient for the images, float32 (classes * images, c, h, w)).

    Classes do not meet: each is passed by itself, which bounds the memory.
    """
    by_class, seen = images.chunk(len(step.means)), in_precision(fused_features(step.network), step.precision)

    def matched(label: int) -> tuple[float, Tensor]:
        x = by_class[label].detach().requires_grad_()
        features = seen(step.transforms[label](storage.read(x)))
        loss = (features.mean(0) - step.means[label]).square().sum()
        (moved,) = torch.autograd.grad(loss, x)
        return float(loss.detach()), moved

    values, moved = zip(*side_by_side(matched, range(len(by_class))), strict=True)
    return sum(values), torch.cat(moved)


class Moving:
    """Images on their way, normalised float32 (classes * images, c, h, w) sorted by class: descent with momentum."""

    def __init__(self, images: Tensor, classes: int, *, learning_rate: float, momentum: float) -> None:
        self.images, self._velocity, self.done = images, torch.zeros_like(images), 0
        self._classes, self._learning_rate, self._momentum = classes, learning_rate, momentum

    def move(self, step: Step, storage: Storage) -> float:
        """One step; the distance before it, summed over classes."""
        step.network.requires_grad_(False)
        value, gradient = match(step, self.images, storage)
        self._velocity = self._velocity * self._momentum + gradient
        self.images -= self._learning_rate * self._velocity
        self.done += 1
        return value

    def state(self) -> dict[str, np.ndarray]:
        """What a checkpoint holds between two steps: whole."""
        return {"images": self.images.numpy(), "velocity": self._velocity.numpy(), "done": np.array(self.done)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave."""
        self.images, self._velocity = torch.tensor(arrays["images"]), torch.tensor(arrays["velocity"])
        self.done = int(arrays["done"])

    def run(self, steps: int, step: Callable[[int], Step], storage: Storage, log: RunLog) -> None:
        """Move until ``steps`` are done, saying so."""
        while self.done < steps:
            value = self.move(step(self.done), storage)
            if self.done % 10 == 1:
                log.metrics(self.done - 1, match_distance=value / self._classes)
            log.progress(self.done, steps)
            log.checkpoint(self.state)
