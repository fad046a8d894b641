"""Images moved through a last layer in closed form: its mathematics, what moves and what stays, a run that goes on."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from stopping import Stop, StoppingLog

from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog
from condensation.pytorch import feature_regression, precision
from condensation.pytorch.feature_regression import Regression, RegressionParams, last_layer, real_features
from condensation.pytorch.living_pool import LivingPool
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.synthetic import Initialisation, Scale, Storage, initialise

SMALL = {
    "network": {"width": 8, "depth": 2},
    "networks": 2,
    "lifetime": 6,
    "network_learning_rate": 0.01,
    "batch_train": 8,
    "trained": 2,
    "batch_pictures": 1000,
    "batch_real": 30,
    "penalties": [0.01],
    "precision": "float32",
    "image_learning_rate": 0.1,
}


def regression(
    train: ImageSet, count: int = 1, fixed: int = 0, start: Initialisation = "real", steps: int = 6, **changes: Any
) -> Regression:
    scale = Scale.of(train)
    images = initialise(start, train, images_per_class=3, seed=1, scale=scale, pictures_per_image=count)
    params = RegressionParams.model_validate(SMALL | changes)
    return Regression(train, images, Storage(count, scale), params, seed=5, steps=steps, fixed=fixed)


@pytest.mark.parametrize("n", [4, 30])
def test_the_last_layer_is_that_of_scikit_learn(n: int) -> None:
    """With fewer rows than columns, and with more."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, 9)), rng.standard_normal((n, 2))
    found = last_layer(torch.from_numpy(x), torch.from_numpy(y), 0.3)
    np.testing.assert_allclose(found, Ridge(alpha=0.3 * n, fit_intercept=False).fit(x, y).coef_.T, rtol=1e-9)


def test_a_step_follows_the_slope_of_the_error_in_the_pixels(train: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """By finite differences along a direction of the stored pixels of four pictures an image; a smooth network."""
    smooth = {"width": 8, "depth": 1, "activation": "swish"}
    own, kept = regression(train, count=4, network=smooth), list[torch.Tensor]()
    monkeypatch.setattr(own, "_move", lambda rows, gradient: kept.append(gradient))
    start, pool = own.images.clone(), own._pool.state()
    with torch.no_grad():
        along = torch.randn(start.shape, generator=torch.Generator().manual_seed(0))

    def error(shift: float) -> float:
        own._pool.restore(pool)
        own.done, own.penalty = 0, 0.01
        own.images = start + shift * along
        return own.step()[0]

    error(0.0)
    size = 1e-3
    assert (error(size) - error(-size)) / (2 * size) == pytest.approx(float((kept[0] * along).sum()), rel=1e-2)


def test_the_error_falls_and_is_logged(train: ImageSet) -> None:
    log = RunLog()
    regression(train, start="noise", steps=101, lifetime=40).run(log)
    assert [row["step"] for row in log.history] == list(range(0, 101, 10))
    errors = [row["real_error"] for row in log.history]
    assert np.mean(errors[-3:]) < 0.8 * np.mean(errors[:2])


def test_the_penalty_is_the_smallest_under_which_the_pool_predicts_nearly_best(
    train: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    penalties = [100.0, 1e-2, 1e-3, 1e-4, 1e-8]
    own, errors = regression(train, penalties=penalties, networks=3), dict[float, float]()
    error = own._error

    def told(*given: Any) -> tuple[torch.Tensor, float]:
        found = error(*given)
        errors[given[-1]] = errors.get(given[-1], 0.0) + float(found[0])
        return found

    monkeypatch.setattr(own, "_error", told)
    chosen = own._best_penalty()
    least = min(errors.values())
    assert list(errors) == penalties
    assert errors[chosen] <= feature_regression.NEARLY * least
    assert all(error > feature_regression.NEARLY * least for penalty, error in errors.items() if penalty < chosen)
    assert errors[100.0] > 1.05 * least
    monkeypatch.setattr(feature_regression, "NEARLY", 100.0)
    assert own._best_penalty() == 1e-8


def test_the_penalty_is_chosen_once(train: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    own = regression(train, penalties=[0.1, 0.01])
    monkeypatch.setattr(own, "_best_penalty", lambda: 0.1)
    own.run(RunLog())
    assert own.penalty == 0.1
    again = regression(train, penalties=[0.1, 0.01])
    monkeypatch.setattr(again, "_best_penalty", lambda: pytest.fail("it is known"))
    again.restore(own.state())
    again.run(RunLog())
    assert again.penalty == 0.1


def test_the_first_images_of_each_class_stay_where_that_is_asked_for(train: ImageSet) -> None:
    own = regression(train, fixed=2)
    start = own.images.clone()
    still = (own.run(RunLog()) == start).flatten(1).all(1)
    assert still.tolist() == [True, True, False] * 3


def test_a_step_takes_as_many_images_as_its_pictures_allow(train: ImageSet) -> None:
    for most, per_class in ((1000, 3), (24, 2), (23, 1), (1, 1)):
        own = regression(train, count=4, batch_pictures=most)
        own.penalty = 0.01
        start = own.images.clone()
        own.step()
        changed = (own.images != start).flatten(1).any(1)
        assert changed.view(3, 3).sum(1).tolist() == [per_class] * 3


def test_networks_are_of_all_ages_before_the_first_step_and_learn_the_pictures(train: ImageSet) -> None:
    own = regression(train, networks=3, lifetime=60, steps=1)
    own.run(RunLog())
    used = [(member.life, member.age) for member in own._pool.members]
    assert sorted(age for _, age in used) in ([2, 20, 40], [0, 22, 40], [0, 20, 42])
    oldest = own._pool.members[0].network
    read = own._storage.read(own.images)
    named = oldest(read).argmax(1) == torch.arange(3).repeat_interleave(3)
    assert named.float().mean() > 0.8


def test_pictures_keep_the_label_of_their_image_in_training(train: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    own, seen = regression(train, count=4), list[tuple[torch.Tensor, torch.Tensor]]()
    monkeypatch.setattr(LivingPool, "train", lambda self, number, images, labels: seen.append((images, labels)))
    monkeypatch.setattr(feature_regression, "light_affine", lambda images, generator: images)
    own._teach(0, 5)
    read = own._storage.read(own.images)
    assert len(seen) == 5
    for images, labels in seen:
        assert len(images) == 8
        for image, label in zip(images, labels, strict=True):
            assert (read - image).abs().amax((1, 2, 3)).argmin() // 12 == label


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("saves", [1, 3, 5])
def test_a_stopped_run_goes_on_to_the_same_images(train: ImageSet, tmp_path: Any, saves: int, norm: str) -> None:
    """One save in lies before the networks have their ages, three and five among the steps."""
    changes = {"network": {**SMALL["network"], "norm": norm}, "count": 4, "batch_pictures": 24}
    changes |= {"penalties": [1e-4, 0.01]}
    whole = regression(train, **changes).run(RunLog())
    with pytest.raises(Stop):
        regression(train, **changes).run(StoppingLog(tmp_path / "c.npz", saves))
    again, log = regression(train, **changes), RunLog(checkpoint=tmp_path / "c.npz")
    again.restore(log.resume() or {})
    assert torch.equal(again.run(log), whole)


def test_the_images_do_not_depend_on_the_number_of_cores(train: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_regression, "TOGETHER", 4)
    changes = {"count": 4, "lifetime": 4, "precision": "bfloat16"}
    many = regression(train, **changes).run(RunLog())
    cores = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if cores > 1 else 2)
        assert torch.equal(regression(train, **changes).run(RunLog()), many)
    finally:
        torch.set_num_threads(cores)


def test_real_features_do_not_depend_on_chunks(monkeypatch):
    network, x = build(NetworkSpec(width=8, depth=2), image_shape=(8, 8, 1), classes=2, seed=0), torch.randn(7, 1, 8, 8)
    monkeypatch.setattr(feature_regression, "CHUNK_PIXELS", 2 * 64)
    found = real_features(network, x, "float32")
    assert not found.requires_grad
    torch.testing.assert_close(found, network.features(x).detach(), rtol=1e-5, atol=1e-6)


def test_real_features_are_rounded_where_that_is_asked_for(monkeypatch):
    monkeypatch.setattr(precision, "available", lambda wanted, device: wanted)  # here, too, if slowly
    network, x = build(NetworkSpec(width=8, depth=2), image_shape=(8, 8, 1), classes=2, seed=0), torch.randn(7, 1, 8, 8)
    plain, rounded = (real_features(network, x, wanted) for wanted in ("float32", "bfloat16"))
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - plain).norm() < 0.02 * plain.norm()
