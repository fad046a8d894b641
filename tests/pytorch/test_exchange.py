"""Condensed sets as tensors."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.params import Section
from condensation.pytorch.exchange import pictures, to_torch


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


def test_pictures_are_cut_by_rows_and_enlarged():
    image = np.zeros((2, 8, 8, 1), np.float32)
    image[0, :4, 4:] = 1
    image[1, 4:, 4:] = np.arange(4)[:, None, None]
    cut = pictures(image, 4)
    assert cut.shape == (8, 8, 8, 1)
    assert cut.reshape(8, -1).mean(1).tolist() == pytest.approx([0, 1, 0, 0, 0, 0, 0, 1.5])
    np.testing.assert_allclose(cut[7, :, 3, 0], [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])


def test_pictures_that_do_not_fit_are_refused():
    for count in (2, 9):
        with pytest.raises(InputError, match=f"{count} pictures"):
            pictures(np.zeros((1, 8, 8, 1), np.float32), count)
