"""Training a network on real images: whole epochs in one compiled call, early stopping, resumable to the byte."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from condensation.core.images import ImageSet
from condensation.core.params import ByDataset, Section, for_dataset
from condensation.core.parts import joined, part_of
from condensation.core.randomness import derive, generator
from condensation.core.runlog import RunLog
from condensation.tfkeras.augment import AugmentParams, augment

Arrays = dict[str, np.ndarray]


class CnnParams(Section):
    """How the CNN is trained on the real training images."""

    epochs: ByDataset[int]  # at most
    epoch_images: int | None = Field(ge=1)  # random images that an epoch sees; null: all of them
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(0.001, gt=0)  # Adam
    patience: int = Field(ge=1)  # epochs without gain before it stops
    min_gain: float = Field(ge=0)  # what counts as a gain in validation accuracy (0..1)
    width: int = Field(32, ge=1)  # of the first convolution
    augment: AugmentParams


@contextmanager
def deterministic() -> Iterator[None]:
    """Same seeds, same bytes: TensorFlow's ops for the rest of the process, BLAS on one thread while inside.

    One thread is also the fastest here: the environment's matrices are small, and two cores shared with TensorFlow's
    own threads made a round ten times slower.
    """
    tf.config.experimental.enable_op_determinism()
    with threadpool_limits(1, user_api="blas"):
        yield


@dataclass(frozen=True)
class Score:
    """Mean cross-entropy and accuracy (0..1) over a set of images."""

    loss: float
    accuracy: float


def logits_of(model: keras.Model, images: np.ndarray, batch: int = 1024) -> np.ndarray:
    """Outputs of ``model`` for uint8 images (n, h, w, c), or float32 ones at pixel scale: float32 (n, ...)."""
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    any_batch = tf.TensorSpec([None, *images.shape[1:]], images.dtype)
    run = tf.function(lambda part: model(tf.cast(part, tf.float32) / scale, training=False), [any_batch])
    return np.concatenate([run(images[i : i + batch]).numpy() for i in range(0, len(images), batch)])


def score(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> Score:
    """Loss and accuracy of a network that gives logits."""
    logits = logits_of(model, images).astype(np.float64)
    logits -= logits.max(1, keepdims=True)
    log_likelihood = logits[np.arange(len(labels)), labels] - np.log(np.exp(logits).sum(1))
    return Score(float(-log_likelihood.mean()), float((logits.argmax(1) == labels).mean()))


class Trainer:
    """Adam on cross-entropy; one call is one epoch, compiled, over batches named by their positions."""

    def __init__(self, model: keras.Model, params: CnnParams, dataset: str) -> None:
        self.model, self.params = model, params
        self._flip = for_dataset(params.augment.flip, dataset)
        self.optimizer = keras.optimizers.Adam(params.learning_rate)
        self.optimizer.build(model.trainable_variables)

    @tf.function(reduce_retracing=True)
    def epoch(self, images: tf.Tensor, labels: tf.Tensor, batches: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Train on batches, int (steps, batch), of uint8 images; gives [mean loss, accuracy]."""
        total = tf.zeros(2)
        for step in tf.range(tf.shape(batches)[0]):
            x = tf.cast(tf.gather(images, batches[step]), tf.float32) / 255.0
            y = tf.gather(labels, batches[step])
            x = augment(x, self.params.augment, self._flip, tf.stack([seed, step]))
            x = tf.ensure_shape(x, [None, *self.model.input_shape[1:]])
            with tf.GradientTape() as tape:
                logits = self.model(x, training=True)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
            variables = self.model.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            right = tf.reduce_mean(tf.cast(tf.argmax(logits, 1) == y, tf.float32))
            total += tf.stack([loss, right])
        return total / tf.cast(tf.shape(batches)[0], tf.float32)

    def arrays(self) -> Arrays:
        """Weights and the optimiser's state."""
        everything = [*self.model.variables, *self.optimizer.variables]
        return {f"{i:03d}": v.numpy().copy() for i, v in enumerate(everything)}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Back to what ``arrays`` gave."""
        for i, variable in enumerate([*self.model.variables, *self.optimizer.variables]):
            variable.assign(arrays[f"{i:03d}"])


def batches_of(n: int, batch: int, seed: int, most: int | None = None) -> np.ndarray:
    """Shuffled positions of one epoch, int32 (steps, batch); the last batch is filled from the start of the order.

    most: of the ``n`` images, how many the epoch sees.
    """
    order = generator(seed, "order").permutation(n)[:most]
    batch = min(batch, len(order))
    steps = -(-len(order) // batch)
    return np.resize(order, (steps, batch)).astype(np.int32)


def train_cnn(
    model: keras.Model,
    train: ImageSet,
    validation: ImageSet,
    params: CnnParams,
    seed: int,
    *,
    log: RunLog,
    state: Mapping[str, np.ndarray] | None,
) -> Arrays:
    """Train ``model`` until validation accuracy stops gaining; its best weights are restored in it.

    Metrics of each epoch and checkpoints (under ``cnn/``) go to ``log``; ``state`` is what an interrupted training
    saved there, or nothing. Returns the final state; given that, a second call ends at once.
    """
    trainer, limit = Trainer(model, params, train.dataset), for_dataset(params.epochs, train.dataset)
    epoch, best_epoch, best_accuracy, best = 0, 0, -1.0, _weights(model)
    if state:
        epoch, best_epoch, best_accuracy = int(state["epoch"]), int(state["best_epoch"]), float(state["best_accuracy"])
        best = part_of(state, "best")
        trainer.restore(part_of(state, "now"))

    def whole() -> Arrays:
        counters = {"epoch": epoch, "best_epoch": best_epoch, "best_accuracy": best_accuracy}
        arrays = {name: np.array(value) for name, value in counters.items()}
        return arrays | joined({"best": best, "now": trainer.arrays()})

    images, labels = tf.constant(train.images), tf.constant(train.labels)
    while epoch < limit and epoch - best_epoch < params.patience:
        order = batches_of(len(train), params.batch_size, derive(seed, "epoch", epoch), params.epoch_images)
        draws = tf.constant(derive(seed, "augment", epoch) % 2**31, tf.int32)
        loss, accuracy = map(float, trainer.epoch(images, labels, tf.constant(order), draws).numpy())
        held = score(model, validation.images, validation.labels)
        epoch += 1
        if held.accuracy > best_accuracy + params.min_gain:
            best_accuracy, best_epoch, best = held.accuracy, epoch, _weights(model)
        log.metrics(
            epoch,
            cnn_train_loss=loss,
            cnn_train_accuracy=accuracy,
            cnn_validation_loss=held.loss,
            cnn_validation_accuracy=held.accuracy,
        )
        log.progress(epoch, limit, f"CNN, held-out {100 * held.accuracy:.1f} %")
        last = epoch == limit or epoch - best_epoch == params.patience
        log.checkpoint(lambda: joined({"cnn": whole()}), now=last)
    for i, variable in enumerate(model.variables):
        variable.assign(best[f"{i:03d}"])
    return whole()


def _weights(model: keras.Model) -> Arrays:
    return {f"{i:03d}": v.numpy().copy() for i, v in enumerate(model.variables)}
