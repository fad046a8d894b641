"""Trajectory matching: images on which a few steps of training lead where an expert came in epochs of real data.

Cazenavette, Wang, Torralba, Efros, Zhu, "Dataset Distillation by Matching Training Trajectories", CVPR 2022,
algorithm 1. Each iteration draws an expert and an epoch of it (``trajectories``, recorded by the ``teach`` stage),
starts a student there, trains it for some steps on the synthetic images at the learned step size, and moves images
and step size against the squared distance between the weights where it lands and the expert's some epochs later,
relative to the way that the expert went. The gradient goes through all steps; memory grows by one copy of the weights
for each (``unrolled``).

Images are learned as the experts saw them, normalised and perhaps whitened, and come out at pixel scale, not clipped.
The learned step size is told in the provenance; a judge that uses its own protocol makes nothing of it.
"""

from pathlib import Path
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
from condensation.pytorch.augment import Strategy, draw_each
from condensation.pytorch.descent import Descent
from condensation.pytorch.matching import siamese
from condensation.pytorch.synthetic import Initialisation, initialise, labels_of
from condensation.pytorch.trajectories import ExpertParams, Experts
from condensation.pytorch.unrolled import Landing, Step, landing

LEAST_STEP_SIZE = 1e-5
LOGGED_EVERY = 10


class Params(Section):
    """Defaults are those of the authors' code.

    experts: recorded by ``condense teach --method trajectory_matching``. strategy: augmentation, operations joined by
    ``_``, of which one is drawn for each step of a student; flips are left out where classes are digits.
    student_steps: N, on batches of batch_train images (null: all). expert_epochs: M. max_start_epoch: the latest
    epoch of an expert from which a student starts. optimizer, momentum: of images and step size (the first beta of
    AdamW). step_size: where the learned one starts.
    """

    experts: ExpertParams
    strategy: Strategy = "colour_crop_cutout_flip_scale_rotate"
    initialisation: Initialisation = "real"
    iterations: int = Field(5000, ge=1)
    student_steps: int = Field(20, ge=1)
    batch_train: int | None = Field(None, ge=1)
    expert_epochs: int = Field(3, ge=1)
    max_start_epoch: int = Field(25, ge=0)
    optimizer: Literal["sgd", "adamw"] = "sgd"
    momentum: float = Field(0.5, ge=0, lt=1)
    image_learning_rate: float = Field(1000.0, gt=0)
    step_size: float = Field(0.01, gt=0)
    step_size_learning_rate: float = Field(1e-5, gt=0)

    @model_validator(mode="after")
    def _experts_go_far_enough(self) -> Self:
        last = self.max_start_epoch + self.expert_epochs
        if last > self.experts.epochs:
            raise ValueError(f"max_start_epoch + expert_epochs is {last}; allowed: up to {self.experts.epochs} epochs")
        return self


class Matching:
    """The set on its way: images and step size, and the experts that they are to follow."""

    def __init__(self, train: ImageSet, images_per_class: int, params: Params, seed: int, experts: Experts) -> None:
        self.train, self.params, self.seed, self._experts = train, params, seed, experts
        self.scale, self.done = params.experts.scale(train), 0
        self.labels = labels_of(train.classes, images_per_class)
        self.images = initialise(
            params.initialisation, train, images_per_class=images_per_class, seed=seed, scale=self.scale
        )
        self.step_size = torch.tensor(params.step_size)
        self._network = params.experts.fresh(train, 0)
        self._strategy = siamese(params.strategy, train.class_names)
        self._batch = min(params.batch_train or len(self.images), len(self.images))
        self._image_descent, self._size_descent = (
            Descent([leaf], optimizer=params.optimizer, momentum=params.momentum, weight_decay=0.0)
            for leaf in (self.images, self.step_size)
        )

    def step(self) -> Landing:
        """One iteration: how far the student landed from the expert, before the images moved."""
        seed = derive(self.seed, "step", self.done)
        start, goal = self._stretch(seed)
        landed = landing(
            self._network,
            start,
            goal,
            self.images,
            self.labels,
            [self._student_step(seed, number) for number in range(self.params.student_steps)],
            self.step_size.item(),
        )
        self.images.grad, self.step_size.grad = landed.images, torch.tensor(landed.step_size)
        self._image_descent.step(self.params.image_learning_rate)
        self._size_descent.step(self.params.step_size_learning_rate)
        self.step_size.clamp_(min=LEAST_STEP_SIZE)
        self.done += 1
        return landed

    def _stretch(self, seed: int) -> tuple[Tensor, Tensor]:
        """The weights of a random expert at a random epoch, and ``expert_epochs`` later."""
        rng = generator(seed, "stretch")
        expert = int(rng.integers(self.params.experts.experts))
        epoch = int(rng.integers(self.params.max_start_epoch + 1))
        later = epoch + self.params.expert_epochs
        return self._experts.weights(expert, epoch), self._experts.weights(expert, later)

    def _student_step(self, seed: int, number: int) -> Step:
        """Step ``number`` of a student: its share of shuffled passes through the set, and what it sees of it."""
        batches = len(self.images) // self._batch
        order = generator(seed, "order", number // batches).permutation(len(self.images))
        first = number % batches * self._batch
        drawn = torch.Generator().manual_seed(derive(seed, "augmentation", number))
        batch = torch.from_numpy(order[first : first + self._batch])
        return Step(
            batch, draw_each(self._strategy, count=len(batch), image_shape=self.train.image_shape, generator=drawn)
        )

    def state(self) -> dict[str, np.ndarray]:
        """What a checkpoint holds between two iterations: whole."""
        parts = {"image_descent": self._image_descent.state(), "size_descent": self._size_descent.state()}
        return joined(parts) | {
            "images": self.images.numpy(),
            "step_size": self.step_size.numpy(),
            "done": np.array(self.done),
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave."""
        self.images.copy_(torch.from_numpy(arrays["images"]))
        self.step_size.copy_(torch.from_numpy(arrays["step_size"]))
        self._image_descent.restore(part_of(arrays, "image_descent"))
        self._size_descent.restore(part_of(arrays, "size_descent"))
        self.done = int(arrays["done"])


def condense(
    train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog, trajectories: Path
) -> CondensedDataset:
    """Learn ``images_per_class`` images for each class; InputError when a class has fewer real ones.

    trajectories: the folder of the seed's experts.
    """
    check_request(train, images_per_class)
    experts = Experts.load(trajectories, params=params.experts, train=train)
    matching = Matching(train, images_per_class, params, seed, experts)
    if kept := log.resume():
        matching.restore(kept)
    while matching.done < params.iterations:
        size, landed = matching.step_size.item(), matching.step()
        if matching.done % LOGGED_EVERY == 1:
            log.metrics(matching.done - 1, trajectory_distance=landed.distance, step_size=size)
        log.progress(matching.done, params.iterations)
        log.checkpoint(matching.state)
    return CondensedDataset.build(
        train,
        matching.scale.pixels(matching.images),
        matching.labels.numpy(),
        method="trajectory_matching",
        images_per_class=images_per_class,
        seed=seed,
        params=params,
        learned={"step_size": matching.step_size.item()},
    )
