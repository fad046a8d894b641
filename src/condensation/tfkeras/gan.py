"""A class-conditional generative adversarial network of dense layers: candidates that no camera took.

Goodfellow et al., "Generative adversarial nets", NeurIPS 2014, conditional as in Mirza and Osindero (2014): generator
and discriminator are told the class. The layers are those of the family's first system: 100-256-512-image and
512-256-1, binary cross-entropy, Adam. The authors' generator is frozen and its images get random labels; this one
learns, and an image has the label that it was made for. Three things make so small a network learn: leaky ReLU, noise
on what the discriminator sees, and a term that asks the CNN trained on real data to name the images rightly (the
auxiliary classifier of Odena et al., ICML 2017, here a network that is trained already).
"""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from condensation.core.images import ImageSet
from condensation.core.params import ByDataset, Section, for_dataset
from condensation.core.parts import joined, part_of
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.tfkeras.training import Arrays, batches_of

NOISE = 0.1  # deviation, on what the discriminator sees
SMOOTH = 0.9  # what it is to answer for real images
BETA = 0.5  # Adam's first, as Radford et al. (2016) found it needed


class GanParams(Section):
    """The numbers that have a default are the authors'."""

    epochs: ByDataset[int]
    epoch_images: int | None = Field(ge=1)  # random real images that an epoch sees; null: all of them
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)  # Adam, of both networks
    latent: int = Field(100, ge=1)
    agreement: float = Field(ge=0)  # weight of the CNN's cross-entropy
    scored_per_class: int = Field(ge=1)  # images by which an epoch is scored


class Gan:
    """Generator and discriminator in training. cnn: gives logits for float images in [0, 1]; it is not changed."""

    def __init__(self, images: ImageSet, cnn: keras.Model, params: GanParams, seed: int) -> None:
        self.params, self.shape, self.classes, self._cnn = params, images.image_shape, images.classes, cnn
        pixels = int(np.prod(self.shape))
        told = params.latent + self.classes
        self.generator = _dense([told, 256, 512, pixels], derive(seed, "generator"))
        self.discriminator = _dense([pixels + self.classes, 512, 256, 1], derive(seed, "discriminator"))
        self._optimizers = [keras.optimizers.Adam(params.learning_rate, beta_1=BETA) for _ in range(2)]
        for optimizer, network in zip(self._optimizers, (self.generator, self.discriminator), strict=True):
            optimizer.build(network.trainable_variables)

    @tf.function(reduce_retracing=True)
    def epoch(self, images: tf.Tensor, labels: tf.Tensor, batches: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Train on batches, int (steps, batch), of uint8 images; gives [generator's, discriminator's mean loss]."""
        total = tf.zeros(2)
        for step in tf.range(tf.shape(batches)[0]):
            real = tf.cast(tf.gather(images, batches[step]), tf.float32) / 255.0
            classes = tf.one_hot(tf.gather(labels, batches[step]), self.classes)
            total += self._step(real, classes, seed, 4 * step)
        return total / tf.cast(tf.shape(batches)[0], tf.float32)

    def _step(self, real: tf.Tensor, classes: tf.Tensor, seed: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        n = tf.shape(real)[0]

        def draw(purpose: int, size: int) -> tf.Tensor:
            return tf.random.stateless_normal((n, size), tf.stack([seed, step + purpose]))

        pixels = tf.reshape(real, [n, int(np.prod(self.shape))])
        noise = [NOISE * draw(i, pixels.shape[1]) for i in range(2)]
        with tf.GradientTape(persistent=True) as tape:
            made = self._images(draw(2, self.params.latent), classes)
            flat = tf.reshape(made, tf.shape(pixels))
            true, false = (
                self.discriminator(tf.concat([seen, classes], 1)) for seen in (pixels + noise[0], flat + noise[1])
            )
            named = tf.nn.softmax_cross_entropy_with_logits(classes, self._cnn(made, training=False))
            losses = [
                _binary(false, 1.0) + self.params.agreement * tf.reduce_mean(named),
                (_binary(true, SMOOTH) + _binary(false, 0.0)) / 2,
            ]
        for loss, network, optimizer in zip(
            losses, (self.generator, self.discriminator), self._optimizers, strict=True
        ):
            variables = network.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)
        return tf.stack(losses)

    def _images(self, latent: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
        flat = tf.nn.sigmoid(self.generator(tf.concat([latent, classes], 1)))
        return tf.reshape(flat, [-1, *self.shape])

    def generate(self, labels: np.ndarray, seed: int) -> np.ndarray:
        """An image for each label, int (n,): float32 (n, h, w, c) in [0, 1]; the same for the same seed."""
        latent = tf.random.stateless_normal((len(labels), self.params.latent), [seed % 2**31, 0])
        made: np.ndarray = self._images(latent, tf.one_hot(labels, self.classes)).numpy()
        return made

    def arrays(self) -> Arrays:
        """Weights and the optimisers' states."""
        return {f"{i:03d}": v.numpy().copy() for i, v in enumerate(self._variables())}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Back to what ``arrays`` gave."""
        for i, variable in enumerate(self._variables()):
            variable.assign(arrays[f"{i:03d}"])

    def _variables(self) -> list[tf.Variable]:
        parts = [self.generator, self.discriminator, *self._optimizers]
        return [variable for part in parts for variable in part.variables]


def train_gan(
    gan: Gan,
    images: ImageSet,
    score: Callable[[np.ndarray, np.ndarray], float],
    seed: int,
    *,
    log: RunLog,
    state: Mapping[str, np.ndarray] | None,
) -> Arrays:
    """Train ``gan`` and restore the epoch that scores best.

    score: from generated images float32 (n, h, w, c) and their labels (n,) to how good they are, higher is better.
    Metrics of each epoch and checkpoints (under ``gan/``) go to ``log``; ``state`` is what an interrupted training
    saved there, or nothing. Returns the final state; given that, a second call ends at once.
    """
    params, limit = gan.params, for_dataset(gan.params.epochs, images.dataset)
    epoch, best_score, best = 0, -np.inf, gan.arrays()
    if state:
        epoch, best_score = int(state["epoch"]), float(state["best_score"])
        best = part_of(state, "best")
        gan.restore(part_of(state, "now"))

    def whole() -> Arrays:
        counters = {"epoch": np.array(epoch), "best_score": np.array(best_score)}
        return counters | joined({"best": best, "now": gan.arrays()})

    pixels, labels = tf.constant(images.images), tf.constant(images.labels)
    asked = np.repeat(np.arange(images.classes), params.scored_per_class)
    while epoch < limit:
        order = batches_of(len(images), params.batch_size, derive(seed, "epoch", epoch), params.epoch_images)
        draws = tf.constant(derive(seed, "draws", epoch) % 2**31, tf.int32)
        losses = gan.epoch(pixels, labels, tf.constant(order), draws).numpy()
        value = score(gan.generate(asked, derive(seed, "scored")), asked)
        epoch += 1
        if value > best_score:
            best_score, best = value, gan.arrays()
        log.metrics(
            epoch, gan_generator_loss=float(losses[0]), gan_discriminator_loss=float(losses[1]), gan_score=value
        )
        log.progress(epoch, limit, f"GAN, score {value:.3f}")
        log.checkpoint(lambda: joined({"gan": whole()}), now=epoch == limit)
    final = whole()
    gan.restore(best)
    return final


def picture(images: np.ndarray, columns: int) -> np.ndarray:
    """Images float32 (n, h, w, c) in [0, 1], ``columns`` a row, as one uint8 picture (rows * h, columns * w, 3)."""
    n, height, width, channels = images.shape
    pixels = np.rint(images * 255).astype(np.uint8)
    grid = pixels.reshape(n // columns, columns, height, width, channels).swapaxes(1, 2)
    whole = grid.reshape(n // columns * height, columns * width, channels)
    return np.ascontiguousarray(np.broadcast_to(whole, (*whole.shape[:2], 3)) if channels == 1 else whole)


def _dense(sizes: Sequence[int], seed: int) -> keras.Model:
    """Dense layers with leaky ReLU between them; the last is linear."""
    stack: list[keras.layers.Layer] = [keras.Input((sizes[0],))]
    for index, size in enumerate(sizes[1:]):
        start = keras.initializers.HeNormal(seed=derive(seed, "layer", index) % 2**31)
        stack.append(keras.layers.Dense(size, kernel_initializer=start))
        if index < len(sizes) - 2:
            stack.append(keras.layers.LeakyReLU(0.2))
    return keras.Sequential(stack)


def _binary(logits: tf.Tensor, target: float) -> tf.Tensor:
    """Mean binary cross-entropy of logits to one answer for all."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(target * tf.ones_like(logits), logits))
