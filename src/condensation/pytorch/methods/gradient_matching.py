"""Gradient matching: images whose gradient is that of the real data, along the training of many networks.

Zhao, Mopuri, Bilen, "Dataset Condensation with Gradient Matching", ICLR 2021, algorithm 1. Images are optimised at
normalised scale (mean 0, deviation 1 over the training images; the learning rate is meant for it) and come out at
pixel scale, not clipped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from condensation.core.condensed import CondensedDataset, check_request
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.randomness import derive, generator
from condensation.core.runlog import RunLog
from condensation.pytorch.matching import Distance, freeze_statistics, match, matchable, matched_weights, real_gradient
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.synthetic import Initialisation, Scale, initialise, labels_of

PUBLISHED_LOOPS = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
STATISTICS_PER_CLASS = 16


class Params(Section):
    """Defaults are the published values.

    outer_loops, inner_loops: null takes the published number for the images per class (``loops``).
    batch_real: real images of a class at each outer step.
    """

    mode: Literal["exact"] = "exact"
    network: NetworkSpec
    initialisation: Initialisation = "noise"
    distance: Distance = "paper"
    iterations: int = Field(1000, ge=1)
    outer_loops: int | None = Field(None, ge=1)
    inner_loops: int | None = Field(None, ge=0)
    image_learning_rate: float = Field(0.1, gt=0)
    image_momentum: float = Field(0.5, ge=0, lt=1)
    network_learning_rate: float = Field(0.01, gt=0)
    batch_real: int = Field(256, ge=1)
    batch_train: int = Field(256, ge=1)


def loops(images_per_class: int, params: Params) -> tuple[int, int, str]:
    """(outer loops, inner epochs, a note on where they come from) for a number of images per class.

    Published for 1, 10, 20, 30, 40 and 50; between them linear, beyond 50 those of 50; params override either.
    """
    known = sorted(PUBLISHED_LOOPS)
    outer, inner = (
        round(float(np.interp(images_per_class, known, [PUBLISHED_LOOPS[k][i] for k in known]))) for i in (0, 1)
    )
    chosen = params.outer_loops or outer, inner if params.inner_loops is None else params.inner_loops
    given = params.outer_loops is not None and params.inner_loops is not None
    interpolated = not given and images_per_class not in PUBLISHED_LOOPS
    return *chosen, f"loops {chosen[0]} x {chosen[1]}" + (", interpolated" if interpolated else "")


@dataclass
class State:
    """Where a run stands, between two outer steps: whole, so that a checkpoint resumes to the same bytes.

    images, velocity: float32 (classes * images per class, c, h, w), normalised. distance: summed over the outer
    steps of this iteration so far.
    """

    images: torch.Tensor
    velocity: torch.Tensor
    network: nn.Module
    iteration: int = 0
    outer: int = 0
    distance: float = 0.0

    def arrays(self) -> dict[str, np.ndarray]:
        """What a checkpoint holds."""
        weights = {f"network.{name}": value.numpy() for name, value in self.network.state_dict().items()}
        place = np.array([self.iteration, self.outer, self.distance], np.float64)
        return {"images": self.images.numpy(), "velocity": self.velocity.numpy(), "place": place, **weights}

    @staticmethod
    def of(arrays: dict[str, np.ndarray], fresh: Callable[[int], nn.Module]) -> "State":
        """What ``arrays`` were made from."""
        iteration, outer = (int(value) for value in arrays["place"][:2])
        network = fresh(iteration)
        weights = {
            k.removeprefix("network."): torch.from_numpy(v) for k, v in arrays.items() if k.startswith("network.")
        }
        network.load_state_dict(weights)
        images, velocity = (
            torch.tensor(arrays[name]) for name in ("images", "velocity")
        )  # copied: torch aligns memory
        return State(images, velocity, network, iteration, outer, float(arrays["place"][2]))


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """Learn ``images_per_class`` images for each class; InputError when a class has fewer real ones."""
    check_request(train, images_per_class)
    scale = Scale.of(train)
    images = _learn(train, images_per_class, params, seed, log, scale)
    labels = labels_of(train.classes, images_per_class).numpy()
    return CondensedDataset.build(
        train,
        scale.pixels(images),
        labels,
        method="gradient_matching",
        images_per_class=images_per_class,
        seed=seed,
        params=params,
    )


def _learn(
    train: ImageSet, images_per_class: int, params: Params, seed: int, log: RunLog, scale: Scale
) -> torch.Tensor:
    spec = matchable(params.network, train.image_shape)

    def fresh(iteration: int) -> nn.Module:
        place = derive(seed, "network", iteration)
        return build(spec, image_shape=train.image_shape, classes=train.classes, seed=place)

    outer_loops, inner_loops, note = loops(images_per_class, params)
    labels = labels_of(train.classes, images_per_class)
    kept = log.resume()
    if kept is None:
        start = initialise(params.initialisation, train, images_per_class=images_per_class, scale=scale, seed=seed)
        state = State(start, torch.zeros_like(start), fresh(0))
    else:
        state = State.of(kept, fresh)
    while state.iteration < params.iterations:
        step_seed = derive(seed, "step", state.iteration, state.outer)
        state.distance += _outer_step(state, train, labels, params, scale, step_seed)
        if state.outer + 1 < outer_loops:
            _train(state.network, state.images, labels, inner_loops, params, step_seed)
            state.outer += 1
        else:
            log.metrics(state.iteration, match_distance=state.distance / (outer_loops * train.classes))
            log.progress(
                state.iteration + 1,
                params.iterations,
                note + (f", depth {spec.depth}" if spec != params.network else ""),
            )
            state.iteration, state.outer, state.distance = state.iteration + 1, 0, 0.0
            state.network = fresh(state.iteration)
        log.checkpoint(state.arrays)
    return state.images


def _outer_step(state: State, train: ImageSet, labels: torch.Tensor, params: Params, scale: Scale, seed: int) -> float:
    """One SGD step on the images towards the gradients of real ones, class by class; the summed distance."""
    network, weights = state.network, matched_weights(state.network)
    freeze_statistics(network, scale.normalise(_real(train, range(train.classes), STATISTICS_PER_CLASS, seed, "norm")))
    gradient, total = torch.empty_like(state.images), 0.0
    for label in range(train.classes):
        own = labels == label
        images = scale.normalise(_real(train, [label], params.batch_real, seed, "real"))
        target = real_gradient(network, weights, images, torch.full((len(images),), label))
        value, gradient[own] = match(network, weights, target, state.images[own], labels[own], params.distance)
        total += value
    state.velocity.mul_(params.image_momentum).add_(gradient)
    state.images.sub_(state.velocity, alpha=params.image_learning_rate)
    return total


def _real(train: ImageSet, of: range | list[int], count: int, seed: int, purpose: str) -> np.ndarray:
    """Up to ``count`` random real images of each class in ``of``: float32 (n, h, w, c) at pixel scale."""
    chosen = []
    for label in of:
        members = train.indices_of(label)
        rng = generator(seed, purpose, label)
        chosen.append(rng.choice(members, min(count, len(members)), replace=False))
    return train.pixels(np.concatenate(chosen))


def _train(
    network: nn.Module, images: torch.Tensor, labels: torch.Tensor, epochs: int, params: Params, seed: int
) -> None:
    """Train the network on the synthetic set: plain SGD, ``epochs`` passes in random order."""
    network.train()
    parameters = list(network.parameters())
    for epoch in range(epochs):
        order = torch.from_numpy(generator(seed, "order", epoch).permutation(len(images)))
        for batch in order.split(params.batch_train):
            loss = functional.cross_entropy(network(images[batch]), labels[batch])
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.sub_(gradient, alpha=params.network_learning_rate)
