"""Expert trajectories: the weights of networks along their training on real data, for trajectory matching to follow.

An expert is one file, ``expert-<i>.npz``, with its weights before the first epoch and after each, in half precision:
rounding moves them by less than a fiftieth of what an epoch does, in a test. ``facts.json``, written last, says what
they were made from and holds the files' digests. A run that is stopped loses no more than the epoch it was in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from condensation.core.errors import InputError
from condensation.core.files import file_digest, read_json, read_npz, write_json, write_npz
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.parts import joined, part_of
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.core.taught import FACTS, made_of
from condensation.pytorch.augment import Strategy
from condensation.pytorch.cores import one_core_each
from condensation.pytorch.matching import matchable, siamese
from condensation.pytorch.networks import Network, NetworkSpec, build
from condensation.pytorch.synthetic import Scale
from condensation.pytorch.training import Recipe, Training
from condensation.pytorch.whitening import Whitening


class ExpertParams(Section):
    """Which networks are trained on the real data, and how: plain SGD at a constant rate.

    experts: how many. epochs: after each of them the weights are kept. epoch_images: images of an epoch, null for
    all; fewer make shorter steps from one kept state to the next. strategy: siamese augmentation, one operation drawn
    for each batch; flips are left out where classes are digits. zca: see whitened images (``whitening``).
    """

    network: NetworkSpec
    experts: int = Field(ge=1)
    epochs: int = Field(ge=1)
    epoch_images: int | None = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)
    strategy: Strategy
    zca: bool

    @field_validator("network")
    @classmethod
    def _weights_alone(cls, network: NetworkSpec) -> NetworkSpec:
        if network.norm == "batch":
            raise ValueError("norm batch has statistics that a trajectory of weights does not hold; allowed: others")
        return network

    def scale(self, train: ImageSet) -> Scale:
        """The scale at which the networks see images."""
        return Whitening.of(train) if self.zca else Scale.of(train)

    def fresh(self, train: ImageSet, seed: int) -> Network:
        """An untrained network."""
        spec = matchable(self.network, train.image_shape)
        return build(spec, image_shape=train.image_shape, classes=train.classes, seed=seed)

    def epoch_steps(self, train: ImageSet) -> int:
        """Batches of an epoch."""
        return -(-min(self.epoch_images or len(train), len(train)) // min(self.batch_size, len(train)))

    def recipe(self, train: ImageSet) -> Recipe:
        """The training of one expert, from the first epoch to the last."""
        steps = self.epochs * self.epoch_steps(train)
        return Recipe(
            epochs=1,
            min_steps=steps,
            max_steps=steps,
            batch_size=self.batch_size,
            optimizer="sgd",
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            weight_decay=0.0,
            schedule="constant",
            augmentation=siamese(self.strategy, train.class_names),
            label_smoothing=0.0,
            precision="float32",
        )


class Expert:
    """A network on its way, and its weights so far: float16 (weights,) before the first epoch and after each."""

    def __init__(self, training: Training, epoch_steps: int) -> None:
        self._training, self._epoch_steps = training, epoch_steps
        self.way = [_half(training.network)]

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done."""
        return self._training.step == self._training.steps

    def train_epoch(self) -> None:
        """One epoch more."""
        for step in self._training:
            if step % self._epoch_steps == 0:
                break
        self.way.append(_half(self._training.network))

    def state(self) -> dict[str, np.ndarray]:
        """Everything that the rest of the way depends on."""
        return {"way": np.stack(self.way)} | joined({"training": self._training.state()})

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave."""
        self.way = list(arrays["way"])
        self._training.restore(part_of(arrays, "training"))


def _half(network: Network) -> np.ndarray:
    half: np.ndarray = parameters_to_vector(network.parameters()).detach().half().numpy()
    return half


def record(train: ImageSet, *, params: ExpertParams, seed: int, folder: Path, log: RunLog) -> None:
    """Train the experts, one core each, and write them to ``folder``; finished ones are kept, the others resume."""
    inputs, labels = params.scale(train).normalise(train.pixels()), torch.from_numpy(train.labels)
    recipe, kept = params.recipe(train), log.resume() or {}

    def begin(number: int) -> Expert:
        network = params.fresh(train, derive(seed, "expert network", number))
        training = Training(network, inputs, labels, recipe=recipe, seed=derive(seed, "expert training", number))
        expert = Expert(training, params.epoch_steps(train))
        if state := part_of(kept, number):
            expert.restore(state)
        return expert

    missing = [number for number in range(params.experts) if not _file(folder, number).exists()]
    active: dict[int, Expert] = {}
    with one_core_each(len(missing)) as (workers, threads):
        while missing:
            active = {number: active.get(number) or begin(number) for number in missing[:workers]}
            list(threads.map(Expert.train_epoch, active.values()))
            for number, expert in active.items():
                if expert.finished:
                    write_npz(_file(folder, number), {"weights": np.stack(expert.way)})
                    missing.remove(number)
            log.progress(params.experts - len(missing), params.experts, f"{len(active)} experts in training")
            log.checkpoint(partial(_state, {number: active[number] for number in active if number in missing}))
    digests = {_file(folder, n).name: file_digest(_file(folder, n)) for n in range(params.experts)}
    write_json(folder / FACTS, {**made_of(train.sha256, params), "files": digests})


def _state(active: Mapping[int, Expert]) -> dict[str, np.ndarray]:
    return joined({number: expert.state() for number, expert in active.items()})


def _file(folder: Path, number: int) -> Path:
    return folder / f"expert-{number}.npz"


@dataclass(frozen=True)
class Experts:
    """Those that were recorded in a folder for these parameters and these training images."""

    folder: Path

    @staticmethod
    def load(folder: Path, *, params: ExpertParams, train: ImageSet) -> "Experts":
        """Check what they were made from; InputError where it was something else, or nothing."""
        wanted, facts = made_of(train.sha256, params), read_json(folder / FACTS)
        if {name: facts.get(name) for name in wanted} != wanted:
            raise InputError(
                f"the experts in {folder} were made from other parameters or images; record them anew: "
                "condense teach --method trajectory_matching"
            )
        return Experts(folder)

    def weights(self, number: int, epoch: int) -> Tensor:
        """The weights of an expert after ``epoch`` epochs, in the order of its parameters: float32 (weights,)."""
        return torch.from_numpy(read_npz(_file(self.folder, number))["weights"][epoch]).float()
