"""Condensed sets as tensors."""

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils.data import DataLoader

from condensation.core.condensed import CondensedDataset
from condensation.core.params import Section
from condensation.core.pictures import BLUE, GREEN, RED, pictures
from condensation.pytorch.exchange import to_torch
from condensation.pytorch.synthetic import Scale, Storage, nearest


def condensed(train, soft=None) -> CondensedDataset:
    chosen = np.array([0, 12, 24])
    return CondensedDataset.build(
        train,
        train.pixels(chosen),
        train.labels[chosen],
        method="random",
        images_per_class=1,
        seed=0,
        params=Section(),
        soft_labels=soft,
    )


def test_hard_labels(train):
    images, labels = next(iter(DataLoader(to_torch(condensed(train)), batch_size=3)))
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert images.shape == (3, 1, 8, 8)
    np.testing.assert_array_equal(images[1, 0].numpy(), train.pixels()[12, :, :, 0])
    assert labels.tolist() == [0, 1, 2]


def test_soft_labels_sum_to_one_in_float32(train):
    soft = np.full((3, 1, 3), 1 / 3, np.float16)
    _, labels = to_torch(condensed(train, soft)).tensors
    assert labels.dtype == torch.float32
    torch.testing.assert_close(labels, torch.full((3, 3), 1 / 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_tensors_are_tiled_and_read_as_the_decoder_reads(channels: int) -> None:
    mean, deviation = torch.tensor([[0.5, 0.4, 0.6], [0.2, 0.3, 0.25]])[:, :channels].view(2, 1, channels, 1, 1)
    scale = Scale(mean, deviation)
    for count in (1, 2, 4, 8, 9, 18):
        images, storage = torch.randn(2 * count, channels, 15, 14, generator=torch.Generator()), Storage(count, scale)
        stored = storage.store(images)
        assert stored.shape == (2, channels, 15, 14)
        read = storage.read(stored)
        np.testing.assert_allclose(scale.pixels(read), pictures(scale.pixels(stored), count), atol=1e-5)
        torch.testing.assert_close(storage.read(storage.store(read)).mean((2, 3)), read.mean((2, 3)), atol=0.1, rtol=0)


@pytest.mark.parametrize("count", [2, 8, 18])
def test_shared_colours_keep_a_picture_of_one_colour_as_it_is(count: int) -> None:
    colours = torch.rand(3 * count, 3, 1, 1, generator=torch.Generator().manual_seed(count))
    images, storage = (
        colours.expand(-1, -1, 16, 20),
        Storage(count, Scale(*torch.tensor([[0.5], [0.2]]).view(2, 1, 1, 1, 1))),
    )
    torch.testing.assert_close(storage.read(storage.store(images)), images, atol=1e-5, rtol=0)


def test_shared_colours_lose_half_their_resolution_and_brightness_none() -> None:
    same = Scale(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    read = Storage(2, same).read(Storage(2, same).store(images))
    weights = torch.tensor([RED, GREEN, BLUE]).view(1, 3, 1, 1)
    torch.testing.assert_close((weights * read).sum(1), (weights * images).sum(1))
    small = nearest(images - (weights * images).sum(1, keepdim=True), (4, 4))
    want = functional.interpolate(small, size=(8, 8), mode="bilinear", align_corners=False)
    torch.testing.assert_close(read - (weights * read).sum(1, keepdim=True), want, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("small", "large"), [(4, 8), (3, 10), (5, 5)])
def test_a_shrunk_image_is_the_one_nearest_when_it_is_enlarged(small: int, large: int) -> None:
    drawn = torch.Generator().manual_seed(small)
    images = torch.rand(2, 3, large, large, generator=drawn)

    def away(shrunk: torch.Tensor) -> float:
        read = functional.interpolate(shrunk, size=(large, large), mode="bilinear", align_corners=False)
        return float((read - images).square().sum())

    found = nearest(images, (small, small))
    for _ in range(5):
        assert away(found) < away(found + 0.1 * torch.randn(found.shape, generator=drawn))
    assert away(found) <= away(functional.adaptive_avg_pool2d(images, small)) + 1e-6


def test_a_tile_is_the_mean_of_what_it_shrinks_where_that_is_asked_for():
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 8, 8)
    storage = Storage(4, Scale(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)))
    assert storage.store(images, functional.adaptive_avg_pool2d)[0, 0, ::4, ::4].tolist() == [[0, 1], [2, 3]]
