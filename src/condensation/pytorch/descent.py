"""Gradient descent on a network's weights, in PyTorch's own kernels, with a state of plain arrays.

``torch.optim``'s classes load PyTorch's compiler when they are made, three seconds that a short training does not
have; its functional forms give the same numbers and load nothing.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

SECOND_BETA, EPSILON = 0.999, 1e-8


class Descent:
    """Decides nothing by itself: every step is told its learning rate.

    momentum: of SGD; the first beta of AdamW, whose weight decay is decoupled (Loshchilov and Hutter 2019).
    """

    def __init__(self, parameters: Iterable[Tensor], *, optimizer: str, momentum: float, weight_decay: float) -> None:
        self._parameters = list(parameters)
        self._adamw, self._momentum, self._decay = optimizer == "adamw", momentum, weight_decay
        self._mean = [torch.zeros_like(p) for p in self._parameters]
        self._square = [torch.zeros_like(p) for p in self._parameters] if self._adamw else []
        self._steps = [torch.zeros(()) for _ in self._parameters] if self._adamw else []

    def step(self, learning_rate: float) -> None:
        """Move the parameters against their gradients, and clear these."""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        assert len(gradients) == len(self._parameters), "every parameter has a gradient"
        with torch.no_grad():
            if self._adamw:
                self._adamw_step(gradients, learning_rate)
            else:
                self._sgd_step(gradients, learning_rate)
        for parameter in self._parameters:
            parameter.grad = None

    def _adamw_step(self, gradients: list[Tensor], learning_rate: float) -> None:
        adamw(
            self._parameters,
            gradients,
            self._mean,
            self._square,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=self._momentum,
            beta2=SECOND_BETA,
            lr=learning_rate,
            weight_decay=self._decay,
            eps=EPSILON,
            maximize=False,
        )

    def _sgd_step(self, gradients: list[Tensor], learning_rate: float) -> None:
        sgd(
            self._parameters,
            gradients,
            list(self._mean),
            fused=True,
            weight_decay=self._decay,
            momentum=self._momentum,
            lr=learning_rate,
            dampening=0,
            nesterov=False,
            maximize=False,
        )

    def state(self) -> dict[str, np.ndarray]:
        """Everything that later steps depend on."""
        return {name: tensor.numpy(force=True).copy() for name, tensor in self._named().items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave."""
        for name, tensor in self._named().items():
            tensor.copy_(torch.from_numpy(arrays[name]))

    def _named(self) -> dict[str, Tensor]:
        kinds = {"mean": self._mean, "square": self._square, "steps": self._steps}
        return {f"{kind}/{i}": tensor for kind, tensors in kinds.items() for i, tensor in enumerate(tensors)}
