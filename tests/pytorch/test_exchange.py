"""Condensed sets as tensors."""

import numpy as np
import torch
from torch.utils.data import DataLoader

from condensation.core.condensed import CondensedDataset
from condensation.core.params import Section
from condensation.core.pictures import pictures
from condensation.pytorch.exchange import to_torch
from condensation.pytorch.synthetic import tiled, untiled


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


def test_tensors_are_tiled_and_read_as_the_decoder_reads():
    for count in (1, 4, 9):
        stored = tiled(torch.randn(2 * count, 3, 11, 10, generator=torch.Generator().manual_seed(count)), count)
        assert stored.shape == (2, 3, 11, 10)
        read = pictures(stored.permute(0, 2, 3, 1).contiguous().numpy(), count)
        np.testing.assert_allclose(untiled(stored, count).permute(0, 2, 3, 1).numpy(), read, atol=1e-5)


def test_a_tile_is_the_mean_of_what_it_shrinks():
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 8, 8)
    assert tiled(images, 4)[0, 0, ::4, ::4].tolist() == [[0, 1], [2, 3]]
