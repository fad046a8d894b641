"""The networks of the MPS family, fitted to any image shape and number of classes.

All give logits: softmax and cross-entropy are joined in the loss, which is steadier than a softmax layer.
Weights are drawn from a seed; two calls with one seed give the same network.
"""

from collections.abc import Sequence

import keras

from condensation.core.randomness import derive

Shape = tuple[int, int, int]
GRID = 4


class _Seeds:
    """Initialisers with one derived seed for each layer."""

    def __init__(self, seed: int) -> None:
        self.seed, self.made = seed, 0

    def glorot(self) -> keras.initializers.Initializer:
        self.made += 1
        return keras.initializers.GlorotUniform(seed=derive(self.seed, "layer", self.made) % 2**31)


def training_cnn(image_shape: Shape, classes: int, seed: int, *, width: int = 32) -> keras.Model:
    """The family's training CNN: conv 32 - pool - conv 64 - pool - conv 64 - flatten - dense 64 - dense classes.

    Takes float32 (n, h, w, c) in [0, 1], gives logits (n, classes). 3x3 kernels, ReLU; pooling stops where an image is
    smaller than 4 pixels, so that any shape fits. ``width`` scales the convolutions (32 is the authors').
    """
    return _cnn(image_shape, classes, seed, convolutions=(width, 2 * width, 2 * width), pooled=2, dense=64)


def evaluation_convnet(image_shape: Shape, classes: int, seed: int) -> keras.Model:
    """The family's evaluation network: conv 32 - conv 64 - conv 128 - flatten - dense 128 - dense classes.

    The authors pool after each convolution. Takes float32 (n, h, w, c) in [0, 1], gives logits (n, classes).
    """
    return _cnn(image_shape, classes, seed, convolutions=(32, 64, 128), pooled=3, dense=128)


def _cnn(
    image_shape: Shape, classes: int, seed: int, *, convolutions: Sequence[int], pooled: int, dense: int
) -> keras.Model:
    seeds, layers = _Seeds(seed), keras.layers
    stack: list[keras.layers.Layer] = [keras.Input(image_shape)]
    side = min(image_shape[:2])
    for index, width in enumerate(convolutions):
        stack.append(layers.Conv2D(width, 3, padding="same", activation="relu", kernel_initializer=seeds.glorot()))
        if index < pooled and side >= 4:
            stack.append(layers.MaxPooling2D())
            side //= 2
    stack += [
        layers.Flatten(),
        layers.Dense(dense, activation="relu", kernel_initializer=seeds.glorot()),
        layers.Dense(classes, kernel_initializer=seeds.glorot()),
    ]
    return keras.Sequential(stack)


def features_of(model: keras.Model) -> keras.Model:
    """What one of these networks sees of an image: (n, h, w, c) to directions, float (n, f) of length 1.

    The maps of its last convolution, averaged to ``GRID`` places or fewer either way. They tell images of one class
    apart; the hidden layer above them has learned not to.
    """
    maps = next(layer for layer in model.layers if isinstance(layer, keras.layers.Flatten)).input
    while min(maps.shape[1:3]) > GRID:
        maps = keras.layers.AveragePooling2D(2, padding="same")(maps)
    return keras.Model(model.inputs, keras.layers.UnitNormalization()(keras.layers.Flatten()(maps)))


def q_network(state_size: int, seed: int) -> keras.Model:
    """The family's Q-network: two dense layers of 24 units, ReLU, and one value.

    It is applied to the state of every option alike: (..., state size) to values (..., 1).
    """
    seeds, layers = _Seeds(seed), keras.layers
    return keras.Sequential(
        [
            keras.Input((state_size,)),
            layers.Dense(24, activation="relu", kernel_initializer=seeds.glorot()),
            layers.Dense(24, activation="relu", kernel_initializer=seeds.glorot()),
            layers.Dense(1, kernel_initializer=keras.initializers.Zeros()),
        ]
    )
