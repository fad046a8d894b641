"""Kernels against wide networks and derivatives against differences; ridge regression against scikit-learn."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from torch import Tensor

from condensation.pytorch.kernels import MOST_JITTER, fully_connected, linear, ridge

WIDTH, NETWORKS = 2048, 16


def points(n: int, d: int, seed: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d)))


def wide_network(depth: int, d: int, draws: np.random.Generator) -> list[Tensor]:
    """Standard normal weights of the network of the module's docstring."""
    sizes = [d, *[WIDTH] * depth]
    shapes = [*pairwise(sizes), (WIDTH, 1)]
    return [torch.from_numpy(draws.normal(size=shape)).requires_grad_() for shape in shapes]


def outputs(x: Tensor, weights: list[Tensor]) -> Tensor:
    hidden = x @ weights[0] / x.shape[1] ** 0.5
    for weight in weights[1:]:
        hidden = torch.relu(hidden) * (2 / WIDTH) ** 0.5 @ weight
    return hidden[:, 0]


def empirical(kind: str, x: Tensor, weights: list[Tensor]) -> Tensor:
    """NTK: inner products of the outputs' derivatives; NNGP: of the last hidden layer, its weights' variance."""
    rows = []
    for output in outputs(x, weights):
        found = torch.autograd.grad(output, weights[-1:] if kind == "nngp" else weights, retain_graph=True)
        rows.append(torch.cat([part.flatten() for part in found]))
    stacked = torch.stack(rows)
    return stacked @ stacked.t()


@pytest.mark.parametrize("kind", ["ntk", "nngp"])
@pytest.mark.parametrize("depth", [1, 2])
def test_closed_form_is_the_mean_kernel_of_wide_networks(kind, depth):
    x, draws = points(4, 5, 0), np.random.default_rng(1)
    each = torch.stack([empirical(kind, x, wide_network(depth, 5, draws)) for _ in range(NETWORKS)])
    error = each.std(0) / NETWORKS**0.5
    got, other = (fully_connected(kind, x, x, depth=hidden) for hidden in (depth, depth + 1))
    spread = got.diagonal().sqrt()[:, None] * got.diagonal().sqrt()
    assert (error / spread).max() < 0.03
    assert ((got - each.mean(0)) / error).abs().max() < 3
    assert ((other - each.mean(0)) / error).abs().max() > 20


def test_the_kernel_between_two_sets_is_a_block_of_that_of_both():
    a, b = points(3, 6, 0), points(2, 6, 1)
    both = torch.cat([a, b])
    for kind in ("ntk", "nngp"):
        whole = fully_connected(kind, both, both, depth=3)
        torch.testing.assert_close(fully_connected(kind, a, b, depth=3), whole[:3, 3:])
        torch.testing.assert_close(whole, whole.t())
        assert torch.linalg.eigvalsh(whole).min() > 0


@pytest.mark.parametrize("kind", ["ntk", "nngp"])
def test_derivatives_are_those_of_differences(kind):
    a, b = points(3, 4, 0).requires_grad_(), points(2, 4, 1)
    assert torch.autograd.gradcheck(lambda x: fully_connected(kind, x, b, depth=2), a)
    assert torch.autograd.gradcheck(lambda x: fully_connected(kind, x, x, depth=2), a)


def test_an_empty_image_has_a_kernel_and_a_derivative():
    a = torch.zeros(2, 4, dtype=torch.float64)
    a[1] = 1
    a.requires_grad_()
    fully_connected("ntk", a, a, depth=2).sum().backward()
    assert torch.isfinite(a.grad).all()


@pytest.mark.parametrize("jitter", [1e-3, 0.5])
def test_ridge_against_scikit_learn(jitter):
    x, other, targets = points(7, 5, 0), points(4, 5, 1), points(7, 3, 2)
    kernel, cross = linear(x, x), linear(other, x)
    solved = ridge(kernel, targets, jitter=jitter)
    judge = KernelRidge(alpha=jitter * float(kernel.diagonal().mean()), kernel="precomputed")
    judge.fit(kernel.numpy(), targets.numpy())
    np.testing.assert_allclose(solved.coefficients, judge.dual_coef_, rtol=1e-8)
    np.testing.assert_allclose(solved.predict(cross), judge.predict(cross.numpy()), rtol=1e-8)
    assert solved.jitter == jitter
    assert solved.condition() == pytest.approx(np.linalg.cond(solved.regular), rel=1e-6)


def test_derivatives_of_the_solution_are_those_of_differences():
    x, targets = points(4, 5, 0).requires_grad_(), points(4, 2, 1).requires_grad_()

    def solution(x: Tensor, targets: Tensor) -> Tensor:
        return ridge(linear(x, x), targets, jitter=0.1).coefficients

    assert torch.autograd.gradcheck(solution, (x, targets))


def test_a_kernel_without_full_rank_is_given_the_jitter_that_it_needs():
    x = points(3, 5, 0)
    twice = torch.cat([x, x])
    solved = ridge(linear(twice, twice), points(6, 2, 1), jitter=1e-20)
    assert 1e-20 < solved.jitter < 1e-10
    assert torch.isfinite(solved.coefficients).all()


def test_a_kernel_that_nothing_can_mend_is_an_error():
    with pytest.raises(FloatingPointError, match=f"not positive definite with jitter {MOST_JITTER}"):
        ridge(torch.full((2, 2), float("nan"), dtype=torch.float64), torch.ones(2, 1), jitter=1e-6)
