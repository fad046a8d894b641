"""The ConvNet with instance norm, computed in an order that suits a CPU: same numbers, about half the time.

Three things cost more than the arithmetic of PyTorch's modules on a CPU, and are computed otherwise here:

- the first convolution (1 or 3 channels in) with its norm: a convolution followed by an instance norm is, for each
  image, one affine map of its 3x3 patches, whose mean and variance follow from the patches' covariance; so one batched
  matrix product gives the normalised maps, and the maps before the norm are never made;
- instance norm, whose own backward pass is slow where channels lie last in memory, the layout that the convolutions
  and the poolings are fastest in;
- ReLU and 2x2 average pooling, whose backward passes become one.

The results can be differentiated once with respect to images and parameters. What is differentiated twice (the
synthetic side of gradient matching, curvature) uses the modules.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from condensation.pytorch.networks import Network

MOST_PATCH_VALUES = 32


@dataclass(frozen=True)
class _Block:
    """Convolution, instance norm, then ReLU with 2x2 average pooling or whatever modules come in their place."""

    convolution: nn.Conv2d
    norm: nn.GroupNorm
    rest: nn.Sequential
    relu_then_pool: bool


def fused(network: Network) -> Callable[[Tensor], Tensor]:
    """A function that gives ``network(images)`` from the network's own parameters, faster where it can be."""
    features = fused_features(network)
    return lambda images: network.classifier(features(images))


def fused_features(network: Network) -> Callable[[Tensor], Tensor]:
    """Likewise for ``network.features(images)``.

    It differs by rounding alone. Networks that are not a chain of convolution, instance norm, activation and pooling
    are passed as they are.
    """
    blocks = _blocks(list(network.body))
    return network.features if blocks is None else partial(_features, blocks)


def _blocks(layers: list[nn.Module]) -> list[_Block] | None:
    """The chain as blocks, or None when it is another one."""
    if not isinstance(layers[-1], nn.Flatten):
        return None
    starts = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    ends = [*starts[1:], len(layers) - 1]
    blocks = []
    for start, end in zip(starts, ends, strict=False):
        convolution, norm, *rest = layers[start:end]
        instance = isinstance(norm, nn.GroupNorm) and norm.num_groups == norm.num_channels
        if not isinstance(convolution, nn.Conv2d) or not isinstance(norm, nn.GroupNorm) or not instance:
            return None
        usual = [type(layer) for layer in rest] == [nn.ReLU, nn.AvgPool2d]
        blocks.append(_Block(convolution, norm, nn.Sequential(*rest), usual))
    return blocks if starts[:1] == [0] else None


def _features(blocks: list[_Block], images: Tensor) -> Tensor:
    maps = images
    for block in blocks:
        c, k = block.convolution.in_channels, block.convolution.kernel_size
        few = c * k[0] * k[1] <= MOST_PATCH_VALUES
        normal = _normal_from_patches(maps, block) if few else _normal(maps, block)
        if block.relu_then_pool and normal.shape[1] % 2 == normal.shape[2] % 2 == 0:
            maps = _ReluPool.apply(normal).permute(0, 3, 1, 2)
        else:
            maps = block.rest(normal.permute(0, 3, 1, 2))
    return maps.flatten(1)


def _normal_from_patches(images: Tensor, block: _Block) -> Tensor:
    """Normalised convolution of (n, c, h, w) without the convolution: (n, h, w, channels)."""
    convolution, norm = block.convolution, block.norm
    (high, wide), (down, right) = convolution.kernel_size, _padding(convolution)
    h, w = images.shape[2] + 2 * down - high + 1, images.shape[3] + 2 * right - wide + 1
    patches = functional.unfold(images, (high, wide), padding=(down, right))  # (n, values, h * w)
    patches = patches - patches.mean(2, keepdim=True)
    covariance = patches @ patches.transpose(1, 2) / (h * w)
    weight = convolution.weight.flatten(1)  # (channels, values)
    variance = ((weight @ covariance) * weight).sum(2).clamp_min(0)
    scale = norm.weight * (variance + norm.eps).rsqrt()  # (n, channels)
    shift = norm.bias if convolution.bias is None else norm.bias + 0 * convolution.bias  # a norm undoes a bias
    affine = torch.cat([weight.t() * scale[:, None], shift.expand(len(images), 1, -1)], 1)
    with_one = functional.pad(patches, (0, 0, 0, 1), value=1.0)
    return (with_one.transpose(1, 2) @ affine).view(len(images), h, w, -1)


def _normal(maps: Tensor, block: _Block) -> Tensor:
    """Normalised convolution of (n, c, h, w): (n, h, w, channels)."""
    convolution, norm = block.convolution, block.norm
    maps = functional.conv2d(maps, convolution.weight, convolution.bias, padding=_padding(convolution))
    last = maps.permute(0, 2, 3, 1)
    return _InstanceNorm.apply(last.flatten(1, 2), norm.weight, norm.bias, norm.eps).view(last.shape)


def _padding(convolution: nn.Conv2d) -> tuple[int, int]:
    assert isinstance(convolution.padding, tuple)
    down, right = convolution.padding
    return down, right


class _InstanceNorm(Function):
    """Instance norm of (n, places, channels), scaled and shifted per channel."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        centred = maps - maps.mean(1, keepdim=True)
        inverse = (centred.square().mean(1, keepdim=True) + eps).rsqrt()
        ctx.save_for_backward(centred, inverse, weight)
        return torch.addcmul(bias, centred, weight * inverse)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        centred, inverse, weight = ctx.saved_tensors
        total = gradient.sum(1, keepdim=True)
        along = (gradient * centred).sum(1, keepdim=True)
        scale = weight * inverse
        share = scale / gradient.shape[1]
        maps = torch.addcmul(-share * total, centred, -share * inverse.square() * along).addcmul_(gradient, scale)
        return maps, (along * inverse).sum((0, 1)), total.sum((0, 1)), None


class _ReluPool(Function):
    """ReLU, then the mean of each 2x2 places, of (n, h, w, channels) with even h and w."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        positive = maps.relu()
        ctx.save_for_backward(positive)
        return functional.avg_pool2d(positive.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        n, h, w, c = positive.shape
        spread = (gradient / 4).view(n, h // 2, 1, w // 2, 1, c).expand(n, h // 2, 2, w // 2, 2, c)
        return torch.ops.aten.threshold_backward(spread, positive.view(spread.shape), 0).view(n, h, w, c)
