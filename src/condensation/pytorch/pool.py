"""A pool of networks along the first steps of training on real data, with what each one says of the real images.

Matching against fresh real images at each step spends most of its work on the real side. On a fixed pool that side
(class gradients, class means of features) is computed once for each network, and kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import torch
from pydantic import Field, model_validator

from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.parts import joined, part_of
from condensation.core.randomness import derive, generator
from condensation.core.runlog import RunLog
from condensation.pytorch.descent import Descent
from condensation.pytorch.loss import backward
from condensation.pytorch.matching import freeze_statistics
from condensation.pytorch.networks import Network, NetworkSpec, build, load_weights, weights_of
from condensation.pytorch.synthetic import Scale, statistics_batch

MOMENTUM = 0.9
Targets = dict[str, torch.Tensor]


class PoolParams(Section):
    """Which networks, and how much real data a target rests on.

    runs: networks trained from scratch. steps: after how many steps of each a copy joins the pool; 0 is untrained.
    real_per_class: real images of a class behind a target, null for all. batch_size, learning_rate: of the training
    (SGD with momentum 0.9, which starts anew at each copy).
    """

    runs: int = Field(ge=1)
    steps: tuple[int, ...] = Field(min_length=1)
    real_per_class: int | None = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if list(self.steps) != sorted(set(self.steps)) or self.steps[0] < 0:
            raise ValueError(f"steps must ascend from 0 or more, got {list(self.steps)}")
        return self


@dataclass(frozen=True)
class Member:
    """A network in evaluation mode, its BatchNorm statistics frozen, and its targets."""

    network: Network
    targets: Targets


def make_pool(
    spec: NetworkSpec,
    train: ImageSet,
    *,
    scale: Scale,
    params: PoolParams,
    seed: int,
    log: RunLog,
    targets: Callable[[Network, int], Targets],
) -> list[Member]:
    """Train the pool and ask ``targets(network, its number)`` of each; a resumed run reads what was finished."""
    members: list[Member] = []

    def fresh(run: int) -> Network:
        start = derive(seed, "pool network", run)
        return build(spec, image_shape=train.image_shape, classes=train.classes, seed=start)

    def grow(network: Network, run: int, done: int, steps: int) -> dict[str, np.ndarray]:
        _train(network, train, scale, params, range(done, steps), derive(seed, "pool training", run))
        freeze_statistics(network, statistics_batch(train, scale, derive(seed, "pool statistics", run, steps)))
        answers = {name: tensor.numpy() for name, tensor in targets(network, len(members)).items()}
        return joined({"network": weights_of(network), "targets": answers})

    total = params.runs * len(params.steps)
    for run in range(params.runs):
        weights, done = weights_of(fresh(run)), 0
        for steps in params.steps:
            log.progress(len(members), total, "networks of the pool")
            network = fresh(run)
            load_weights(network, weights)
            kept = log.keep(f"pool-{run}-{steps}", partial(grow, network, run, done, steps))
            weights, done = part_of(kept, "network"), steps
            load_weights(network, weights)
            members.append(Member(network.eval(), _tensors(part_of(kept, "targets"))))
    return members


def _tensors(arrays: dict[str, np.ndarray]) -> Targets:
    """Copies: torch aligns its memory, and rounding can depend on it."""
    return {name: torch.tensor(array) for name, array in arrays.items()}


def _train(network: Network, train: ImageSet, scale: Scale, params: PoolParams, steps: range, seed: int) -> None:
    descent = Descent(network.parameters(), optimizer="sgd", momentum=MOMENTUM, weight_decay=0.0)
    network.train()
    for step in steps:
        batch = generator(seed, "batch", step).choice(len(train), min(params.batch_size, len(train)), replace=False)
        images, labels = scale.normalise(train.pixels(batch)), torch.from_numpy(train.labels[batch])
        backward(network, images, labels)
        descent.step(params.learning_rate)
