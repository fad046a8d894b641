"""The judge in TensorFlow: the MPS family's evaluation network, trained from scratch; a cross-check of the other.

The family describes the network (conv 32 - conv 64 - conv 128 - flatten - dense 128 - dense classes) and not how it
pools or is trained on a condensed set. Here it pools 2x2 after each convolution, as their training CNN does: without,
the hidden layer would hold 12.8 million weights for a grey image of 28x28, to be learned from a few hundred images.
Adam, cross-entropy, pixels in [0, 1] and the augmentation are the family's own; the number of steps is a parameter.

Everything that the other judge promises holds: a result depends on the set, the protocol and its seed alone, and an
interrupted judgement goes on bit for bit.
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from condensation.core.errors import InputError
from condensation.core.images import ImageSet
from condensation.core.params import Section, for_dataset
from condensation.core.pictures import pictures
from condensation.core.randomness import derive, generator
from condensation.core.results import Judgement
from condensation.core.runlog import RunLog
from condensation.tfkeras.augment import AugmentParams, augment
from condensation.tfkeras.exchange import targets
from condensation.tfkeras.networks import evaluation_convnet
from condensation.tfkeras.training import Arrays, deterministic, logits_of

CURVE_POINTS = 10
TRAIN_ACCURACY_IMAGES = 10_000
STEPS_A_CALL = 50


class EvaluationNetwork(Section):
    """The one network of this judge."""

    name: Literal["evaluation_convnet"]


class Protocol(Section):
    """How fresh networks are trained on a set, and how many.

    epochs: passes over the set, within the bounds min_steps and max_steps on the number of batches.
    batch_size: images of a step; the whole set where it is smaller. learning_rate: Adam's, constant.
    """

    epochs: int = Field(ge=1)
    min_steps: int = Field(ge=0)
    max_steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    augment: AugmentParams
    networks: int = Field(ge=1)
    network: EvaluationNetwork

    @property
    def precision_here(self) -> str:
        """Of the products."""
        return "float32"


def judge(
    images: np.ndarray,
    labels: np.ndarray,
    soft_labels: np.ndarray | None,
    test: ImageSet,
    *,
    mean: np.ndarray,
    std: np.ndarray,
    protocol: Protocol,
    set_seed: int,
    seeds: Sequence[int],
    log: RunLog,
    pictures_per_image: int = 1,
) -> list[Judgement]:
    """Train one fresh network for each of ``seeds`` on the set and score it on ``test``, once, at its end.

    images: float32 (n, h, w, c) at pixel scale. labels: int64 (n,). soft_labels: float (n, pictures per image,
    classes), used in place of the labels, or None. mean, std: not used, the family's networks see plain pixels.
    Images that hold several pictures are cut into them, each enlarged to the size of the image.
    """
    if images.shape[1:] != test.image_shape:
        raise InputError(f"the set has images of shape {images.shape[1:]}, the test set {test.image_shape}")
    answers = targets(labels, soft_labels, test.classes, pictures_per_image)
    state: Mapping[str, np.ndarray] = log.resume() or {}
    done = [Judgement.model_validate(told) for told in json.loads(str(state.get("judged", "[]")))]
    with deterministic():
        candidate = Candidate(pictures(images, pictures_per_image), answers, protocol, test.dataset)
        for place in range(len(done), len(seeds)):
            candidate.begin(seeds[place])
            if "step" in state:
                candidate.restore(state)
            while candidate.step < candidate.steps:
                candidate.advance()
                total, at = len(seeds) * candidate.steps, place * candidate.steps + candidate.step
                log.progress(at, total, f"network {place + 1} of {len(seeds)}")
                log.checkpoint(lambda: {**candidate.state(), "judged": _text(done)})
            state = {}
            done.append(_verdict(candidate, np.repeat(labels, pictures_per_image), test, set_seed))
    return done


def _text(judged: Sequence[Judgement]) -> np.ndarray:
    return np.array(json.dumps([judgement.model_dump() for judgement in judged]))


def _verdict(candidate: "Candidate", labels: np.ndarray, test: ImageSet, set_seed: int) -> Judgement:
    begin = time.perf_counter()
    right = logits_of(candidate.model, test.images).argmax(1) == test.labels
    some = slice(TRAIN_ACCURACY_IMAGES)
    train_right = logits_of(candidate.model, candidate.images.numpy()[some]).argmax(1) == labels[some]
    return Judgement(
        set_seed=set_seed,
        network_seed=candidate.seed,
        accuracy=100 * float(right.mean()),
        accuracy_per_class=[100 * float(right[test.labels == c].mean()) for c in range(test.classes)],
        train_accuracy=100 * float(train_right.mean()),
        seconds=candidate.seconds + time.perf_counter() - begin,
        curve=[float(part.mean()) for part in np.array_split(candidate.losses, min(CURVE_POINTS, candidate.steps))],
    )


class Candidate:
    """The network in training; ``begin`` makes it a fresh one, so that its step is compiled once for all of them.

    images: float32 (n, h, w, c) at pixel scale. answers: float32 (n, classes), rows that sum to 1.
    """

    def __init__(self, images: np.ndarray, answers: np.ndarray, protocol: Protocol, dataset: str) -> None:
        self.images, self._answers, self._protocol = tf.constant(images), tf.constant(answers), protocol
        self._flip = for_dataset(protocol.augment.flip, dataset)
        self._batch = min(protocol.batch_size, len(images))
        steps = math.ceil(protocol.epochs * len(images) / self._batch)
        self.steps = min(max(steps, protocol.min_steps), protocol.max_steps)
        self.model: Any = self._fresh(0)
        self._optimizer = keras.optimizers.Adam(protocol.learning_rate)
        self._optimizer.build(self.model.trainable_variables)
        self._unused = [variable.numpy() for variable in self._optimizer.variables]

    def _fresh(self, seed: int) -> Any:
        shape, classes = tuple(self.images.shape[1:]), self._answers.shape[1]
        return evaluation_convnet(shape, classes, derive(seed, "judge network"))

    def begin(self, seed: int) -> None:
        """A fresh network from ``seed``, its optimiser as at the start."""
        self.seed, self.step, self.seconds, self.losses = seed, 0, 0.0, np.zeros(0, np.float32)
        weights = [variable.numpy() for variable in self._fresh(seed).variables]
        for variable, value in zip(self._variables(), [*weights, *self._unused], strict=True):
            variable.assign(value)

    def advance(self) -> None:
        """Train for some steps, all in one compiled call."""
        begin = time.perf_counter()
        end = min(self.step + STEPS_A_CALL, self.steps)
        order = positions(len(self.images), self._batch, range(self.step, end), derive(self.seed, "judge training"))
        draws = tf.constant([derive(self.seed, "augmentation") % 2**31, self.step], tf.int32)
        losses = self._train(self.images, self._answers, tf.constant(order), draws).numpy()
        self.losses, self.step = np.concatenate([self.losses, losses]), end
        self.seconds += time.perf_counter() - begin

    @tf.function(reduce_retracing=True)
    def _train(self, images: tf.Tensor, answers: tf.Tensor, batches: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Train on batches, int32 (steps, batch), the first of which is step ``draws[1]``; the loss of each step."""
        count = tf.shape(batches)[0]
        losses = tf.TensorArray(tf.float32, count)
        for index in tf.range(count):
            x, y = tf.gather(images, batches[index]), tf.gather(answers, batches[index])
            x = augment(x, self._protocol.augment, self._flip, tf.stack([draws[0], draws[1] + index]))
            x = tf.ensure_shape(x, [None, *self.model.input_shape[1:]])
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, self.model(x, training=True)))
            variables = self.model.trainable_variables
            self._optimizer.apply(tape.gradient(loss, variables), variables)
            losses = losses.write(index, loss)
        return losses.stack()

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self._optimizer.variables]

    def state(self) -> Arrays:
        """Everything that the rest of the training depends on."""
        arrays = {f"variable/{i:03d}": v.numpy().copy() for i, v in enumerate(self._variables())}
        return {**arrays, "losses": self.losses, "step": np.array(self.step), "seconds": np.array(self.seconds)}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave."""
        for i, variable in enumerate(self._variables()):
            variable.assign(arrays[f"variable/{i:03d}"])
        self.losses, self.step, self.seconds = arrays["losses"], int(arrays["step"]), float(arrays["seconds"])


def positions(n: int, batch: int, steps: range, seed: int) -> np.ndarray:
    """Images of each step, int32 (steps, batch): a stream of shuffled passes, cut into batches of one size."""
    start, stop = steps.start * batch, steps.stop * batch
    first, last = start // n, (stop - 1) // n
    stream = np.concatenate([generator(seed, "order", epoch).permutation(n) for epoch in range(first, last + 1)])
    return stream[start - first * n : stop - first * n].reshape(-1, batch).astype(np.int32)
