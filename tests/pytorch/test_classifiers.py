"""The CNNs of MPS-o and MPS-5o: what they take and give, and what training them needs."""

import pytest
import torch
from torch import nn

from condensation.core.errors import InputError
from condensation.pytorch.classifiers import (
    KINDS,
    Resized,
    check_memory,
    classifier,
    cut_at_maps,
    input_side,
    training_memory,
)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_adapted_to_small_images(name: str) -> None:
    network = classifier(name, image_shape=(8, 8, 1), classes=3, seed=1, adapted=True).eval()
    again = classifier(name, image_shape=(8, 8, 1), classes=3, seed=1, adapted=True).eval()
    images = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    logits = network(images)
    assert logits.shape == (2, 3)
    assert network.features(images).shape == (2, network.classifier.in_features)
    assert torch.equal(logits, again(images))
    assert torch.isfinite(logits).all()
    maps, rest = cut_at_maps(network)
    torch.testing.assert_close(rest(maps(images)), logits)
    assert maps(images).shape[1] == {"lenet": 16 * 2 * 2}.get(name, network.classifier.in_features)
    assert logits[0].sub(logits[1]).abs().max() > 0
    assert not any(isinstance(module, nn.Dropout) and module.p for module in network.modules())


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_published_form_sees_what_it_expects(name: str) -> None:
    side = KINDS[name].expected
    assert input_side(name, (32, 32, 3), adapted=False) == (side, side)
    assert input_side(name, (32, 40, 3), adapted=True) == (32, 40)


@pytest.mark.parametrize("name", ["lenet", "alexnet", "resnet18"])
def test_memory_grows_with_the_batch_and_the_size(name: str) -> None:
    few, more = (
        training_memory(name, image_shape=(32, 32, 3), classes=10, adapted=False, batch=batch) for batch in (2, 4)
    )
    adapted = training_memory(name, image_shape=(32, 32, 3), classes=10, adapted=True, batch=4)
    assert few < more
    assert adapted <= more


def test_the_memory_of_lenet_is_that_of_its_tensors() -> None:
    """By hand: 5x5 convolutions of 6 and 16 maps on 32x32 with ReLU and max pooling, dense 120, 84, 10; float32."""
    weights = 4 * (6 * 26 + 16 * 151 + 120 * 401 + 84 * 121 + 10 * 85)
    places = 8 * 32 * 32 // 8  # the input, one channel
    maps = 6 * 28 * 28 + 16 * 10 * 10
    pooled = maps // 4
    activations = 4 * (places + maps + pooled + 120 + 84) + 8 * pooled  # pooling keeps places as int64
    measured = training_memory("lenet", image_shape=(32, 32, 1), classes=10, adapted=False, batch=1)
    kept_weights = 4 * (16 * 150 + 120 * 400 + 84 * 120 + 10 * 84)  # what backward reads besides
    assert abs(measured - 4 * weights - activations) <= kept_weights + 4 * 6 * 25


def test_resizing_is_bilinear_and_leaves_the_right_size_alone() -> None:
    images = torch.arange(16.0).view(1, 1, 4, 4)
    assert Resized((4, 4))(images) is images
    doubled = Resized((8, 8))(images)
    assert doubled.shape == (1, 1, 8, 8)
    assert doubled[0, 0, 3, 3] == pytest.approx(0.75**2 * 5 + 0.75 * 0.25 * (6 + 9) + 0.25**2 * 10)


def test_what_would_not_fit_is_refused_with_both_numbers() -> None:
    check_memory(2**30, 2**30, "this")
    with pytest.raises(InputError, match=r"vgg needs about 3.00 GiB of memory and 1.50 GiB are allowed"):
        check_memory(3 * 2**30, 3 * 2**29, "vgg")
