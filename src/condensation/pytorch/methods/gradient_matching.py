"""Gradient matching: images whose gradient is that of the real data, along the training of many networks.

Zhao, Mopuri, Bilen, "Dataset Condensation with Gradient Matching", ICLR 2021, algorithm 1. Images are optimised at
normalised scale (mean 0, deviation 1 over the training images; the learning rate is meant for it) and come out at
pixel scale, not clipped.

Two modes. ``exact`` is the published algorithm: each iteration takes a fresh network, each outer step matches fresh
real images, and the network is then trained on the synthetic set. ``cached`` matches gradients that were taken once
on a pool of networks trained for a short while on real data; it has no inner training.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from condensation.core.condensed import CondensedDataset, check_request
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.parts import joined, part_of
from condensation.core.randomness import derive, generator
from condensation.core.runlog import RunLog
from condensation.pytorch.augment import Augmentation, Each, draw, draw_each
from condensation.pytorch.cores import side_by_side
from condensation.pytorch.descent import Descent
from condensation.pytorch.loss import backward
from condensation.pytorch.matching import (
    Distance,
    Target,
    freeze_statistics,
    match,
    matchable,
    real_target,
)
from condensation.pytorch.networks import Network, NetworkSpec, build, load_weights, weights_of
from condensation.pytorch.pool import Member, PoolParams, Targets, make_pool
from condensation.pytorch.precision import Precision
from condensation.pytorch.synthetic import (
    Initialisation,
    Scale,
    Storage,
    initialise,
    labels_of,
    real_batch,
    statistics_batch,
)

PUBLISHED_LOOPS = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}


class Params(Section):
    """Defaults are the published values.

    outer_loops, inner_loops: null takes the published number for the images per class (``loops``).
    second_order: weight of the distance between curvatures (Hessian times gradient) beside that of the gradients.
    real_precision: of the gradients of real images; bfloat16 is faster on processors that have it, and rounds.
    pictures_per_image: how many pictures an image holds, each a tile that is enlarged to the image's size when read.
    pool: needed by ``cached``, which makes iterations x outer_loops steps, each on one network of the pool.
    """

    mode: Literal["exact", "cached"] = "exact"
    network: NetworkSpec
    initialisation: Initialisation = "noise"
    distance: Distance = "paper"
    second_order: float = Field(0.0, ge=0)
    real_precision: Precision = "float32"
    pictures_per_image: int = Field(1, ge=1)
    iterations: int = Field(1000, ge=1)
    outer_loops: int | None = Field(None, ge=1)
    inner_loops: int | None = Field(None, ge=0)
    image_learning_rate: float = Field(0.1, gt=0)
    image_momentum: float = Field(0.5, ge=0, lt=1)
    network_learning_rate: float = Field(0.01, gt=0)
    batch_real: int = Field(256, ge=1)
    batch_train: int = Field(256, ge=1)
    pool: PoolParams | None = None

    @model_validator(mode="after")
    def _pool_where_needed(self) -> Self:
        if self.mode == "cached" and self.pool is None:
            raise ValueError("mode cached needs a pool")
        return self


def loops(images_per_class: int, params: Params) -> tuple[int, int, str]:
    """(outer loops, inner epochs, a note on where they come from) for a number of images per class.

    Published for 1, 10, 20, 30, 40 and 50; between them linear, beyond 50 those of 50; params override either.
    """
    known = sorted(PUBLISHED_LOOPS)
    outer, inner = (
        round(float(np.interp(images_per_class, known, [PUBLISHED_LOOPS[k][i] for k in known]))) for i in (0, 1)
    )
    chosen = params.outer_loops or outer, inner if params.inner_loops is None else params.inner_loops
    trains = params.mode == "exact"
    given = params.outer_loops is not None and (params.inner_loops is not None or not trains)
    interpolated = not given and images_per_class not in PUBLISHED_LOOPS
    told = f"loops {chosen[0]} x {chosen[1]}" if trains else f"{chosen[0]} steps each"
    return *chosen, told + (", interpolated" if interpolated else "")


@dataclass(frozen=True)
class Task:
    """What stays the same through a run. strategy: siamese augmentation ("none" for plain gradient matching)."""

    train: ImageSet
    images_per_class: int
    params: Params
    seed: int
    strategy: str = "none"
    draws: int = 1
    scale: Scale = field(init=False)
    storage: Storage = field(init=False)
    spec: NetworkSpec = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", Scale.of(self.train))
        object.__setattr__(self, "storage", Storage(self.params.pictures_per_image, self.scale))
        object.__setattr__(self, "spec", matchable(self.params.network, self.train.image_shape))

    def fresh(self, iteration: int) -> Network:
        """The untrained network of an iteration."""
        start = derive(self.seed, "network", iteration)
        return build(self.spec, image_shape=self.train.image_shape, classes=self.train.classes, seed=start)

    def augmentation(self, seed: int, label: int) -> Augmentation:
        """The one transform that the real and the synthetic images of a class both go through."""
        drawn = torch.Generator().manual_seed(derive(seed, "augmentation", label))
        return draw(self.strategy, image_shape=self.train.image_shape, generator=drawn)

    def view(self, seed: int, number: int, count: int) -> Each:
        """What the network in training sees of the ``count`` images of a batch."""
        drawn = torch.Generator().manual_seed(derive(seed, "augmentation", number))
        return draw_each(self.strategy, count=count, image_shape=self.train.image_shape, generator=drawn)

    def fresh_target(self, network: Network, seed: int, label: int) -> Target:
        """What real images drawn for this step ask."""
        return self.target(network, label, self.params.batch_real, seed, seed)

    def target(self, network: Network, label: int, count: int | None, seed: int, augmentation_seed: int) -> Target:
        """What ``count`` real images of a class ask of the synthetic ones, on this network."""
        images = real_batch(self.train, label, count, self.scale, seed)
        images = self.augmentation(augmentation_seed, label)(images)
        curvature, precision = self.params.second_order > 0, self.params.real_precision
        return real_target(network, images, label, curvature=curvature, precision=precision)


@dataclass
class State:
    """Where a run stands between two outer steps: whole, so that a checkpoint resumes to the same bytes.

    images, velocity: float32 (classes * images per class, c, h, w), normalised. network: the one in training, none in
    cached mode. distance: summed over the outer steps of this iteration so far.
    """

    images: Tensor
    velocity: Tensor
    network: Network | None = None
    iteration: int = 0
    outer: int = 0
    distance: float = 0.0

    def arrays(self) -> dict[str, np.ndarray]:
        """What a checkpoint holds."""
        weights = weights_of(self.network) if self.network else {}
        place = np.array([self.iteration, self.outer, self.distance], np.float64)
        arrays = {"images": self.images.numpy(), "velocity": self.velocity.numpy(), "place": place}
        return arrays | joined({"network": weights})

    @staticmethod
    def of(arrays: dict[str, np.ndarray], fresh: Callable[[int], Network] | None) -> "State":
        """What ``arrays`` were made from; copied, because torch aligns its memory and rounding can depend on it."""
        images, velocity = (torch.tensor(arrays[name]) for name in ("images", "velocity"))
        iteration, outer = (int(value) for value in arrays["place"][:2])
        state = State(images, velocity, None, iteration, outer, float(arrays["place"][2]))
        if fresh is not None:
            state.network = fresh(iteration)
            load_weights(state.network, part_of(arrays, "network"))
        return state


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """Learn ``images_per_class`` images for each class; InputError when a class has fewer real ones."""
    check_request(train, images_per_class)
    return learn(Task(train, images_per_class, params, seed), log, method="gradient_matching")


def learn(task: Task, log: RunLog, *, method: str) -> CondensedDataset:
    """Run a task to its end."""
    images = _cached(task, log) if task.params.mode == "cached" else _exact(task, log)
    return CondensedDataset.build(
        task.train,
        task.scale.pixels(images),
        labels_of(task.train.classes, task.images_per_class).numpy(),
        method=method,
        images_per_class=task.images_per_class,
        seed=task.seed,
        params=task.params,
        pictures_per_image=task.params.pictures_per_image,
    )


def _start(task: Task) -> Tensor:
    return initialise(
        task.params.initialisation,
        task.train,
        images_per_class=task.images_per_class,
        scale=task.scale,
        seed=task.seed,
        pictures_per_image=task.params.pictures_per_image,
    )


def _exact(task: Task, log: RunLog) -> Tensor:
    """The published algorithm: normalised images (classes * images per class, c, h, w)."""
    kept = log.resume()
    if kept is None:
        start = _start(task)
        state = State(start, torch.zeros_like(start), task.fresh(0))
    else:
        state = State.of(kept, task.fresh)
    outer_loops, inner_loops, _ = loops(task.images_per_class, task.params)
    while state.iteration < task.params.iterations:
        assert state.network is not None
        seed = derive(task.seed, "step", state.iteration, state.outer)
        network = state.network
        freeze_statistics(network, statistics_batch(task.train, task.scale, derive(seed, "statistics")))
        _image_step(task, state, network, partial(task.fresh_target, network, seed), seed)
        if state.outer + 1 < outer_loops:
            _train(task, network, state.images, inner_loops, seed)
        if _next(task, state, log):
            state.network = task.fresh(state.iteration)
        log.checkpoint(state.arrays)
    return state.images


def _cached(task: Task, log: RunLog) -> Tensor:
    """The same steps on the images, against a pool's gradients of real data."""
    assert task.params.pool is not None
    pool = make_pool(
        task.spec,
        task.train,
        scale=task.scale,
        params=task.params.pool,
        seed=task.seed,
        log=log,
        targets=lambda network, number: _pool_targets(task, network, number),
    )
    kept = log.resume()
    start = _start(task)
    state = State(start, torch.zeros_like(start)) if kept is None else State.of(kept, None)
    while state.iteration < task.params.iterations:
        rng = generator(task.seed, "member", state.iteration, state.outer)
        number, drawn = int(rng.integers(len(pool))), int(rng.integers(task.draws))
        augmentation_seed = derive(task.seed, "pool augmentation", number, drawn)
        _image_step(task, state, pool[number].network, partial(_stored, pool[number], drawn), augmentation_seed)
        _next(task, state, log)
        log.checkpoint(state.arrays)
    return state.images


def _pool_targets(task: Task, network: Network, number: int) -> Targets:
    """Targets of all classes on a network of the pool, stacked by class: one tensor for each draw, kind and weight."""
    assert task.params.pool is not None
    stacked: Targets = {}
    for drawn in range(task.draws):
        real_seed = derive(task.seed, "pool real", number, drawn)
        augmentation_seed = derive(task.seed, "pool augmentation", number, drawn)
        count = task.params.pool.real_per_class
        asked = partial(task.target, network, count=count, seed=real_seed, augmentation_seed=augmentation_seed)
        targets = side_by_side(asked, range(task.train.classes))
        for kind in ("gradient", "curvature"):
            for index, parts in enumerate(zip(*(getattr(t, kind) or () for t in targets), strict=True)):
                stacked[f"{drawn}/{kind}/{index}"] = torch.stack(parts)
    return stacked


def _stored(member: Member, drawn: int, label: int) -> Target:
    """The target of a class from a member's stacked ones."""

    def of(kind: str) -> list[Tensor]:
        return [stack[label] for name, stack in member.targets.items() if name.startswith(f"{drawn}/{kind}/")]

    return Target(of("gradient"), of("curvature") or None)


def _image_step(
    task: Task, state: State, network: Network, target: Callable[[int], Target], augmentation_seed: int
) -> None:
    """One step on the images towards the targets, of each class by itself; adds the distances to the state."""
    params, by_class = task.params, state.images.chunk(task.train.classes)

    def matched(label: int) -> tuple[float, Tensor]:
        augmentation = task.augmentation(augmentation_seed, label)
        return match(
            network,
            target(label),
            by_class[label],
            label,
            kind=params.distance,
            view=partial(_seen, augmentation, task.storage),
            curvature_weight=params.second_order,
        )

    values, moved = zip(*side_by_side(matched, range(task.train.classes)), strict=True)
    state.distance += sum(values)
    state.velocity.mul_(params.image_momentum).add_(torch.cat(moved))
    state.images.sub_(state.velocity, alpha=params.image_learning_rate)


def _seen(augmentation: Augmentation, storage: Storage, images: Tensor) -> Tensor:
    """What the network sees of images: their pictures, augmented."""
    return augmentation(storage.read(images))


def _train(task: Task, network: Network, images: Tensor, epochs: int, seed: int) -> None:
    """Train the network on the synthetic set: plain SGD, ``epochs`` passes in random order, augmented."""
    network.train()
    params = task.params
    descent = Descent(network.parameters(), optimizer="sgd", momentum=0.0, weight_decay=0.0)
    seen = task.storage.read(images)
    labels = labels_of(task.train.classes, len(seen) // task.train.classes)
    for epoch in range(epochs):
        order = torch.from_numpy(generator(seed, "order", epoch).permutation(len(seen)))
        for number, batch in enumerate(order.split(params.batch_train)):
            view = task.view(derive(seed, "train", epoch), number, len(batch))
            backward(network, view(seen[batch]), labels[batch])
            descent.step(params.network_learning_rate)


def _next(task: Task, state: State, log: RunLog) -> bool:
    """Go to the next outer step; at an iteration's end report it and answer True."""
    outer_loops, _, note = loops(task.images_per_class, task.params)
    state.outer += 1
    if state.outer < outer_loops:
        return False
    log.metrics(state.iteration, match_distance=state.distance / (outer_loops * task.train.classes))
    state.iteration, state.outer, state.distance = state.iteration + 1, 0, 0.0
    depth = (
        f", depth {task.spec.depth} for {task.train.image_shape[0]} pixels" if task.spec != task.params.network else ""
    )
    log.progress(state.iteration, task.params.iterations, note + depth)
    return True
