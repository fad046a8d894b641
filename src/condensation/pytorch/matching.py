"""What the matching methods share: which gradients count, how far apart two are, and where an image should move."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from condensation.pytorch.augment import parse
from condensation.pytorch.fused import fused
from condensation.pytorch.networks import Network, NetworkSpec, batch_norms
from condensation.pytorch.precision import Precision, in_precision

Distance = Literal["paper", "mse", "cosine"]
Gradient = Sequence[Tensor]

SMALL = 1e-6
CHUNK_PIXELS = 64 * 1024  # real pixels passed at once: whole batches are slower, and bound the memory no more


@dataclass(frozen=True)
class Target:
    """What the synthetic images of a class are to give: the gradient of the loss on real ones, one tensor a weight.

    curvature: the Hessian of that loss times its own gradient at unit length, or None where it is not matched.
    """

    gradient: Gradient
    curvature: Gradient | None = None


def matchable(spec: NetworkSpec, image_shape: tuple[int, int, int]) -> NetworkSpec:
    """The network, a ConvNet made less deep where images are so small that its last block would see under 4x4.

    Normalising 2x2 maps makes the match loss so rough that its gradient leads nowhere: on 8x8 digits depth 3 learned
    images worse than none (17 % from 57 %), depth 2 good ones (85 %).
    """
    if spec.name != "convnet" or spec.pooling == "none":
        return spec
    side = min(image_shape[:2])
    return spec.model_copy(update={"depth": min(spec.depth, max(1, side.bit_length() - 2))})


def siamese(strategy: str, class_names: Sequence[str]) -> str:
    """The augmentation strategy, without flips where the classes are digits: a flipped digit is none."""
    names = parse(strategy)
    if all(name.isdigit() for name in class_names):
        names = tuple(name for name in names if name != "flip")
    return "_".join(names) or "none"


def matched_weights(network: nn.Module) -> list[Tensor]:
    """The weights whose gradients are matched, in order: convolutions and linear layers, no biases, no norms."""
    layers = (nn.modules.conv._ConvNd, nn.Linear)
    return [layer.weight for layer in network.modules() if isinstance(layer, layers)]


def distance(kind: Distance, real: Gradient, synthetic: Gradient) -> Tensor:
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


def _by_unit(real: Tensor, synthetic: Tensor) -> Tensor:
    a, b = real.flatten(1), synthetic.flatten(1)
    return (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + SMALL)).sum()


def real_target(
    network: Network, images: Tensor, label: int, *, curvature: bool = False, precision: Precision = "float32"
) -> Target:
    """What (n, c, h, w) real images of one class ask for, taken a chunk at a time; no graph is kept.

    The sum over chunks is the gradient of the whole batch as long as no layer couples images (BatchNorm must be
    frozen). precision: of the products within the gradient's layers. Sums over chunks, the loss and the curvature are
    of the images' own type.
    """
    weights, logits = matched_weights(network), in_precision(fused(network), precision)
    gradient = _summed(weights, lambda loss: torch.autograd.grad(loss, weights), logits, images, label)
    if not curvature:
        return Target(gradient)
    along = direction(gradient)

    def product(loss: Tensor) -> Gradient:
        return hessian_vector(torch.autograd.grad(loss, weights, create_graph=True), weights, along)

    return Target(gradient, _summed(weights, product, network, images, label))


def _summed(
    weights: Gradient,
    of: Callable[[Tensor], Gradient],
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    label: int,
) -> list[Tensor]:
    """The sum of ``of(share of the mean cross-entropy)`` over chunks of images of one class."""
    total = [torch.zeros_like(w) for w in weights]
    for chunk in images.split(max(1, CHUNK_PIXELS // images[0, 0].numel())):
        labels = torch.full((len(chunk),), label)
        loss = functional.cross_entropy(logits(chunk), labels, reduction="sum") / len(images)
        torch._foreach_add_(total, list(of(loss)))
    return total


def direction(gradient: Gradient) -> list[Tensor]:
    """The gradient at unit length over all weights together."""
    length = torch.stack([g.square().sum() for g in gradient]).sum().sqrt()
    return [g.detach() / (length + SMALL) for g in gradient]


def hessian_vector(
    gradient: Gradient, weights: Gradient, along: Gradient, *, create_graph: bool = False
) -> tuple[Tensor, ...]:
    """The Hessian times ``along``, one tensor a weight: the derivative of <gradient, along>; no Hessian is formed.

    gradient: made from ``weights`` with ``create_graph``.
    """
    product = torch.stack([(g * v).sum() for g, v in zip(gradient, along, strict=True)]).sum()
    return torch.autograd.grad(product, weights, create_graph=create_graph, materialize_grads=True)


def match(
    network: Network,
    target: Target,
    images: Tensor,
    label: int,
    *,
    kind: Distance,
    view: Callable[[Tensor], Tensor] = lambda images: images,
    curvature_weight: float = 0.0,
) -> tuple[float, Tensor]:
    """(distance to the target, its gradient with respect to ``images``, float (n, c, h, w) of one class).

    view: from images to what the network sees, such as an augmentation; differentiable. The distance of the
    curvatures counts ``curvature_weight`` times, where the target has one.
    """
    weights = matched_weights(network)
    x = images.detach().requires_grad_()
    seen = view(x)
    logits = network if target.curvature is not None else fused(network)  # fused is for two derivatives, not three
    loss = functional.cross_entropy(logits(seen), torch.full((len(seen),), label))
    gradient = torch.autograd.grad(loss, weights, create_graph=True)
    value = distance(kind, target.gradient, gradient)
    if target.curvature is not None:
        product = hessian_vector(gradient, weights, direction(target.gradient), create_graph=True)
        value = value + curvature_weight * distance(kind, target.curvature, product)
    (moved,) = torch.autograd.grad(value, x)
    return float(value.detach()), moved


def freeze_statistics(network: nn.Module, images: Tensor) -> None:
    """Evaluation mode, after every BatchNorm's running statistics were set to those of ``images`` (n, c, h, w).

    Zhao et al. 2021, appendix: the statistics come from real images, 16 of each class, in one batch. Without
    BatchNorm the images are not passed.
    """
    norms = batch_norms(network)
    momenta = [norm.momentum for norm in norms]
    network.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    if norms:
        with torch.no_grad():
            network(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
