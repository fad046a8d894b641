"""Images moved against the error of a last layer that is fitted to them: what they teach, at the price of one solve.

Each step takes a network of a pool that is being trained on the images themselves, fits its last layer to the images
by ridge regression, and moves their pixels against the squared error of that layer on real images, through the solve
(FRePo: Zhou, Nezhadarya, Ba, "Dataset Distillation using Neural Feature Regression", NeurIPS 2022, algorithm 1).
Nothing is unrolled: the network that gives the features counts as given.

Two things are otherwise than in FRePo, and let hundreds of steps do what takes it hundreds of thousands: the penalty is
about the one under which the images, as they begin, predict real ones best, not next to none; and networks begin at all
ages of their life. A step may take a part of the images, and sees them moved as the judge's networks do.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.parts import joined, part_of
from condensation.core.randomness import derive, generator
from condensation.core.runlog import RunLog
from condensation.pytorch.augment import light_affine
from condensation.pytorch.cores import one_core_each, side_by_side
from condensation.pytorch.descent import Descent
from condensation.pytorch.fused import fused_features
from condensation.pytorch.living_pool import MOMENTUM, LivingPool
from condensation.pytorch.matching import CHUNK_PIXELS, freeze_statistics, matchable
from condensation.pytorch.networks import Network, NetworkSpec, build
from condensation.pytorch.precision import Precision, in_precision
from condensation.pytorch.synthetic import Storage
from condensation.pytorch.training import rate

TOGETHER = 64  # pictures that pass at once; a multiple of what suits the cache, and bounds nothing else
AGEING = 50  # steps of every network between two checkpoints, before the images are moved
LOGGED_EVERY = 10
NEARLY = 1.03
"""A penalty is as good as the best up to so many times its error; the smaller one leaves more to be learned."""


class RegressionParams(Section):
    """How pixels are moved.

    network, networks, lifetime, network_learning_rate, batch_train: of the pool: which networks, how many, the steps
    that each is trained for on pictures of the set (Adam) before another begins. trained: of them, after it was used.
    batch_pictures: of all classes, that a step fits the layer to: random whole images, at least one of each class.
    batch_real: real images of a step. penalties: of the layer, relative to the features' mean square and the number of
    pictures; the smallest is taken under which the images, as they begin, predict nearly best. precision: of the
    networks' products.
    image_learning_rate: Adam's at its highest, at normalised scale; it rises for a quarter of the steps and falls to
    zero as a cosine.
    """

    network: NetworkSpec
    networks: int = Field(ge=1)
    lifetime: int = Field(ge=1)
    network_learning_rate: float = Field(gt=0)
    batch_train: int = Field(ge=1)
    trained: int = Field(ge=1)
    batch_pictures: int = Field(ge=1)
    batch_real: int = Field(ge=1)
    penalties: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)
    precision: Precision
    image_learning_rate: float = Field(gt=0)


class Regression:
    """The images on their way: normalised float32 (classes * images, c, h, w), sorted by class, with hard labels.

    train: the real images. storage: how images hold their pictures, and the scale of both. steps: how often they are
    moved. fixed: the first images of each class, which stay as they are. begin: the number of the first step, for
    whoever reads the log.
    """

    def __init__(
        self,
        train: ImageSet,
        images: Tensor,
        storage: Storage,
        params: RegressionParams,
        seed: int,
        *,
        steps: int,
        fixed: int = 0,
        begin: int = 0,
    ) -> None:
        self.images, self.done, self.penalty = images.clone(), 0, 0.0
        self._train, self._storage, self._steps = train, storage, steps
        self._params, self._seed, self._fixed, self._begin = params, seed, fixed, begin
        self._per_class = len(images) // train.classes
        self._odds = torch.eye(train.classes, dtype=torch.float64) - 1 / train.classes
        spec = matchable(params.network, train.image_shape)
        self._pool = LivingPool(
            lambda start: build(spec, image_shape=train.image_shape, classes=train.classes, seed=start),
            networks=params.networks,
            lifetime=params.lifetime,
            learning_rate=params.network_learning_rate,
            seed=seed,
            aged=True,
            precision=params.precision,
        )
        self._descent = Descent([self.images], optimizer="adamw", momentum=MOMENTUM, weight_decay=0.0)

    def run(self, log: RunLog) -> Tensor:
        """The images after all steps; what is done already is not done again."""
        self._age(log)
        self.penalty = self.penalty or self._best_penalty()
        while self.done < self._steps:
            error, accuracy = self.step()
            if self.done % LOGGED_EVERY == 1:
                log.metrics(self._begin + self.done - 1, real_error=error, real_accuracy=accuracy)
            log.progress(self.done, self._steps, "steps of regression")
            log.checkpoint(self.state)
        return self.images

    def _age(self, log: RunLog) -> None:
        """Train the networks to the ages that they begin at, side by side."""

        def older(number: int) -> None:
            self._teach(number, min(AGEING, self._pool.behind(number)))

        numbers, most = range(self._params.networks), self._params.lifetime
        while behind := [number for number in numbers if self._pool.behind(number)]:
            log.progress(most - max(map(self._pool.behind, behind)), most, "steps of the oldest network")
            side_by_side(older, behind)
            log.checkpoint(self.state)

    def step(self) -> tuple[float, float]:
        """(squared error, percent of the real images named rightly) before one step of the images."""
        seed = derive(self._seed, "step", self.done)
        number = int(generator(seed, "member").integers(self._params.networks))
        rows = self._rows(seed)
        parts = self._parts(self.images[rows].requires_grad_())
        seen, real, wanted = self._shown(number, parts, seed)
        features = torch.cat([part.detach() for part in seen]).requires_grad_()
        with one_core_each(1):  # on several, sums are rounded otherwise
            error, accuracy = self._error(features, rows, real, wanted, self.penalty)
            pulls = torch.autograd.grad(error, features)[0].split([len(part) for part in seen])
        along = side_by_side(lambda i: torch.autograd.grad(seen[i], parts[i], pulls[i])[0], range(len(seen)))
        self._move(rows, torch.cat(along))
        self._teach(number, self._params.trained)
        self.done += 1
        return float(error.detach()), accuracy

    @torch.no_grad()
    def _best_penalty(self) -> float:
        """The smallest of those under which the pool's layers predict nearly best, each network for other images."""
        total = np.zeros(len(self._params.penalties))
        for number in range(self._params.networks):
            seed = derive(self._seed, "penalty", number)
            rows = self._rows(seed)
            seen, real, wanted = self._shown(number, self._parts(self.images[rows]), seed)
            with one_core_each(1):
                errors = [self._error(torch.cat(seen), rows, real, wanted, each)[0] for each in self._params.penalties]
            total += np.array(errors)
        near = [each for each, error in zip(self._params.penalties, total, strict=True) if error < NEARLY * total.min()]
        return min(near)

    def _shown(self, number: int, stored: Sequence[Tensor], seed: int) -> tuple[list[Tensor], Tensor, Tensor]:
        """A network's features of the pictures in each part of the images; those of real images, and their labels."""
        network = self._pool.members[number].network.requires_grad_(False)
        real, wanted = self._real(seed)
        freeze_statistics(network, real)
        features, precision = fused_features(network), self._params.precision

        def seen(part: tuple[int, Tensor]) -> Tensor:
            drawn = torch.Generator().manual_seed(derive(seed, "augmentation", part[0]))
            return in_precision(features, precision)(light_affine(self._storage.read(part[1]), drawn))

        return side_by_side(seen, enumerate(stored)), real_features(network, real, precision), wanted

    def _real(self, seed: int) -> tuple[Tensor, Tensor]:
        """Distinct random images, normalised float32 (m, c, h, w), and their labels, int64 (m,)."""
        count = min(self._params.batch_real, len(self._train))
        taken = generator(seed, "real").choice(len(self._train), count, replace=False)
        return self._storage.scale.normalise(self._train.pixels(taken)), torch.from_numpy(self._train.labels[taken])

    def _parts(self, images: Tensor) -> tuple[Tensor, ...]:
        """The images that pass together."""
        return images.split(max(1, TOGETHER // self._storage.count))

    def _rows(self, seed: int) -> Tensor:
        """The images of a step: int64 (k,), as many of each class, sorted."""
        most = self._params.batch_pictures // (self._storage.count * self._train.classes)
        count = min(max(most, 1), self._per_class)
        some = np.sort(generator(seed, "part").permutation(self._per_class)[:count])
        return torch.from_numpy(some + self._per_class * np.arange(self._train.classes)[:, None]).flatten()

    def _error(
        self, features: Tensor, rows: Tensor, real: Tensor, wanted: Tensor, penalty: float
    ) -> tuple[Tensor, float]:
        """(squared error on the real images of the layer fitted to the features, percent named rightly)."""
        labels = (rows // self._per_class).repeat_interleave(self._storage.count)
        middle = real.double().mean(0)
        spread = (real.double() - middle).square().sum(1).mean().sqrt() + 1e-12

        def scaled(x: Tensor) -> Tensor:
            return functional.pad((x.double() - middle) / spread, (0, 1), value=1.0)

        outputs = scaled(real) @ last_layer(scaled(features), self._odds[labels], penalty)
        error = (outputs - self._odds[wanted]).square().sum(1).mean()
        return error, 100 * float((outputs.argmax(1) == wanted).double().mean())

    def _move(self, rows: Tensor, gradient: Tensor) -> None:
        whole = torch.zeros_like(self.images)
        whole[rows] = gradient
        whole.unflatten(0, (self._train.classes, -1))[:, : self._fixed] = 0
        self.images.grad = whole
        self._descent.step(self._params.image_learning_rate * rate("one_cycle", self.done, self._steps))

    def _teach(self, number: int, steps: int) -> None:
        """Train a network for some steps, on random pictures of the set as it is now."""
        member, count = self._pool.members[number], self._storage.count
        seeds = [derive(self._seed, "teach", number, member.life, member.age + i) for i in range(steps)]
        pictures = len(self.images) * count
        size = min(self._params.batch_train, pictures)
        batches = [generator(seed, "batch").choice(pictures, size, replace=False) for seed in seeds]
        needed, places = np.unique(np.concatenate(batches) // count, return_inverse=True)
        read = self._storage.read(self.images[torch.from_numpy(needed)])
        for i, (seed, batch) in enumerate(zip(seeds, batches, strict=True)):
            where = torch.from_numpy(places[i * size : (i + 1) * size] * count + batch % count)
            labels = torch.from_numpy(batch // (count * self._per_class))
            moved = light_affine(read[where], torch.Generator().manual_seed(derive(seed, "augmentation")))
            self._pool.train(number, moved, labels)

    def state(self) -> dict[str, np.ndarray]:
        """What a checkpoint holds between two steps: whole."""
        arrays = {"images": self.images.numpy(), "done": np.array(self.done), "penalty": np.array(self.penalty)}
        parts = {"descent": self._descent.state(), "pool": self._pool.state()}
        return arrays | joined(parts)

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave."""
        self.images.copy_(torch.from_numpy(arrays["images"]))
        self.done, self.penalty = int(arrays["done"]), float(arrays["penalty"])
        self._descent.restore(part_of(arrays, "descent"))
        self._pool.restore(part_of(arrays, "pool"))


def last_layer(features: Tensor, targets: Tensor, penalty: float) -> Tensor:
    """Weights (d, outputs) of the ridge regression from float64 (n, d) to (n, outputs); differentiable.

    penalty: on the squared weights, for each of the n rows. Solved in the smaller of n and d.
    """
    n, d = features.shape
    shift = penalty * n * torch.eye(min(n, d), dtype=features.dtype)
    if n < d:
        return features.T @ torch.linalg.solve(features @ features.T + shift, targets)
    return torch.linalg.solve(features.T @ features + shift, features.T @ targets)


def real_features(network: Network, images: Tensor, precision: Precision) -> Tensor:
    """The network's features of (n, c, h, w) images, float32 (n, d), without a graph, chunks of them side by side."""
    features = in_precision(fused_features(network), precision)

    def of(chunk: Tensor) -> Tensor:
        with torch.no_grad():
            return features(chunk)

    return torch.cat(side_by_side(of, images.split(max(1, CHUNK_PIXELS // images[0, 0].numel()))))
