"""MPS1's own: how many samples there are of each class."""

import numpy as np
import pytest

from condensation.core.errors import InputError
from condensation.tfkeras.methods.mps1 import class_sizes


def test_the_authors_437_samples_are_44_or_43_of_each_class() -> None:
    sizes = class_sizes(10, 44, 437)
    assert sizes.tolist() == [44] * 7 + [43] * 3
    assert class_sizes(10, 44, None).tolist() == [44] * 10


@pytest.mark.parametrize(("images_per_class", "samples"), [(43, 437), (45, 437), (44, 1)])
def test_samples_that_do_not_fit_are_refused(images_per_class: int, samples: int) -> None:
    with pytest.raises(InputError, match=rf"{(images_per_class - 1) * 10 + 1}\.\.{images_per_class * 10}"):
        class_sizes(10, images_per_class, samples)


def test_sizes_add_up() -> None:
    for samples in range(21, 31):
        assert np.sum(class_sizes(10, 3, samples)) == samples
