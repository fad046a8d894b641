"""The fused ConvNet against the modules that it stands for, in float64."""

import pytest
import torch
from torch.nn import functional

from condensation.pytorch.fused import fused, fused_features
from condensation.pytorch.networks import NetworkSpec, build

CASES = [
    (NetworkSpec(width=8), (28, 28, 1)),
    (NetworkSpec(width=8), (32, 32, 3)),
    (NetworkSpec(width=8), (9, 14, 3)),
    (NetworkSpec(width=8), (8, 8, 1)),
    (NetworkSpec(width=8, depth=1), (8, 8, 3)),
    (NetworkSpec(width=8, activation="swish", pooling="max"), (12, 12, 1)),
    (NetworkSpec(width=8, pooling="none", depth=2), (8, 8, 1)),
    (NetworkSpec(name="alexnet", width=8, norm="instance"), (16, 16, 3)),
]


def pair(spec, shape):
    network = build(spec, image_shape=shape, classes=5, seed=2).double()
    with torch.no_grad():
        for number, parameter in enumerate(network.parameters()):
            noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number), dtype=torch.float64)
            parameter += 0.1 * noise
    h, w, c = shape
    images = torch.rand(6, c, h, w, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return network, images


@pytest.mark.parametrize(("spec", "shape"), CASES)
def test_same_logits_and_same_gradients(spec, shape):
    network, images = pair(spec, shape)
    function = fused(network)
    assert function is not network
    images.requires_grad_()
    labels = torch.arange(6) % 5
    results = []
    for forward in (network, function):
        logits = forward(images)
        loss = functional.cross_entropy(logits, labels)
        results.append([logits, *torch.autograd.grad(loss, [images, *network.parameters()])])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-11)


def test_a_blank_image_gives_finite_logits():
    network, images = pair(*CASES[0])
    found = fused(network)(torch.zeros_like(images))
    torch.testing.assert_close(found, network(torch.zeros_like(images)))


def test_reads_the_parameters_as_they_are_when_called():
    network, images = pair(*CASES[0])
    function = fused(network)
    with torch.no_grad():
        network.body[0].weight.mul_(2).add_(0.1)
    torch.testing.assert_close(function(images), network(images))


@pytest.mark.parametrize(
    "spec",
    [
        NetworkSpec(name="mlp"),
        NetworkSpec(name="lenet"),
        NetworkSpec(width=8, norm="batch"),
        NetworkSpec(width=8, norm="group"),
    ],
)
def test_other_networks_come_back_unchanged(spec):
    network = build(spec, image_shape=(8, 8, 1), classes=3, seed=0)
    assert fused_features(network) == network.features


def squares(function, images, parameters):
    """The squared length of the loss's gradient for ``parameters``: what one more differentiation is about."""
    loss = functional.cross_entropy(function(images), torch.arange(6) % 5)
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    return torch.stack([gradient.square().sum() for gradient in gradients]).sum()


@pytest.mark.parametrize(("spec", "shape"), CASES)
def test_same_second_derivatives(spec, shape):
    network, images = pair(spec, shape)
    images.requires_grad_()
    weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    results = []
    for forward in (network, fused(network)):
        value = squares(forward, images, weights)
        results.append(torch.autograd.grad(value, [images, *network.parameters()], materialize_grads=True))
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-11)


def test_what_cannot_be_differentiated_again_is_refused_rather_than_wrong():
    network, images = pair(*CASES[0])
    norm, convolution = network.body[5].weight, network.body[4].weight
    value = squares(fused(network), images, [norm])
    with pytest.raises(NotImplementedError, match="only the derivative for the maps"):
        torch.autograd.grad(value, [convolution])
    value = squares(fused(network), images, [convolution])
    (once_more,) = torch.autograd.grad(value, [convolution], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        once_more.sum().backward()
