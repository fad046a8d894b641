"""Several pictures in the storage of one: cut by rows, enlarged, and the same from every export."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from condensation.api import PortableSet
from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.files import read_npz
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.pictures import enlargement, pictures


def test_pictures_are_cut_by_rows_and_enlarged() -> None:
    image = np.zeros((2, 8, 8, 1), np.float32)
    image[0, :4, 4:] = 1
    image[1, 4:, 4:] = np.arange(4)[:, None, None]
    cut = pictures(image, 4)
    assert cut.shape == (8, 8, 8, 1)
    assert cut.reshape(8, -1).mean(1).tolist() == pytest.approx([0, 1, 0, 0, 0, 0, 0, 1.5])
    np.testing.assert_allclose(cut[7, :, 3, 0], [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    assert pictures(image, 1) is image


def test_what_a_grid_leaves_over_is_not_read() -> None:
    image = np.full((1, 8, 7, 3), np.nan, np.float32)
    for row in range(3):
        for column in range(3):
            image[0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = 3 * row + column
    cut = pictures(image, 9)
    assert cut.shape == (9, 8, 7, 3)
    np.testing.assert_allclose(cut, np.broadcast_to(np.arange(9.0)[:, None, None, None], cut.shape), atol=1e-5)


@pytest.mark.parametrize(("small", "large"), [(2, 5), (10, 32), (4, 4), (1, 3)])
def test_enlarging_is_linear_between_centres(small: int, large: int) -> None:
    weights = enlargement(small, large)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    centres = (np.arange(large) + 0.5) * small / large - 0.5
    known = np.interp(centres, np.arange(small), np.arange(small) ** 2)
    np.testing.assert_allclose(weights @ np.arange(small, dtype=np.float32) ** 2, known, atol=1e-5)


def test_shared_colours_are_two_grids_of_brightness_and_one_of_colours() -> None:
    image = np.zeros((1, 8, 8, 3), np.float32)
    image[0, :4, 4:, 1] = 0.5  # the second picture of the second grid: the sixth
    image[0, 4:6, 4:6, 2], image[0, 4:6, 6:, 2] = 0.2, -0.1  # its red and its blue, less the brightness
    read = pictures(image, 8)
    assert read.shape == (8, 8, 8, 3)
    green = 0.5 - (0.299 * 0.2 - 0.114 * 0.1) / 0.587
    np.testing.assert_allclose(read[5], np.broadcast_to([0.7, green, 0.4], (8, 8, 3)), atol=1e-6)
    assert np.count_nonzero(read) == read[5].size


def test_twice_a_square_of_grey_pictures_are_narrow() -> None:
    image = np.zeros((1, 8, 9, 1), np.float32)
    image[0, :4, 2:4], image[0, 4:, 6:8] = 1, np.arange(4)[:, None, None]
    read = pictures(image, 8)
    assert read.shape == (8, 8, 9, 1)
    assert read.mean((1, 2, 3)).tolist() == [0, 1, 0, 0, 0, 0, 0, 1.5]
    np.testing.assert_array_equal(pictures(image, 2)[1, :, 0], image[0, :, 4])


@pytest.mark.parametrize(
    ("count", "channels"), [(-1, 1), (0, 1), (3, 1), (18, 1), (25, 1), (32, 1), (3, 3), (25, 3), (50, 3)]
)
def test_pictures_that_do_not_fit_are_refused(count: int, channels: int) -> None:
    message = f"{count} pictures do not fit an image of 8x9 and {channels} .*; allowed: the squares of 1..4"
    with pytest.raises(InputError, match=message):
        pictures(np.zeros((1, 8, 9, channels), np.float32), count)


def test_every_export_gives_the_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    train = ImageSet(rng.integers(0, 256, (4, 4, 4, 1), np.uint8), np.array([0, 1, 0, 1]), ("a", "b"), "own")
    soft = np.array([[[1, 0]] * 4, [[0, 1]] * 4], np.float16)
    made = CondensedDataset.build(
        train,
        train.pixels(np.arange(2)),
        train.labels[:2],
        method="random",
        images_per_class=1,
        seed=0,
        params=Section(),
        soft_labels=soft,
        pictures_per_image=4,
    )
    made.save(tmp_path / "set.npz")
    portable, read = PortableSet.load(tmp_path / "set.npz"), pictures(made.images, 4)
    plain = read_npz(portable.export_npz(tmp_path / "plain.npz"))
    np.testing.assert_array_equal(plain["images"], read)
    assert plain["labels"].tolist() == [0] * 4 + [1] * 4
    np.testing.assert_array_equal(plain["soft_labels"], soft.reshape(8, 2))
    assert portable.to_pandas().shape == (8, 18)
    files = sorted(portable.export_folder(tmp_path / "folder").glob("*/*.png"))
    assert [file.parent.name for file in files] == ["a"] * 4 + ["b"] * 4
    np.testing.assert_allclose(np.asarray(Image.open(files[5])) / 255, read[5, ..., 0], atol=0.003)
