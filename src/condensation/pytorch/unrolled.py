"""Where training on a few images leads, and how that changes with the images: a gradient through unrolled steps.

Reverse differentiation by hand. On the way there nothing is kept but the weights before each step; on the way back
each step is made once more, with its graph, and differentiated a second time. So memory is that of one step, and one
copy of the weights more for each further step: 50 steps of a network of 320,000 weights take 64 MB on top. A step
costs two passes forward, and backward one of the first and one of the second order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import vector_to_parameters

from condensation.pytorch.augment import Each
from condensation.pytorch.cores import side_by_side
from condensation.pytorch.matching import CHUNK_PIXELS
from condensation.pytorch.networks import Network


@dataclass(frozen=True)
class Step:
    """One step of gradient descent.

    batch: positions of distinct images, int64 (k,). view: from these to what the network sees, each for itself.
    """

    batch: Tensor
    view: Each

    def parts(self, count: int) -> "list[Step]":
        """Cut into at most so many parts of equal length."""
        length = -(-len(self.batch) // count)
        rows = [slice(first, first + length) for first in range(0, len(self.batch), length)]
        return [Step(self.batch[some], self.view.part(some)) for some in rows]


@dataclass(frozen=True)
class Landing:
    """How far from the goal the steps lead, and its derivatives for the images, (n, c, h, w), and the step size."""

    distance: float
    images: Tensor
    step_size: float


def landing(
    network: Network, start: Tensor, goal: Tensor, images: Tensor, labels: Tensor, steps: Sequence[Step], size: float
) -> Landing:
    """Go from the weights ``start`` (w,) by gradient steps of ``size`` on the cross-entropy of labelled images.

    The distance is squared, and relative to that between start and goal (w,). images: float (n, c, h, w); labels:
    int64 (n,). No layer may couple images. The network's weights are overwritten; its values are nobody's.
    """
    ways = [start]
    for step in steps:
        ways.append(ways[-1] - size * _gradient(network, ways[-1], images, labels, step))
    apart, whole = ways.pop() - goal, (start - goal).square().sum()
    back = 2 * apart / whole
    moved, by_size = torch.zeros_like(images), 0.0
    for step, weights in zip(reversed(steps), reversed(ways), strict=True):
        value, through, seen = _gradient_along(network, weights, images, labels, step, back)
        moved.index_add_(0, step.batch, seen, alpha=-size)
        by_size -= value
        back = back - size * through
    return Landing(float(apart.square().sum() / whole), moved, by_size)


def _gradient(network: Network, weights: Tensor, images: Tensor, labels: Tensor, step: Step) -> Tensor:
    """The gradient of a step's loss for the weights, (w,)."""
    parameters = _load(network, weights)

    def of(part: Step) -> Tensor:
        loss = _share(network, step, part, images[part.batch], labels)
        return _flat(torch.autograd.grad(loss, parameters))

    return torch.stack(side_by_side(of, _parts(step, images))).sum(0)


def _gradient_along(
    network: Network, weights: Tensor, images: Tensor, labels: Tensor, step: Step, back: Tensor
) -> tuple[float, Tensor, Tensor]:
    """The product of that gradient with ``back`` (w,), and its derivatives: for the weights, the batch's images."""
    parameters = _load(network, weights)
    along = _like(back, parameters)

    def of(part: Step) -> tuple[Tensor, Tensor, Tensor]:
        x = images[part.batch].detach().requires_grad_()
        gradient = torch.autograd.grad(_share(network, step, part, x, labels), parameters, create_graph=True)
        product = torch.stack([(g * b).sum() for g, b in zip(gradient, along, strict=True)]).sum()
        *through, seen = torch.autograd.grad(product, [*parameters, x], materialize_grads=True)
        return product.detach(), _flat(through), seen

    values, through, seen = zip(*side_by_side(of, _parts(step, images)), strict=True)
    return float(torch.stack(values).sum()), torch.stack(through).sum(0), torch.cat(seen)


def _share(network: Network, step: Step, part: Step, x: Tensor, labels: Tensor) -> Tensor:
    """What a part of a step adds to the mean loss."""
    return functional.cross_entropy(network(part.view(x)), labels[part.batch], reduction="sum") / len(step.batch)


def _parts(step: Step, images: Tensor) -> list[Step]:
    """The step in equal parts that fit a core's cache: they are passed side by side."""
    return step.parts(-(-len(step.batch) * images[0, 0].numel() // CHUNK_PIXELS))


def _load(network: Network, weights: Tensor) -> list[Tensor]:
    vector_to_parameters(weights.clone(), network.parameters())
    return list(network.parameters())


def _flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


def _like(vector: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """A vector (w,) cut into the parameters' shapes."""
    parts = vector.split([p.numel() for p in parameters])
    return [part.view_as(p) for part, p in zip(parts, parameters, strict=True)]
