"""The networks of the gradient matching paper (Zhao et al. 2021): fresh ones from a specification and a seed.

Every network is a ``body`` that ends in a flat vector of features and a linear ``classifier``, takes float32
(n, c, h, w) and gives logits (n, classes). Images of 28x28 are padded to 32x32 by the first convolution, as the
authors did; a pooling that would leave less than 2x2 (4x4 before an instance norm, which keeps nothing of the
strength of a map) to a later layer is left out, so that anything from 8x8 up works.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from condensation.core.errors import InputError
from condensation.core.params import Section

NetworkName = Literal["mlp", "lenet", "convnet", "alexnet", "vgg11", "resnet18"]
SMALLEST_SIDE = 8

PUBLISHED: dict[str, dict[str, Any]] = {
    "mlp": {"width": 128, "depth": 2, "norm": "none", "pooling": "none"},
    "lenet": {"width": 6, "depth": 2, "norm": "none", "pooling": "max"},
    "convnet": {"width": 128, "depth": 3, "norm": "instance", "pooling": "average"},
    "alexnet": {"width": 128, "depth": 5, "norm": "none", "pooling": "max"},
    "vgg11": {"width": 64, "depth": 8, "norm": "batch", "pooling": "max"},
    "resnet18": {"width": 64, "depth": 8, "norm": "batch", "pooling": "average"},
}
FREE_DEPTH = ("mlp", "convnet")


class NetworkSpec(Section):
    """Which network. What is left out takes the published value of that network (``PUBLISHED``).

    width: channels of the first convolution (units of each hidden layer of the MLP); the other layers keep their
    published proportion to it. depth: blocks of the ConvNet or hidden layers of the MLP; fixed elsewhere.
    pooling: how the image shrinks; "none" keeps its size (ResNet18: strided convolutions).
    """

    name: NetworkName = "convnet"
    width: int = Field(128, ge=1, le=4096)
    depth: int = Field(3, ge=1, le=16)
    activation: Literal["sigmoid", "relu", "leaky_relu", "swish"] = "relu"
    norm: Literal["none", "batch", "layer", "instance", "group"] = "instance"
    pooling: Literal["none", "max", "average"] = "average"

    @model_validator(mode="before")
    @classmethod
    def _published(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {**PUBLISHED.get(values.get("name", "convnet"), {}), **values}
        return values

    @model_validator(mode="after")
    def _possible(self) -> Self:
        published = PUBLISHED[self.name]["depth"]
        if self.name not in FREE_DEPTH and self.depth != published:
            raise ValueError(f"depth of {self.name} is fixed; allowed: {published}")
        if self.name == "mlp" and (self.norm not in ("none", "batch", "layer") or self.pooling != "none"):
            raise ValueError("an mlp has no feature maps; allowed: norm none, batch or layer, and pooling none")
        if self.norm == "group" and self.width % 4:
            raise ValueError(f"norm group needs a width that 4 divides, got {self.width}")
        return self


class Network(nn.Module):
    """A body that gives features and a linear classifier on them."""

    def __init__(self, body: nn.Sequential, feature_count: int, classes: int) -> None:
        super().__init__()
        self.body = body
        self.classifier = nn.Linear(feature_count, classes)

    def features(self, images: Tensor) -> Tensor:
        """Penultimate activations: float (n, c, h, w) to (n, feature_count)."""
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, classes)."""
        return self.classifier(self.features(images))


def weights_of(network: nn.Module) -> dict[str, np.ndarray]:
    """Copies of its weights and of the statistics of its norms, by name."""
    return {name: tensor.numpy(force=True).copy() for name, tensor in network.state_dict().items()}


def load_weights(network: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Take what ``weights_of`` gave: copies, because torch aligns its memory and rounding can depend on it."""
    network.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})


def build(spec: NetworkSpec, *, image_shape: tuple[int, int, int], classes: int, seed: int) -> Network:
    """A fresh network in training mode for images of shape (h, w, c), initialised from ``seed`` alone.

    PyTorch's default initialisation, as the paper's. The global generator is left as it was.
    Raises InputError for images below 8x8 or with other than 1 or 3 channels.
    """
    h, w, c = image_shape
    if min(h, w) < SMALLEST_SIDE or c not in (1, 3):
        raise InputError(
            f"no network for images of shape {h}x{w}x{c}; allowed: {SMALLEST_SIDE}x{SMALLEST_SIDE} up, 1 or 3 channels"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body = BODIES[spec.name](spec, h, w, c)
        return Network(body, _feature_count(body, image_shape), classes)


def batch_norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """Its layers that couple the images of a batch while they train."""
    return [layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]


def _feature_count(body: nn.Sequential, image_shape: tuple[int, int, int]) -> int:
    h, w, c = image_shape
    with torch.no_grad():
        count = body.eval()(torch.zeros(1, c, h, w)).shape[1]
    body.train()
    return count


class _Maps:
    """Layers of a convolutional body under construction, and the size of the feature maps so far."""

    def __init__(self, spec: NetworkSpec, h: int, w: int, c: int) -> None:
        self.spec, self.h, self.w, self.channels = spec, h, w, c
        self.layers: list[nn.Module] = []

    @property
    def small_image_padding(self) -> int:
        """Two more pixels on each side turn 28x28 into 32x32."""
        return 2 if (self.h, self.w) == (28, 28) else 0

    def convolution(self, channels: int, *, kernel: int = 3, padding: int = 1) -> None:
        """Convolution, normalisation, activation."""
        self.layers.append(nn.Conv2d(self.channels, channels, kernel, padding=padding))
        self.h += 2 * padding - kernel + 1
        self.w += 2 * padding - kernel + 1
        self.channels = channels
        self.layers += [norm_layer(self.spec.norm, channels, self.h, self.w), activation_layer(self.spec.activation)]

    def pool(self, *, last: bool = False) -> None:
        """Halve the maps, unless that leaves too little for a later normalisation to say anything."""
        smallest = 1 if last else 4 if self.spec.norm == "instance" else 2
        if self.spec.pooling == "none" or min(self.h, self.w) // 2 < smallest:
            return
        self.layers.append(nn.MaxPool2d(2) if self.spec.pooling == "max" else nn.AvgPool2d(2))
        self.h, self.w = self.h // 2, self.w // 2

    def flat(self, *more: nn.Module) -> nn.Sequential:
        """The body, ending in a vector."""
        return nn.Sequential(*(m for m in self.layers if not isinstance(m, nn.Identity)), nn.Flatten(), *more)


def activation_layer(name: str) -> nn.Module:
    """A fresh activation module by its name in NetworkSpec."""
    layers: dict[str, Callable[[], nn.Module]] = {
        "sigmoid": nn.Sigmoid,
        "relu": nn.ReLU,
        "leaky_relu": nn.LeakyReLU,
        "swish": nn.SiLU,
    }
    return layers[name]()


def norm_layer(name: str, channels: int, h: int, w: int) -> nn.Module:
    """A fresh normalisation of maps (n, channels, h, w); all but "none" learn a scale and a shift."""
    if name == "none":
        return nn.Identity()
    if name == "batch":
        return nn.BatchNorm2d(channels)
    if name == "layer":
        return nn.LayerNorm([channels, h, w])
    return nn.GroupNorm(channels if name == "instance" else 4, channels)


def _mlp(spec: NetworkSpec, h: int, w: int, c: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    norms: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
    units = h * w * c
    for _ in range(spec.depth):
        layers.append(nn.Linear(units, spec.width))
        if spec.norm in norms:
            layers.append(norms[spec.norm](spec.width))
        layers.append(activation_layer(spec.activation))
        units = spec.width
    return nn.Sequential(*layers)


def _convnet(spec: NetworkSpec, h: int, w: int, c: int) -> nn.Sequential:
    maps = _Maps(spec, h, w, c)
    for block in range(spec.depth):
        maps.convolution(spec.width, padding=1 + maps.small_image_padding if block == 0 else 1)
        maps.pool(last=block == spec.depth - 1)
    return maps.flat()


def _lenet(spec: NetworkSpec, h: int, w: int, c: int) -> nn.Sequential:
    maps = _Maps(spec, h, w, c)
    maps.convolution(spec.width, kernel=5, padding=2 if min(h, w) < 32 else 0)
    maps.pool()
    maps.convolution(_scaled(16, spec), kernel=5, padding=2 if min(maps.h, maps.w) < 10 else 0)
    maps.pool(last=True)
    flat = maps.channels * maps.h * maps.w
    wide, narrow = _scaled(120, spec), _scaled(84, spec)
    dense = [nn.Linear(flat, wide), activation_layer(spec.activation)]
    return maps.flat(*dense, nn.Linear(wide, narrow), activation_layer(spec.activation))


def _alexnet(spec: NetworkSpec, h: int, w: int, c: int) -> nn.Sequential:
    maps = _Maps(spec, h, w, c)
    maps.convolution(spec.width, kernel=5, padding=2 + maps.small_image_padding)
    maps.pool()
    maps.convolution(_scaled(192, spec), kernel=5, padding=2)
    maps.pool()
    for channels in (256, 192, 192):
        maps.convolution(_scaled(channels, spec))
    maps.pool(last=True)
    return maps.flat()


def _vgg11(spec: NetworkSpec, h: int, w: int, c: int) -> nn.Sequential:
    maps = _Maps(spec, h, w, c)
    stages = ((64,), (128,), (256, 256), (512, 512), (512, 512))
    for number, stage in enumerate(stages):
        for channels in stage:
            maps.convolution(_scaled(channels, spec), padding=1 + maps.small_image_padding if not maps.layers else 1)
        maps.pool(last=number == len(stages) - 1)
    return maps.flat()


class _ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; shrinks by pooling after the first convolution, or by a stride."""

    def __init__(self, spec: NetworkSpec, channels_in: int, channels: int, h: int, w: int, *, shrink: bool) -> None:
        super().__init__()
        stride = 2 if shrink and spec.pooling == "none" else 1
        pooling = nn.MaxPool2d(2) if spec.pooling == "max" else nn.AvgPool2d(2)
        down = pooling if shrink and stride == 1 else nn.Identity()
        after = (-(-h // 2), -(-w // 2)) if stride == 2 else (h // 2, w // 2) if shrink else (h, w)
        before = (h, w) if stride == 1 else after
        self.size = after
        self.branch = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False),
            norm_layer(spec.norm, channels, *before),
            activation_layer(spec.activation),
            down,
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            norm_layer(spec.norm, channels, *after),
        )
        self.shortcut = nn.Sequential()
        if shrink or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False),
                type(down)(2) if isinstance(down, nn.MaxPool2d | nn.AvgPool2d) else nn.Identity(),
                norm_layer(spec.norm, channels, *after),
            )
        self.activation = activation_layer(spec.activation)

    def forward(self, maps: Tensor) -> Tensor:
        """(n, channels_in, h, w) to (n, channels, h, w), halved where the block shrinks."""
        return self.activation(self.branch(maps) + self.shortcut(maps))


def _resnet18(spec: NetworkSpec, h: int, w: int, c: int) -> nn.Sequential:
    maps = _Maps(spec, h, w, c)
    maps.convolution(spec.width, padding=1 + maps.small_image_padding)
    for stage, scale in enumerate((1, 2, 4, 8)):
        for block in range(2):
            shrink = stage > 0 and block == 0 and min(maps.h, maps.w) >= 4
            channels = scale * spec.width
            layer = _ResidualBlock(spec, maps.channels, channels, maps.h, maps.w, shrink=shrink)
            maps.layers.append(layer)
            maps.channels, (maps.h, maps.w) = channels, layer.size
    maps.layers.append(nn.AdaptiveAvgPool2d(1))
    return maps.flat()


def _scaled(published: int, spec: NetworkSpec) -> int:
    """A published layer size in proportion to the width asked for; kept a multiple of 4 for group norm."""
    size = published * spec.width / PUBLISHED[spec.name]["width"]
    return max(4, 4 * round(size / 4)) if spec.norm == "group" else max(1, round(size))


BODIES: dict[str, Callable[[NetworkSpec, int, int, int], nn.Sequential]] = {
    "mlp": _mlp,
    "lenet": _lenet,
    "convnet": _convnet,
    "alexnet": _alexnet,
    "vgg11": _vgg11,
    "resnet18": _resnet18,
}
