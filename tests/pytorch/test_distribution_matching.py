"""Distribution matching: the match against a plain loop, both modes, and a run that goes on where it stopped."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from stopping import Stop, StoppingLog

from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog
from condensation.pytorch import feature_matching, precision
from condensation.pytorch.augment import Augmentation
from condensation.pytorch.feature_matching import CachedSteps, RealMeans, Step, match, mean_features
from condensation.pytorch.methods import distribution_matching
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.synthetic import Scale, Storage

POOL = {"runs": 2, "steps": (0, 3), "real_per_class": 8, "batch_size": 6, "learning_rate": 0.05}
ONE = Storage(1, Scale(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)))


def images(n: int = 24, side: int = 8) -> ImageSet:
    """Two classes, a bright left and a bright right half, with noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    pixels = rng.integers(0, 100, (n, side, side, 1))
    pixels[labels == 0, :, : side // 2] += 150
    pixels[labels == 1, :, side // 2 :] += 150
    return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), ("left", "right"), "halves")


def params(**changes: object) -> distribution_matching.Params:
    network = NetworkSpec.model_validate({"name": "convnet", "width": 8, "depth": 2, **changes.pop("network", {})})
    return distribution_matching.Params.model_validate({"network": network, "iterations": 4, **changes})


class Shift:
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x.roll(1, 3) * 1.5


def step(means: torch.Tensor | None = None, transforms: list[Augmentation] | None = None) -> Step:
    network = build(NetworkSpec(width=8, depth=2), image_shape=(8, 8, 1), classes=2, seed=0)
    chosen = transforms or [Augmentation(()), Augmentation(())]
    return Step(network, chosen, torch.zeros(2, 32) if means is None else means)


def test_equal_sets_match_exactly():
    real, network = Scale.of(images()).normalise(images().pixels()), step().network
    labels = images().labels
    parts = [real[labels == label] for label in (0, 1)]
    means = torch.stack([mean_features(network, part, "float32") for part in parts])
    value, moved = match(Step(network, step().transforms, means), torch.cat(parts), ONE)
    assert value == pytest.approx(0, abs=1e-9)
    assert moved.abs().max() < 1e-5
    assert match(Step(network, step().transforms, means.flip(0)), torch.cat(parts), ONE)[0] > 0.01


def test_value_and_gradient_against_a_plain_loop():
    given = step(torch.randn(2, 32), [Augmentation((Shift(),)), Augmentation(())])
    x = torch.randn(4, 1, 8, 8, requires_grad=True)
    want = torch.zeros(())
    for label in range(2):
        seen = given.transforms[label](x[2 * label : 2 * label + 2])
        difference = sum(given.network.features(image[None])[0] for image in seen) / 2 - given.means[label]
        want = want + (difference * difference).sum()
    want.backward()
    value, moved = match(given, x.detach(), ONE)
    assert value == pytest.approx(want.item(), rel=1e-5)
    torch.testing.assert_close(moved, x.grad, rtol=1e-4, atol=1e-7)


def test_both_sides_are_rounded_where_that_is_asked_for(monkeypatch):
    monkeypatch.setattr(precision, "available", lambda wanted, device: wanted)  # here, too, if slowly
    x, network = Scale.of(images()).normalise(images().pixels()), step().network
    plain, rounded = (RealMeans(images(), NetworkSpec(width=8, depth=2), "none", p) for p in ("float32", "bfloat16"))
    steps = [real.step(network, None, 0) for real in (plain, rounded)]
    assert steps[0].means.dtype == steps[1].means.dtype == torch.float32
    assert 0 < (steps[1].means - steps[0].means).norm() < 0.02 * steps[0].means.norm()
    noise = torch.randn((6, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    noisy, same = x[:6] + noise, replace(steps[0], precision="bfloat16")
    moved = [match(each, noisy, ONE)[1] for each in (steps[0], same)]
    assert 0 < (moved[1] - moved[0]).norm() < 0.1 * moved[0].norm()


def test_mean_features_do_not_depend_on_chunks(monkeypatch):
    network, x = step().network, torch.randn(7, 1, 8, 8)
    whole = mean_features(network, x, "float32")
    monkeypatch.setattr(feature_matching, "CHUNK_PIXELS", 2 * 64)
    torch.testing.assert_close(mean_features(network, x, "float32"), whole, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(whole, network.features(x).mean(0).detach(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("mode", ["exact", "cached"])
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_a_stopped_run_resumes_to_the_same_bytes(tmp_path, mode, norm):
    chosen = params(mode=mode, pool=POOL, pool_draws=2, network={"norm": norm}, pictures_per_image=4)
    request = {"images_per_class": 2, "params": chosen, "seed": 5}
    whole = distribution_matching.condense(images(), **request, log=RunLog())
    with pytest.raises(Stop):
        distribution_matching.condense(images(), **request, log=StoppingLog(tmp_path / "c.npz", after=2))
    again = distribution_matching.condense(images(), **request, log=RunLog(checkpoint=tmp_path / "c.npz"))
    assert again.to_bytes() == whole.to_bytes()
    assert whole.provenance.pictures_per_image == 4


@pytest.mark.parametrize("mode", ["exact", "cached"])
def test_the_distance_falls(mode):
    log = RunLog()
    chosen = params(mode=mode, pool=POOL, initialisation="noise", iterations=31, strategy="none")
    distribution_matching.condense(images(), images_per_class=1, params=chosen, seed=0, log=log)
    values = [row["match_distance"] for row in log.history]
    assert values[-1] < 0.5 * values[0]


def test_cached_targets_are_the_means_of_the_real_images():
    chosen = params(mode="cached", pool={**POOL, "real_per_class": None})
    cached = CachedSteps(RealMeans(images(), chosen.network, "none", "float32"), chosen.pool, 1, 3, RunLog())
    real, labels = Scale.of(images()).normalise(images().pixels()), images().labels
    steps = [cached.step(iteration) for iteration in range(40)]
    assert len({id(each.network) for each in steps}) == 4
    for each in steps:
        assert not each.network.training
        want = torch.stack([each.network.features(real[labels == label]).mean(0) for label in (0, 1)])
        torch.testing.assert_close(each.means, want.detach(), rtol=1e-4, atol=1e-6)


def test_cached_mode_without_a_pool_is_refused():
    with pytest.raises(ValueError, match="needs a pool"):
        params(mode="cached")
    with pytest.raises(ValueError, match="unknown augmentation 'twirl'"):
        params(strategy="crop_twirl")
