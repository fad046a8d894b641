"""Networks at different stages of being trained on a set that changes meanwhile, each replaced at its life's end.

The pool of FRePo (Zhou, Nezhadarya, Ba, "Dataset Distillation using Neural Feature Regression", NeurIPS 2022, algorithm
1): what helps young networks and old ones alike helps the one that is trained on the set from its start to its end.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from condensation.core.parts import joined, part_of
from condensation.core.randomness import derive
from condensation.pytorch.descent import Descent
from condensation.pytorch.loss import backward
from condensation.pytorch.networks import Network, load_weights, weights_of
from condensation.pytorch.precision import Precision

MOMENTUM = 0.9


@dataclass
class Member:
    """A network of the pool: in which life, and how many steps of it are done."""

    network: Network
    descent: Descent
    life: int = 0
    age: int = 0

    def state(self) -> dict[str, np.ndarray]:
        """Everything that later steps depend on."""
        parts = joined({"network": weights_of(self.network), "descent": self.descent.state()})
        return parts | {"place": np.array([self.life, self.age])}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave."""
        load_weights(self.network, part_of(arrays, "network"))
        self.descent.restore(part_of(arrays, "descent"))
        self.life, self.age = (int(value) for value in arrays["place"])


class LivingPool:
    """``networks`` of them, each trained for ``lifetime`` steps (Adam) and then begun anew by ``build(its seed)``.

    At any time some networks are young and some old: those of the first lives differ in the steps that are left to
    them. aged: the steps before are done by whoever asks ``behind``; otherwise they are left out.
    """

    def __init__(
        self,
        build: Callable[[int], Network],
        *,
        networks: int,
        lifetime: int,
        learning_rate: float,
        seed: int,
        aged: bool = False,
        precision: Precision = "float32",
    ) -> None:
        self._build, self._lifetime, self._learning_rate, self._seed = build, lifetime, learning_rate, seed
        self._count, self._aged, self._precision = networks, aged, precision
        self.members = [self._fresh(number, 0) for number in range(networks)]

    def _fresh(self, number: int, life: int) -> Member:
        network = self._build(derive(self._seed, "network", number, life))
        descent = Descent(network.parameters(), optimizer="adamw", momentum=MOMENTUM, weight_decay=0.0)
        return Member(network, descent, life)

    def behind(self, number: int) -> int:
        """The steps that a network of a first life has still to be trained for to be of the age that it begins at."""
        member = self.members[number]
        return 0 if member.life else max(self._lifetime - self._left_at_first(number) - member.age, 0)

    def _left_at_first(self, number: int) -> int:
        """Steps that are left to a network of a first life; the last one's is whole."""
        return -(-self._lifetime * (number + 1) // self._count)

    def train(self, number: int, images: Tensor, targets: Tensor) -> None:
        """One step of a network on (n, c, h, w) and int64 (n,) or probabilities (n, classes); a new one at its end."""
        member = self.members[number]
        backward(member.network.train().requires_grad_(), images, targets, precision=self._precision)
        member.descent.step(self._learning_rate)
        member.age += 1
        if member.age >= (self._lifetime if member.life or self._aged else self._left_at_first(number)):
            self.members[number] = self._fresh(number, member.life + 1)

    def state(self) -> dict[str, np.ndarray]:
        """Everything that later steps depend on."""
        return joined({number: member.state() for number, member in enumerate(self.members)})

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave."""
        for number, member in enumerate(self.members):
            member.restore(part_of(arrays, number))
