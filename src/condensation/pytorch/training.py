"""Training one network on one set of images: the loop that the judge and the teacher share.

Every step draws from its own derived seed and every batch has the same size, so that a run that was stopped and
taken up again gives the same weights, bit for bit, as one that was not.
"""

import json
import math
import time
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from condensation.core.params import Section
from condensation.core.parts import joined, part_of
from condensation.core.randomness import derive
from condensation.pytorch.augment import draw_each, light_affine, parse
from condensation.pytorch.descent import Descent
from condensation.pytorch.fused import fused
from condensation.pytorch.loss import backward
from condensation.pytorch.networks import Network, load_weights, weights_of
from condensation.pytorch.precision import Precision, in_precision

CURVE_POINTS = 10


class Recipe(Section):
    """How a network is trained.

    epochs: passes over the set. min_steps, max_steps: bounds on the number of batches; the schedule stretches and
    shrinks with it. A set of ten images needs more passes than one of thousands.
    batch_size: images of a step; the whole set where it is smaller.
    momentum: of SGD; the first beta of AdamW.
    schedule: one_cycle rises linearly for a quarter of the steps, then falls to zero as a cosine; step_at_half divides
    by ten.
    augmentation: "none"; "affine" turns, stretches and shifts each image a little; or siamese operations joined by
    ``_`` (``augment.draw``), one of them each step, the same for the whole batch.
    precision: of the products; weights, sums and the loss are float32.
    """

    epochs: int = Field(ge=1)
    min_steps: int = Field(ge=0)
    max_steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    optimizer: Literal["adamw", "sgd"]
    learning_rate: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    schedule: Literal["constant", "one_cycle", "step_at_half"]
    augmentation: str
    label_smoothing: float = Field(ge=0, lt=1)
    precision: Precision

    @field_validator("augmentation")
    @classmethod
    def _known(cls, value: str) -> str:
        if value != "affine":
            parse(value)
        return value


class Training:
    """One network on its way through a recipe.

    images: float32 (n, c, h, w), as the network is to see them. targets: int64 (n,) or float32 (n, classes).
    """

    def __init__(self, network: Network, images: Tensor, targets: Tensor, *, recipe: Recipe, seed: int) -> None:
        self.network, self.images, self.targets = network.train(), images, targets
        self.recipe, self.seed = recipe, seed
        self.batch = min(recipe.batch_size, len(images))
        self.steps = min(max(math.ceil(recipe.epochs * len(images) / self.batch), recipe.min_steps), recipe.max_steps)
        self.step = 0
        self.seconds = 0.0
        self.curve: list[float] = []
        self._loss_sum = 0.0
        self._order: dict[int, Tensor] = {}
        self._descent = Descent(
            network.parameters(),
            optimizer=recipe.optimizer,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )

    def __iter__(self) -> Iterator[int]:
        """Train to the end, giving the number of steps done after each."""
        while self.step < self.steps:
            begin = time.perf_counter()
            self._loss_sum += self._advance()
            self.step += 1
            self._note()
            self.seconds += time.perf_counter() - begin
            yield self.step

    def _advance(self) -> float:
        batch = self._indices()
        images, targets = self._augmented(self.images[batch]), self.targets[batch]
        own = self.recipe
        smoothing, precision = own.label_smoothing, own.precision
        loss = backward(self.network, images, targets, label_smoothing=smoothing, precision=precision)
        self._descent.step(self.recipe.learning_rate * rate(self.recipe.schedule, self.step, self.steps))
        return loss

    def _augmented(self, images: Tensor) -> Tensor:
        if self.recipe.augmentation == "none":
            return images
        draws = torch.Generator().manual_seed(derive(self.seed, "augmentation", self.step))
        if self.recipe.augmentation == "affine":
            return light_affine(images, draws)
        n, c, h, w = images.shape
        return draw_each(self.recipe.augmentation, count=n, image_shape=(h, w, c), generator=draws)(images)

    def _indices(self) -> Tensor:
        """Images of this step: a stream of shuffled passes, cut into batches of one size."""
        n, start = len(self.images), self.step * self.batch
        epochs = range(start // n, (start + self.batch - 1) // n + 1)
        self._order = {e: self._order[e] if e in self._order else self._shuffle(e) for e in epochs}
        stream = torch.cat(list(self._order.values()))
        offset = start - epochs[0] * n
        return stream[offset : offset + self.batch]

    def _shuffle(self, epoch: int) -> Tensor:
        return torch.from_numpy(np.random.default_rng(derive(self.seed, "order", epoch)).permutation(len(self.images)))

    def _note(self) -> None:
        """Keep the mean loss of each tenth of the run."""
        ends = [math.ceil(self.steps * (i + 1) / CURVE_POINTS) for i in range(CURVE_POINTS)]
        if self.step in ends:
            begin = max([e for e in ends if e < self.step], default=0)
            self.curve.append(self._loss_sum / (self.step - begin))
            self._loss_sum = 0.0

    def state(self) -> dict[str, np.ndarray]:
        """Everything that the rest of the run depends on, as arrays."""
        parts = joined({"network": weights_of(self.network), "descent": self._descent.state()})
        told = {"step": self.step, "curve": self.curve, "loss": self._loss_sum, "seconds": self.seconds}
        return parts | {"training": np.array(json.dumps(told))}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave."""
        load_weights(self.network, part_of(arrays, "network"))
        self._descent.restore(part_of(arrays, "descent"))
        told = json.loads(str(arrays["training"][()]))
        self.step, self.curve = told["step"], told["curve"]
        self._loss_sum, self.seconds = told["loss"], told["seconds"]


def rate(schedule: str, step: int, steps: int) -> float:
    """The factor on the learning rate at one step of ``steps``."""
    if schedule == "step_at_half":
        return 1.0 if step < steps / 2 else 0.1
    if schedule == "one_cycle":
        rise = steps / 4
        if step < rise:
            return (step + 1) / (rise + 1)
        return (1 + math.cos(math.pi * (step - rise) / (steps - rise))) / 2
    return 1.0


def to_input(images: np.ndarray, mean: np.ndarray, std: np.ndarray) -> Tensor:
    """float32 (n, h, w, c) at pixel scale to the networks' input (n, c, h, w), normalised per channel."""
    tensor = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    scale = torch.from_numpy(np.asarray(std, np.float32)).view(1, -1, 1, 1)
    return (tensor - torch.from_numpy(np.asarray(mean, np.float32)).view(1, -1, 1, 1)) / scale


def predict(network: Network, images: Tensor, batch_size: int = 64, *, precision: Precision = "float32") -> np.ndarray:
    """Logits float32 (n, classes) in evaluation mode; the network's mode is put back."""
    training, function = network.training, in_precision(fused(network), precision)
    network.eval()
    with torch.inference_mode():
        logits = torch.cat([function(part) for part in images.split(batch_size)])
    network.train(training)
    return logits.numpy()
