"""Distribution matching: images whose mean features are those of the real data, in many networks.

Zhao, Bilen, "Dataset Condensation with Distribution Matching", WACV 2023 (arXiv 2110.04181). Each step minimises,
summed over classes, the squared distance between the mean features of real and of synthetic images, both augmented by
the same transform. Images are optimised at normalised scale (mean 0, deviation 1 over the training images; the
learning rate is meant for it) and come out at pixel scale, not clipped.

Two modes. ``exact`` is the published algorithm: a fresh untrained network and fresh real images at each step.
``cached`` takes the means of real features once, on a pool of networks trained for a short while on real data, for
some drawn transforms each.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal, Self

import numpy as np
import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from condensation.core.condensed import CondensedDataset, check_request
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.randomness import derive, generator
from condensation.core.runlog import RunLog
from condensation.pytorch.augment import Augmentation, draw, parse
from condensation.pytorch.cores import side_by_side
from condensation.pytorch.fused import fused_features
from condensation.pytorch.matching import CHUNK_PIXELS, freeze_statistics, matchable, siamese
from condensation.pytorch.networks import Network, NetworkSpec, build
from condensation.pytorch.pool import Member, PoolParams, Targets, make_pool
from condensation.pytorch.synthetic import (
    Initialisation,
    Scale,
    initialise,
    labels_of,
    real_batch,
    statistics_batch,
    untiled,
)


class Params(Section):
    """Defaults are the published values.

    strategy: augmentation, operations joined by ``_``, of which one is drawn for each class and step; flips are left
    out where classes are digits. pictures_per_image: how many pictures an image holds, each a tile that is enlarged
    to the image's size when read. pool, pool_draws: needed by ``cached``; transforms drawn for each network and class.
    """

    mode: Literal["exact", "cached"] = "exact"
    network: NetworkSpec
    initialisation: Initialisation = "real"
    pictures_per_image: int = Field(1, ge=1)
    strategy: str = "colour_crop_cutout_flip_scale_rotate"
    iterations: int = Field(20000, ge=1)
    image_learning_rate: float = Field(1.0, gt=0)
    image_momentum: float = Field(0.5, ge=0, lt=1)
    batch_real: int = Field(256, ge=1)
    pool: PoolParams | None = None
    pool_draws: int = Field(1, ge=1)

    @field_validator("strategy")
    @classmethod
    def _known(cls, strategy: str) -> str:
        parse(strategy)
        return strategy

    @model_validator(mode="after")
    def _pool_where_needed(self) -> Self:
        if self.mode == "cached" and self.pool is None:
            raise ValueError("mode cached needs a pool")
        return self


@dataclass(frozen=True)
class Step:
    """One network, the transform of each class, and the mean features of real images, float32 (classes, d)."""

    network: Network
    transforms: list[Augmentation]
    means: Tensor


class Matching:
    """One run: what stays the same through it, and how its steps are made."""

    def __init__(self, train: ImageSet, params: Params, seed: int, log: RunLog) -> None:
        self.train, self.params, self.seed, self.log = train, params, seed, log
        self.scale, self.spec = Scale.of(train), matchable(params.network, train.image_shape)
        self.strategy = siamese(params.strategy, train.class_names)
        self.pool = self._make_pool() if params.mode == "cached" else []

    def step(self, iteration: int) -> Step:
        """What iteration ``iteration`` matches; the same whenever it is asked."""
        seed = derive(self.seed, "step", iteration)
        if self.params.mode == "exact":
            network = build(self.spec, image_shape=self.train.image_shape, classes=self.train.classes, seed=seed)
            freeze_statistics(network, statistics_batch(self.train, self.scale, seed))
            transforms = self._transforms(seed)
            return Step(network, transforms, self._means(network, transforms, self.params.batch_real, seed))
        rng = generator(seed, "member")
        number, drawn = int(rng.integers(len(self.pool))), int(rng.integers(self.params.pool_draws))
        member = self.pool[number]
        return Step(member.network, self._transforms(self._draw_seed(number, drawn)), member.targets[str(drawn)])

    def _make_pool(self) -> list[Member]:
        assert self.params.pool is not None
        return make_pool(
            self.spec,
            self.train,
            scale=self.scale,
            params=self.params.pool,
            seed=self.seed,
            log=self.log,
            targets=self._pool_targets,
        )

    def _pool_targets(self, network: Network, number: int) -> Targets:
        assert self.params.pool is not None
        seeds = [self._draw_seed(number, drawn) for drawn in range(self.params.pool_draws)]
        count = self.params.pool.real_per_class
        return {str(i): self._means(network, self._transforms(seed), count, seed) for i, seed in enumerate(seeds)}

    def _draw_seed(self, number: int, drawn: int) -> int:
        return derive(self.seed, "pool draw", number, drawn)

    def _transforms(self, seed: int) -> list[Augmentation]:
        shape = self.train.image_shape
        return [
            draw(
                self.strategy, image_shape=shape, generator=torch.Generator().manual_seed(derive(seed, "transform", c))
            )
            for c in range(self.train.classes)
        ]

    def _means(self, network: Network, transforms: list[Augmentation], count: int | None, seed: int) -> Tensor:
        """Mean features of real images of each class, float32 (classes, d)."""

        def mean(label: int) -> Tensor:
            images = real_batch(self.train, label, count, self.scale, seed)
            return mean_features(network, transforms[label](images))

        return torch.stack(side_by_side(mean, range(len(transforms))))


def mean_features(network: Network, images: Tensor) -> Tensor:
    """Mean of the network's features over (n, c, h, w) images, float32 (d,), a chunk at a time and without a graph."""
    features = fused_features(network)
    with torch.no_grad():
        chunks = images.split(max(1, CHUNK_PIXELS // images[0, 0].numel()))
        return torch.stack([features(chunk).sum(0) for chunk in chunks]).sum(0) / len(images)


def match(step: Step, images: Tensor, pictures_per_image: int) -> tuple[float, Tensor]:
    """(squared distances summed over classes, gradient for the images, float32 (classes * images, c, h, w)).

    Classes do not meet: each is passed by itself, which bounds the memory.
    """
    by_class, seen = images.chunk(len(step.means)), fused_features(step.network)

    def matched(label: int) -> tuple[float, Tensor]:
        x = by_class[label].detach().requires_grad_()
        features = seen(step.transforms[label](untiled(x, pictures_per_image)))
        loss = (features.mean(0) - step.means[label]).square().sum()
        (moved,) = torch.autograd.grad(loss, x)
        return float(loss.detach()), moved

    values, moved = zip(*side_by_side(matched, range(len(by_class))), strict=True)
    return sum(values), torch.cat(moved)


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """Learn ``images_per_class`` images for each class; InputError when a class has fewer real ones."""
    check_request(train, images_per_class)
    matching = Matching(train, params, seed, log)
    kept = log.resume()
    if kept is None:
        images = initialise(
            params.initialisation,
            train,
            images_per_class=images_per_class,
            scale=matching.scale,
            seed=seed,
            pictures_per_image=params.pictures_per_image,
        )
        velocity, done = torch.zeros_like(images), 0
    else:
        images, velocity, done = torch.tensor(kept["images"]), torch.tensor(kept["velocity"]), int(kept["done"])
    for iteration in range(done, params.iterations):
        step = matching.step(iteration)
        step.network.requires_grad_(False)
        value, gradient = match(step, images, params.pictures_per_image)
        velocity.mul_(params.image_momentum).add_(gradient)
        images.sub_(velocity, alpha=params.image_learning_rate)
        if iteration % 10 == 0:
            log.metrics(iteration, match_distance=value / train.classes)
        log.progress(iteration + 1, params.iterations)
        log.checkpoint(partial(_state, images, velocity, iteration + 1))
    return CondensedDataset.build(
        train,
        matching.scale.pixels(images),
        labels_of(train.classes, images_per_class).numpy(),
        method="distribution_matching",
        images_per_class=images_per_class,
        seed=seed,
        params=params,
        pictures_per_image=params.pictures_per_image,
    )


def _state(images: Tensor, velocity: Tensor, done: int) -> dict[str, np.ndarray]:
    """What a checkpoint holds between two iterations: whole."""
    return {"images": images.numpy(), "velocity": velocity.numpy(), "done": np.array(done)}
