"""The CNNs that MPS-o and MPS-5o choose from: LeNet and torchvision's, at an image's own size or at the published one.

Two forms of each. ``adapted`` takes images as they are: the first convolution has 3x3 or 5x5 kernels and stride 1,
the head is one linear layer on the mean of the last maps, and images below the smallest size that survives the
poolings are enlarged to it. Otherwise the network is the published one and images are resized to what it expects. In
both, the first convolution takes as many channels as the images have, there is no dropout (its draws are ambient),
and resizing happens inside the network, a batch at a time: nobody holds a resized data set.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from condensation.core.errors import InputError
from condensation.pytorch.networks import Network, NetworkSpec, build

CnnName = Literal["lenet", "alexnet", "vgg11_bn", "resnet18", "densenet121", "inception_v3"]
COPIES_OF_WEIGHTS = 4  # weights, gradients and the two moments of AdamW


class Resized(nn.Module):
    """Images brought to ``side`` x ``side`` bilinearly; the same images where they have that size."""

    def __init__(self, side: tuple[int, int]) -> None:
        super().__init__()
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        """(n, c, h, w) to (n, c, *side)."""
        if images.shape[2:] == self.side:
            return images
        return functional.interpolate(images, size=self.side, mode="bilinear", align_corners=False)


def _lenet(channels: int, adapted: bool, side: tuple[int, int]) -> nn.Module:
    spec = NetworkSpec.model_validate({"name": "lenet"})
    return build(spec, image_shape=(*side, channels), classes=1, seed=0).body


def _alexnet(channels: int, adapted: bool, side: tuple[int, int]) -> nn.Module:
    net = models.alexnet(weights=None)
    net.features[0] = nn.Conv2d(channels, 64, *((5, 1, 2) if adapted else (11, 4, 2)))
    return _headed(net, adapted)


def _vgg11_bn(channels: int, adapted: bool, side: tuple[int, int]) -> nn.Module:
    net = models.vgg11_bn(weights=None)
    net.features[0] = nn.Conv2d(channels, 64, 3, padding=1)
    return _headed(net, adapted)


def _headed(net: Any, adapted: bool) -> nn.Module:
    """The layers of AlexNet or VGG up to the last linear one; adapted: up to the mean of the last maps."""
    if adapted:
        return nn.Sequential(net.features, nn.AdaptiveAvgPool2d(1))
    hidden = [layer for layer in net.classifier[:-1] if not isinstance(layer, nn.Dropout)]
    return nn.Sequential(net.features, net.avgpool, nn.Flatten(), *hidden)


def _resnet18(channels: int, adapted: bool, side: tuple[int, int]) -> nn.Module:
    net = models.resnet18(weights=None)
    net.conv1 = nn.Conv2d(channels, 64, *((3, 1, 1) if adapted else (7, 2, 3)), bias=False)
    net.fc = nn.Identity()
    return net


def _densenet121(channels: int, adapted: bool, side: tuple[int, int]) -> nn.Module:
    net = models.densenet121(weights=None)
    net.features.conv0 = nn.Conv2d(channels, 64, *((3, 1, 1) if adapted else (7, 2, 3)), bias=False)
    net.classifier = nn.Identity()
    return net


def _inception_v3(channels: int, adapted: bool, side: tuple[int, int]) -> nn.Module:
    net = models.inception_v3(weights=None, aux_logits=False, init_weights=False)
    net.Conv2d_1a_3x3.conv = nn.Conv2d(channels, 32, 3, 1 if adapted else 2, bias=False)
    if adapted:
        net.maxpool2 = nn.Identity()
    net.dropout, net.fc = nn.Identity(), nn.Identity()
    return net


class _Kind(NamedTuple):
    """expected: the published side of the input. smallest: the least side that survives the adapted poolings."""

    trunk: Callable[[int, bool, tuple[int, int]], nn.Module]
    expected: int
    smallest: int


KINDS: dict[str, _Kind] = {
    "lenet": _Kind(_lenet, 32, 8),
    "alexnet": _Kind(_alexnet, 224, 16),
    "vgg11_bn": _Kind(_vgg11_bn, 224, 32),
    "resnet18": _Kind(_resnet18, 224, 8),
    "densenet121": _Kind(_densenet121, 224, 16),
    "inception_v3": _Kind(_inception_v3, 299, 24),
}


def input_side(name: CnnName, image_shape: tuple[int, int, int], *, adapted: bool) -> tuple[int, int]:
    """(h, w) at which the network sees images of ``image_shape`` (h, w, c)."""
    kind, (h, w, _) = KINDS[name], image_shape
    if not adapted:
        return kind.expected, kind.expected
    return max(h, kind.smallest), max(w, kind.smallest)


def classifier(name: CnnName, *, image_shape: tuple[int, int, int], classes: int, seed: int, adapted: bool) -> Network:
    """A fresh network for images of (h, w, c), in training mode, initialised from ``seed`` alone.

    PyTorch's default initialisation for all of them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _shape_of(name, image_shape, classes, adapted).to_empty(device="cpu")
        for module in network.modules():
            if callable(initialise := getattr(module, "reset_parameters", None)):
                initialise()
    return network


def cut_at_maps(network: Network) -> tuple[nn.Sequential, nn.Sequential]:
    """(images to its last maps as (n, d), these to logits): the network in two, at its first dense layer.

    The dense layers between maps and logits, where there are any, have learned to tell images of one class no longer
    apart.
    """
    trunk = network.body[1]
    layers = list(trunk) if isinstance(trunk, nn.Sequential) else [trunk]
    cut = next((i for i, layer in enumerate(layers) if isinstance(layer, nn.Flatten)), len(layers))
    dense = [layer for layer in layers[cut:] if not isinstance(layer, nn.Flatten)]
    return nn.Sequential(network.body[0], *layers[:cut], nn.Flatten()), nn.Sequential(*dense, network.classifier)


def _shape_of(name: CnnName, image_shape: tuple[int, int, int], classes: int, adapted: bool) -> Network:
    """The network on PyTorch's meta device: shapes and no numbers, so that heads which are cut off cost nothing."""
    side, channels = input_side(name, image_shape, adapted=adapted), image_shape[2]
    with torch.device("meta"), torch.no_grad():
        body = nn.Sequential(Resized(side), KINDS[name].trunk(channels, adapted, side), nn.Flatten())
        count = body.eval()(torch.empty(1, channels, *side)).shape[1]
        return Network(body.train(), count, classes)


def training_memory(
    name: CnnName, *, image_shape: tuple[int, int, int], classes: int, adapted: bool, batch: int
) -> int:
    """Bytes that training on batches of ``batch`` needs: weights, their gradients and moments, and saved activations.

    Counted on PyTorch's meta device, so it costs neither time nor memory.
    """
    saved: dict[int, tuple[Tensor, int]] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage._cdata] = (tensor, storage.nbytes())
        return tensor

    network, (h, w, c) = _shape_of(name, image_shape, classes, adapted), image_shape
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network(torch.empty(batch, c, h, w, device="meta")).sum()
    weights = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    return COPIES_OF_WEIGHTS * weights + sum(size for _, size in saved.values())


def check_memory(needed: int, available: int, what: str) -> None:
    """InputError, with both numbers, when ``needed`` bytes are more than ``available``."""
    if needed > available:
        raise InputError(
            f"{what} needs about {needed / 2**30:.2f} GiB of memory and {available / 2**30:.2f} GiB are allowed; "
            "choose a smaller batch_size, fewer candidates or another CNN, or raise memory_limit_gb"
        )
