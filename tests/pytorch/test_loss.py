"""The loss of a batch and its gradient: those of the whole batch, whatever its parts are."""

import pytest
import torch
from torch.nn import functional

from condensation.pytorch.loss import PART, backward
from condensation.pytorch.networks import NetworkSpec, build


@pytest.mark.parametrize("n", [5, 2 * PART + 7])
@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("soft", [False, True])
def test_it_is_the_mean_over_the_batch(n: int, norm: str, soft: bool) -> None:
    network = build(NetworkSpec(width=8, norm=norm), image_shape=(16, 16, 3), classes=4, seed=0).double()
    draws = torch.Generator().manual_seed(0)
    images = torch.rand(n, 3, 16, 16, generator=draws, dtype=torch.float64)
    targets = torch.rand(n, 4, generator=draws, dtype=torch.float64).softmax(1) if soft else torch.arange(n) % 4
    whole = functional.cross_entropy(network(images), targets, label_smoothing=0.1)
    wanted = torch.autograd.grad(whole, list(network.parameters()))
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    value = backward(network, images, targets, label_smoothing=0.1)
    assert value == pytest.approx(float(whole.detach()), rel=1e-12)
    for parameter, gradient in zip(network.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
        assert parameter.grad.stride() == parameter.stride(), "the optimisers' kernels read memory as it lies"
