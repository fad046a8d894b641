"""Kernel ridge regression in float64: kernels of infinitely wide networks in closed form, and the solve.

The kernels are those of a fully connected ReLU network without biases, whose weights are drawn from the standard
normal and whose layers are scaled so that a norm is kept: ``features = relu(x W / sqrt(d)) sqrt(2 / width)``, each
further layer alike, and a linear output. NNGP is the covariance of its outputs at the start (Lee et al. 2018), NTK
the inner product of their derivatives for all weights (Jacot et al. 2018); both by the arc-cosine recursion of Cho and
Saul 2009.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

ClosedForm = Literal["ntk", "nngp"]

NEARLY_PARALLEL = 1 - 1e-12  # beyond it the recursion has no derivative; a kernel's diagonal needs none through angles
MOST_JITTER = 1.0


def fully_connected(kind: ClosedForm, a: Tensor, b: Tensor, *, depth: int) -> Tensor:
    """The kernel of ``depth`` hidden layers between float (n, d) and float (m, d): float64 (n, m), differentiable."""
    a, b = a.double(), b.double()
    norms = _norms(a)[:, None] * _norms(b)
    covariance = a @ b.t() / a.shape[1]
    tangent = covariance
    for _ in range(depth):
        cosine = (covariance / norms).clamp(-NEARLY_PARALLEL, NEARLY_PARALLEL)
        angle = cosine.arccos()
        covariance = norms * (angle.sin() + (math.pi - angle) * cosine) / math.pi
        tangent = covariance + tangent * (math.pi - angle) / math.pi
    return tangent if kind == "ntk" else covariance


def _norms(x: Tensor) -> Tensor:
    """Length of each row of (n, d) over sqrt(d), which every layer keeps; an empty row counts as almost none."""
    return (x.square().mean(1) + torch.finfo(x.dtype).tiny).sqrt()


def linear(a: Tensor, b: Tensor) -> Tensor:
    """The kernel of features float (n, d) and float (m, d): float64 (n, m), their inner products over d."""
    return a.double() @ b.double().t() / a.shape[1]


@dataclass(frozen=True)
class Ridge:
    """A kernel ridge regression that was solved.

    coefficients: float64 (n, outputs). jitter: what was added to the kernel's diagonal, relative to its mean.
    regular: float64 (n, n), the matrix that was solved.
    """

    coefficients: Tensor
    jitter: float
    regular: Tensor

    def predict(self, kernel: Tensor) -> Tensor:
        """Outputs (m, outputs) for the kernel (m, n) between other points and those of the regression."""
        return kernel @ self.coefficients

    def condition(self) -> float:
        """Condition number of the matrix that was solved: its largest eigenvalue over its smallest."""
        values = torch.linalg.eigvalsh(self.regular.detach())
        return float(values[-1] / values[0])


def ridge(kernel: Tensor, targets: Tensor, *, jitter: float) -> Ridge:
    """Regress targets (n, outputs) on a kernel, float64 (n, n); differentiable in both.

    Where the kernel with ``jitter`` is not positive definite to the last digit, ten times as much is tried, and so
    on. Raises FloatingPointError when nothing helps, as where the kernel is not finite.
    """
    share = kernel.diagonal().mean() * torch.eye(len(kernel), dtype=kernel.dtype)
    while jitter <= MOST_JITTER:
        regular = kernel + jitter * share
        root, failed = torch.linalg.cholesky_ex(regular)
        if not failed:
            return Ridge(torch.cholesky_solve(targets.to(kernel), root), jitter, regular)
        jitter *= 10
    raise FloatingPointError(f"a kernel of {len(kernel)} points is not positive definite with jitter {MOST_JITTER}")
