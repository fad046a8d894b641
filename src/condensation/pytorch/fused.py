"""The ConvNet with instance norm, computed in an order that suits a CPU: same numbers, about half the time.

Three things cost more than the arithmetic of PyTorch's modules on a CPU, and are computed otherwise here:

- the first convolution (1 or 3 channels in) with its norm: a convolution followed by an instance norm is, for each
  image, one affine map of its 3x3 patches, whose mean and variance follow from the patches' covariance; so one batched
  matrix product gives the normalised maps, and the maps before the norm are never made;
- instance norm, whose own backward pass is slow where channels lie last in memory, the layout that the convolutions
  and the poolings are fastest in;
- ReLU and 2x2 average pooling, whose backward passes become one.

The results can be differentiated twice with respect to images and parameters, as the synthetic side of gradient
matching needs it, where the first derivative is not that of a norm's own weight and bias. What is differentiated three
times (matching curvatures) uses the modules.
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
    last = maps.permute(0, 2, 3, 1).to(norm.weight.dtype)  # they may be rounded (precision.py)
    return _InstanceNorm.apply(last.flatten(1, 2), norm.weight, norm.bias, norm.eps).view(last.shape)


def _padding(convolution: nn.Conv2d) -> tuple[int, int]:
    assert isinstance(convolution.padding, tuple)
    down, right = convolution.padding
    return down, right


class _InstanceNorm(Function):
    """Instance norm of (n, places, channels), scaled and shifted per channel; can be differentiated twice."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        mean = maps.mean(1, keepdim=True)
        inverse = ((maps - mean).square_().mean(1, keepdim=True) + eps).rsqrt_()
        ctx.save_for_backward(maps, mean, inverse, weight)
        scale = weight * inverse
        return torch.addcmul(bias - mean * scale, maps, scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        return *_InstanceNormBackward.apply(gradient, *ctx.saved_tensors), None


class _InstanceNormBackward(Function):
    """The derivatives of instance norm for the maps, the weight and the bias."""

    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, maps: Tensor, mean: Tensor, inverse: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        total = gradient.sum(1, keepdim=True)
        along = ((gradient * maps).sum(1, keepdim=True) - mean * total) * inverse  # with the normalised maps
        scale = weight * inverse
        share = scale / maps.shape[1]
        slope = -share * along * inverse
        moved = torch.addcmul(-share * total - slope * mean, maps, slope).addcmul_(gradient, scale)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(gradient, maps, mean, inverse, weight, along, moved)
        return moved, along.sum((0, 1)), total.sum((0, 1))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, direction: Tensor | None, *others: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None, None, None, Tensor | None]:
        if any(other is not None for other in others):
            raise NotImplementedError("only the derivative for the maps can be differentiated again")
        if direction is None:
            return None, None, None, None, None
        gradient, maps, mean, inverse, weight, along, moved = ctx.saved_tensors
        places = maps.shape[1]
        total = direction.sum(1, keepdim=True)
        beside = ((direction * maps).sum(1, keepdim=True) - mean * total) * inverse / places
        slope = -inverse.square() * beside
        turned = torch.addcmul(-inverse * total / places - slope * mean, maps, slope).addcmul_(direction, inverse)
        by_weight = (gradient * turned).sum((0, 1)) if ctx.needs_input_grad[4] else None
        # <direction, moved> = weight * <gradient, turned>, whose derivative for the maps follows from J's own
        product = (direction * moved).sum(1, keepdim=True) * inverse.square() / places
        twist = -product
        seen = torch.addcmul(-twist * mean, maps, twist)
        seen.addcmul_(turned, -weight * inverse * along / places).addcmul_(moved, -inverse * beside)
        return turned * weight, seen, None, None, by_weight


class _ReluPool(Function):
    """ReLU, then the mean of each 2x2 places, of (n, h, w, channels) with even h and w; differentiable twice."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        positive = maps.relu_()  # nobody else keeps the maps: neither a product nor a norm needs its result
        ctx.save_for_backward(positive)
        return _means(positive)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor]:
        (positive,) = ctx.saved_tensors
        return (_ReluPoolBackward.apply(gradient, positive),)


class _ReluPoolBackward(Function):
    """A quarter of the gradient at each of the 2x2 places where the map is positive."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, positive: Tensor) -> Tensor:
        ctx.save_for_backward(positive)
        n, h, w, c = positive.shape
        spread = (gradient / 4).view(n, h // 2, 1, w // 2, 1, c).expand(n, h // 2, 2, w // 2, 2, c)
        return torch.ops.aten.threshold_backward(spread, positive.view(spread.shape), 0).view(n, h, w, c)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, direction: Tensor) -> tuple[Tensor, None]:
        (positive,) = ctx.saved_tensors
        return _means(torch.ops.aten.threshold_backward(direction, positive, 0)), None


def _means(maps: Tensor) -> Tensor:
    return functional.avg_pool2d(maps.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
