"""Networks: shapes, seeds, published sizes, refusals."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from condensation.core.errors import InputError
from condensation.core.params import check
from condensation.pytorch.networks import PUBLISHED, NetworkSpec, build

SMALL = {"mlp": 8, "lenet": 6, "convnet": 8, "alexnet": 8, "vgg11": 4, "resnet18": 4}


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 11, 3), (28, 28, 1), (32, 32, 3)])
@pytest.mark.parametrize("name", PUBLISHED)
def test_features_then_classifier(name, shape):
    network = build(NetworkSpec(name=name, width=SMALL[name]), image_shape=shape, classes=5, seed=1)
    h, w, c = shape
    images = torch.rand(2, c, h, w)
    features = network.eval().features(images)
    assert features.shape == (2, network.classifier.in_features)
    assert torch.equal(network(images), features @ network.classifier.weight.T + network.classifier.bias)


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "instance", "group"])
@pytest.mark.parametrize("pooling", ["none", "max", "average"])
@pytest.mark.parametrize("name", ["lenet", "convnet", "vgg11", "resnet18"])
def test_every_norm_and_pooling_trains_on_one_small_image(name, pooling, norm):
    spec = NetworkSpec(name=name, width=8, norm=norm, pooling=pooling)
    network = build(spec, image_shape=(8, 8, 1), classes=3, seed=0)
    network(torch.rand(1, 1, 8, 8)).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "leaky_relu", "swish"])
def test_activation_is_the_one_asked_for(activation):
    network = build(NetworkSpec(width=4, activation=activation), image_shape=(8, 8, 1), classes=3, seed=0)
    expected = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "swish": nn.SiLU}[activation]
    assert sum(isinstance(m, expected) for m in network.modules()) == 3


def test_published_convnet_has_the_published_size():
    grey = build(NetworkSpec(), image_shape=(28, 28, 1), classes=10, seed=0)
    colour = build(NetworkSpec(), image_shape=(32, 32, 3), classes=10, seed=0)
    assert grey.classifier.in_features == colour.classifier.in_features == 128 * 4 * 4
    assert sum(p.numel() for p in colour.parameters()) == 320_010


def test_published_resnet18_and_vgg11_have_the_published_size():
    resnet = build(NetworkSpec(name="resnet18"), image_shape=(32, 32, 3), classes=10, seed=0)
    vgg = build(NetworkSpec(name="vgg11"), image_shape=(32, 32, 3), classes=10, seed=0)
    assert sum(p.numel() for p in resnet.parameters()) == 11_173_962 + 64  # a bias in the first convolution
    assert sum(p.numel() for p in vgg.parameters()) == 9_231_114


def test_what_is_left_out_takes_the_published_value():
    assert NetworkSpec(name="lenet").model_dump() == {
        "name": "lenet",
        "width": 6,
        "depth": 2,
        "activation": "relu",
        "norm": "none",
        "pooling": "max",
    }


def test_the_seed_decides_and_nothing_global_changes():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    nets = [build(NetworkSpec(width=4), image_shape=(8, 8, 1), classes=3, seed=s) for s in (1, 1, 2)]
    assert torch.equal(before, torch.get_rng_state())
    weights = [n.body[0].weight for n in nets]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_refusals_name_the_value():
    with pytest.raises(InputError, match="7x8x1"):
        build(NetworkSpec(), image_shape=(7, 8, 1), classes=3, seed=0)
    with pytest.raises(InputError, match=r"network\.name is 'densenet'"):
        check({"name": "densenet"}, NetworkSpec, "network")
    with pytest.raises(ValidationError, match="depth of vgg11 is fixed"):
        NetworkSpec(name="vgg11", depth=4)
