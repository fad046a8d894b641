"""The loss that networks are trained by, and its gradient: the same numbers on any number of cores."""

import torch
from torch import Tensor
from torch.nn import functional

from condensation.pytorch.cores import side_by_side
from condensation.pytorch.fused import fused
from condensation.pytorch.networks import Network, batch_norms
from condensation.pytorch.precision import Precision, in_precision

PART = 32
"""At most so many images of a batch go through the network together; parts go side by side."""


def backward(
    network: Network,
    images: Tensor,
    targets: Tensor,
    *,
    label_smoothing: float = 0.0,
    precision: Precision = "float32",
) -> float:
    """The mean cross-entropy of a batch; its gradient is left with the network's parameters, in place of any other.

    images: float (n, c, h, w). targets: int64 (n,) or float (n, classes). BatchNorm in training mode couples images:
    such a batch is passed whole, on every core at once, and its last bits depend on how many there are.
    """
    logits, parameters = in_precision(fused(network), precision), list(network.parameters())

    def of(part: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        x, wanted = part
        loss = functional.cross_entropy(logits(x), wanted, label_smoothing=label_smoothing) * (len(x) / len(images))
        return loss.detach(), torch.autograd.grad(loss, parameters)

    if any(norm.training for norm in batch_norms(network)):
        parts = [of((images, targets))]
    else:
        count = -(-len(images) // PART)
        parts = side_by_side(of, zip(images.chunk(count), targets.chunk(count), strict=True))
    losses, gradients = zip(*parts, strict=True)
    for parameter, shares in zip(parameters, zip(*gradients, strict=True), strict=True):
        parameter.grad = torch.stack(shares).sum(0)  # laid out as the parameter, which autograd's own need not be
    return float(torch.stack(losses).sum())
