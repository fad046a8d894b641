"""The GAN on classes of bright patches: it learns, its images have their labels, its best epoch is kept."""

from pathlib import Path

import keras
import numpy as np
import pytest

from condensation.core.images import ImageSet
from condensation.core.parts import part_of
from condensation.core.runlog import RunLog
from condensation.tfkeras.gan import Gan, GanParams, picture, train_gan

PARAMS = GanParams(
    epochs={"default": 30},
    epoch_images=None,
    batch_size=32,
    learning_rate=1e-3,
    agreement=0.0,
    scored_per_class=4,
)
LABELS = np.arange(128) % 2


def patches(channels: int = 1) -> ImageSet:
    """Class 0 is bright above, class 1 below."""
    images = np.random.default_rng(0).integers(0, 60, (128, 6, 6, channels))
    for label in (0, 1):
        images[label::2, 3 * label : 3 * label + 3] += 180
    return ImageSet(images.astype(np.uint8), LABELS, ("above", "below"), "patches")


def judge(channels: int = 1) -> keras.Model:
    """A network that never learned anything; with agreement 0 it has no say."""
    return keras.Sequential([keras.Input((6, 6, channels)), keras.layers.Flatten(), keras.layers.Dense(2)])


def train(gan: Gan, log: RunLog | None = None, state: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    return train_gan(gan, patches(gan.shape[2]), lambda images, labels: 0.0, 0, log=log or RunLog(), state=state)


def below(images: np.ndarray) -> np.ndarray:
    """How much brighter the lower half is, float (n,)."""
    return images[:, 3:].mean((1, 2, 3)) - images[:, :3].mean((1, 2, 3))


def test_images_get_the_label_that_they_were_made_for() -> None:
    gan = Gan(patches(3), judge(3), PARAMS.model_copy(update={"epochs": {"default": 160}}), 0)
    asked = np.repeat([0, 1], 50)
    best = iter(range(1000))
    train_gan(gan, patches(3), lambda images, labels: float(next(best)), 0, log=RunLog(), state=None)
    made = gan.generate(asked, 5)
    assert made.shape == (100, 6, 6, 3)
    assert made.dtype == np.float32
    assert 0 <= made.min() <= made.max() <= 1
    assert ((below(made) > 0) == asked).mean() > 0.95
    assert np.abs(below(made)).mean() > 0.4  # the patches differ by 0.7
    np.testing.assert_array_equal(made, gan.generate(asked, 5))
    assert not np.array_equal(made, gan.generate(asked, 6))


def test_the_epoch_that_scores_best_is_kept() -> None:
    params = PARAMS.model_copy(update={"epochs": {"default": 5}})
    seen: list[np.ndarray] = []

    def score(images: np.ndarray, labels: np.ndarray) -> float:
        assert labels.tolist() == [0] * 4 + [1] * 4
        seen.append(images)
        return float(len(seen) == 3)

    gan = Gan(patches(), judge(), params, 0)
    train_gan(gan, patches(), score, 0, log=RunLog(), state=None)
    assert len(seen) == 5
    weights = gan.arrays()
    shorter = Gan(patches(), judge(), params.model_copy(update={"epochs": {"default": 3}}), 0)
    three = iter(range(3))
    train_gan(shorter, patches(), lambda images, labels: float(next(three)), 0, log=RunLog(), state=None)
    for name, values in shorter.arrays().items():
        np.testing.assert_array_equal(values, weights[name], err_msg=name)


def test_the_generator_learns_and_the_cnn_does_not() -> None:
    cnn = judge()
    gan = Gan(patches(), cnn, PARAMS.model_copy(update={"epochs": {"default": 1}, "agreement": 1.0}), 0)
    told, named = gan.generator.get_weights(), cnn.get_weights()
    train(gan)
    assert all(not np.array_equal(a, b) for a, b in zip(told, gan.generator.get_weights(), strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(named, cnn.get_weights(), strict=True))


def test_agreement_pulls_images_to_where_the_cnn_names_them() -> None:
    """This CNN calls dark images class 1, which no real image is: with its say, class 1 gets darker."""
    cnn = judge()
    cnn.layers[-1].set_weights([np.tile([[0.5, -0.5]], (36, 1)), np.array([-5.0, 5.0])])

    def brightness(agreement: float) -> float:
        gan = Gan(patches(), cnn, PARAMS.model_copy(update={"epochs": {"default": 10}, "agreement": agreement}), 0)
        rising = iter(range(100))
        train_gan(gan, patches(), lambda images, labels: float(next(rising)), 0, log=RunLog(), state=None)
        return float(gan.generate(np.ones(50, np.int64), 0).mean())

    assert brightness(5.0) < brightness(0.0) - 0.05


class Killed(Exception):
    """Stands for SIGKILL."""


def test_resumed_training_gives_the_same_weights(tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"epochs": {"default": 4}})
    whole = Gan(patches(), judge(), params, 0)
    train(whole)

    class Stopping(RunLog):
        def metrics(self, step: int, **values: float) -> None:
            if step == 3:
                raise Killed
            super().metrics(step, **values)

    path = tmp_path / "checkpoint.npz"
    with pytest.raises(Killed):
        train(Gan(patches(), judge(), params, 0), Stopping(checkpoint=path, checkpoint_seconds=0))
    log = RunLog(checkpoint=path)
    resumed = Gan(patches(), judge(), params, 0)
    train(resumed, log, part_of(log.resume() or {}, "gan"))
    assert [row["step"] for row in log.history] == [1, 2, 3, 4]
    for name, values in whole.arrays().items():
        np.testing.assert_array_equal(values, resumed.arrays()[name], err_msg=name)


def test_picture_lays_images_out_by_rows() -> None:
    images = np.arange(6, dtype=np.float32).reshape(6, 1, 1, 1) / 255
    assert picture(images, 3)[..., 0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert picture(np.zeros((4, 2, 3, 3), np.float32), 2).shape == (4, 6, 3)
