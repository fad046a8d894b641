"""What the matching methods share: which gradients count, how far apart two are, and where an image should move.

The gradient of the match loss with respect to the images needs only one number per weight from the real side.
With g the network's gradient on the synthetic images and v = dD(real, g)/dg held fixed, it is the gradient of
<g(images), v>: real images are passed once, in chunks that stay in cache, and no graph is kept of them.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from condensation.pytorch.networks import NetworkSpec

Distance = Literal["paper", "mse", "cosine"]
Gradient = Sequence[torch.Tensor]

SMALL = 1e-6
CHUNK_PIXELS = 16 * 1024  # real pixels passed at once: what keeps the feature maps of width 128 in a few MB of cache


def matchable(spec: NetworkSpec, image_shape: tuple[int, int, int]) -> NetworkSpec:
    """The network, a ConvNet made less deep where images are so small that its last block would see under 4x4.

    Normalising 2x2 maps makes the match loss so rough that its gradient leads nowhere: on 8x8 digits depth 3 learned
    images worse than none (17 % from 57 %), depth 2 good ones (85 %).
    """
    if spec.name != "convnet" or spec.pooling == "none":
        return spec
    side = min(image_shape[:2])
    return spec.model_copy(update={"depth": min(spec.depth, max(1, side.bit_length() - 2))})


def matched_weights(network: nn.Module) -> list[torch.Tensor]:
    """The weights whose gradients are matched, in order: convolutions and linear layers, no biases, no norms."""
    layers = (nn.modules.conv._ConvNd, nn.Linear)
    return [layer.weight for layer in network.modules() if isinstance(layer, layers)]


def distance(kind: Distance, real: Gradient, synthetic: Gradient) -> torch.Tensor:
    """Distance between two gradients of equal shapes, a scalar.

    paper: 1 - cosine of each output unit's gradient (a row of a linear layer, a filter of a convolution), summed
    over units and layers (Zhao et al. 2021, section 3.3); mse: sum of squared differences; cosine: 1 - cosine of
    everything as one vector. The published code's 1e-6 in the denominators is kept.
    """
    if kind == "paper":
        return torch.stack([_by_unit(a, b) for a, b in zip(real, synthetic, strict=True)]).sum()
    a, b = (torch.cat([g.flatten() for g in gradient]) for gradient in (real, synthetic))
    if kind == "mse":
        return (a - b).square().sum()
    return 1 - (a * b).sum() / (a.norm() * b.norm() + SMALL)


def _by_unit(real: torch.Tensor, synthetic: torch.Tensor) -> torch.Tensor:
    a, b = real.flatten(1), synthetic.flatten(1)
    return (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + SMALL)).sum()


def real_gradient(
    network: nn.Module, weights: Sequence[torch.Tensor], images: torch.Tensor, labels: torch.Tensor
) -> list[torch.Tensor]:
    """Gradient of the mean cross-entropy of (n, c, h, w) images, taken a chunk at a time; no graph.

    The sum over chunks is the gradient of the whole batch as long as no layer couples images (BatchNorm must be
    frozen). Chunks that fit in cache are faster than one large batch, and bound the memory.
    """
    total = [torch.zeros_like(w) for w in weights]
    chunk = max(1, CHUNK_PIXELS // images[0, 0].numel())
    for x, y in zip(images.split(chunk), labels.split(chunk), strict=True):
        loss = functional.cross_entropy(network(x), y, reduction="sum") / len(images)
        torch._foreach_add_(total, list(torch.autograd.grad(loss, weights)))
    return total


def match(
    network: nn.Module,
    weights: Sequence[torch.Tensor],
    real: Gradient,
    images: torch.Tensor,
    labels: torch.Tensor,
    kind: Distance,
) -> tuple[float, torch.Tensor]:
    """(distance, its gradient with respect to the images) between ``real`` and the gradient on (n, c, h, w) images."""
    x = images.detach().requires_grad_()
    loss = functional.cross_entropy(network(x), labels)
    value = distance(kind, real, torch.autograd.grad(loss, weights, create_graph=True))
    (gradient,) = torch.autograd.grad(value, x)
    return float(value.detach()), gradient


def freeze_statistics(network: nn.Module, images: torch.Tensor) -> bool:
    """Set every BatchNorm's running statistics to those of ``images`` and freeze them; False when there is none.

    Zhao et al. 2021, appendix: the statistics come from real images, 16 of each class, in one batch.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return False
    momenta = [norm.momentum for norm in norms]
    network.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    with torch.no_grad():
        network(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
    return True
