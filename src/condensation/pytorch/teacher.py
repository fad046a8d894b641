"""The teacher: a network trained for a short while on the training split, its features and its logits.

Selection methods measure distances in its features; methods with soft labels ask for its logits. Features are
averaged over the image down to 2x2 places, which keeps them small and where things are.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from condensation.core.files import canonical_json, read_npz, write_json, write_npz
from condensation.core.images import ImageSet, pixel_statistics
from condensation.core.params import Section
from condensation.core.parts import joined, part_of
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.core.taught import FACTS, made_of
from condensation.pytorch.networks import Network, NetworkSpec, build, load_weights, weights_of
from condensation.pytorch.training import Recipe, Training, predict, to_input

PLACES = 2
CHUNK = 512


class TeacherParams(Recipe):
    """Which network teaches, and how it is trained."""

    network: NetworkSpec


class _Facts(Section):
    network: NetworkSpec
    image_shape: tuple[int, int, int]
    classes: int


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained network in evaluation mode and what it says of its training images.

    mean, std: float32 (c,), of the training pixels. features: float16 (n, d). logits: float16 (n, classes).
    curve: mean training loss of each tenth of the training. seconds: training and features together.
    made_of: see ``taught.made_of``.
    """

    network: Network
    spec: NetworkSpec
    image_shape: tuple[int, int, int]
    mean: np.ndarray
    std: np.ndarray
    features: np.ndarray
    logits: np.ndarray
    train_accuracy: float
    curve: list[float]
    seconds: float
    made_of: dict[str, object]

    def save(self, directory: Path) -> None:
        """Write ``teacher.npz`` (the network), ``features.npz`` (features, logits) and ``facts.json`` (``made_of``).

        Same teacher, same bytes.
        """
        facts = _Facts(network=self.spec, image_shape=self.image_shape, classes=self.logits.shape[1])
        weights = joined({"network": weights_of(self.network)})
        normalisation = {"mean": self.mean, "std": self.std}
        write_npz(directory / "features.npz", {"features": self.features, "logits": self.logits})
        write_npz(
            directory / "teacher.npz",
            {**weights, **normalisation, "facts": np.array(canonical_json(facts.model_dump(mode="json")))},
        )
        write_json(directory / FACTS, self.made_of)

    def accuracy(self, other: ImageSet) -> float:
        """Percent of the images of another set, such as the validation split, that the network names rightly."""
        logits = predict(self.network, to_input(other.pixels(), self.mean, self.std))
        return 100 * float((logits.argmax(1) == other.labels).mean())


def train_teacher(train: ImageSet, *, params: TeacherParams, seed: int, log: RunLog) -> Teacher:
    """Train on ``train`` and describe its images; same seed, same weights, resumed or not."""
    mean, std = normalisation(train)
    inputs = to_input(train.pixels(), mean, std)
    start = derive(seed, "teacher network")
    network = build(params.network, image_shape=train.image_shape, classes=train.classes, seed=start)
    labels = torch.from_numpy(train.labels)
    training = Training(network, inputs, labels, recipe=params, seed=derive(seed, "teacher training"))
    if state := log.resume():
        training.restore(state)
    for step in training:
        if len(training.curve) > len(log.history):
            log.metrics(step, loss=training.curve[-1])
        log.checkpoint(training.state)
        log.progress(step, training.steps, "teacher")
    begin = time.perf_counter()
    features, logits = describe(network.eval(), inputs)
    return Teacher(
        network=network,
        spec=params.network,
        image_shape=train.image_shape,
        mean=mean,
        std=std,
        features=features,
        logits=logits,
        train_accuracy=100 * float((logits.argmax(1) == train.labels).mean()),
        curve=training.curve,
        seconds=training.seconds + time.perf_counter() - begin,
        made_of=made_of(train.sha256, params),
    )


def load_network(directory: Path) -> tuple[Network, np.ndarray, np.ndarray]:
    """(network in evaluation mode, mean, std) of a teacher saved in ``directory``; InputError when there is none."""
    arrays = read_npz(directory / "teacher.npz")
    facts = _Facts.model_validate_json(str(arrays["facts"][()]))
    network = build(facts.network, image_shape=facts.image_shape, classes=facts.classes, seed=0)
    load_weights(network, part_of(arrays, "network"))
    return network.eval(), arrays["mean"], arrays["std"]


def describe(network: Network, inputs: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(features float16 (n, d), logits float16 (n, classes)) of normalised images (n, c, h, w)."""
    body = network.body[:-1] if isinstance(network.body[-1], nn.Flatten) else network.body
    features, logits = [], []
    with torch.inference_mode():
        for part in inputs.split(CHUNK):
            maps = body(part)
            logits.append(network.classifier(maps.flatten(1)))
            features.append(_averaged(maps).flatten(1))
    return torch.cat(features).half().numpy(), torch.cat(logits).half().numpy()


def _averaged(maps: torch.Tensor) -> torch.Tensor:
    large = maps.ndim == 4 and min(maps.shape[2:]) > PLACES
    return functional.adaptive_avg_pool2d(maps, PLACES) if large else maps


def normalisation(train: ImageSet) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each channel at pixel scale, float32 (c,); a constant channel counts as deviation 1e-6."""
    mean, std = (np.array(values, np.float32) for values in pixel_statistics(train.images))
    return mean, np.maximum(std, np.float32(1e-6))
