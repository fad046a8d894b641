"""Siamese augmentation in gradient matching: real and synthetic images of a class go through the same transform."""

import numpy as np
import pytest

from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog
from condensation.pytorch.methods import dsa, gradient_matching
from condensation.pytorch.networks import NetworkSpec

POOL = {"runs": 2, "steps": (0, 3), "real_per_class": 8, "batch_size": 6, "learning_rate": 0.05}


def images(names=("cat", "dog")) -> ImageSet:
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 2
    pixels = rng.integers(0, 100, (20, 8, 8, 1)) + 150 * labels[:, None, None, None]
    return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), names, "shades")


def values(**changes: object) -> dict[str, object]:
    network = NetworkSpec(name="convnet", width=8, depth=1)
    loops = {"iterations": 2, "outer_loops": 2, "inner_loops": 1, "initialisation": "real"}
    return {"network": network, **loops, **changes}


def condense(train=None, **changes: object):
    params = dsa.Params.model_validate({"pool_draws": 2, **values(**changes)})
    return dsa.condense(train or images(), images_per_class=2, params=params, seed=1, log=RunLog())


@pytest.mark.parametrize("mode", ["exact", "cached"])
def test_without_operations_it_is_gradient_matching(mode):
    plain = gradient_matching.Params.model_validate(values(mode=mode, pool=POOL))
    want = gradient_matching.condense(images(), images_per_class=2, params=plain, seed=1, log=RunLog())
    if mode == "exact":
        np.testing.assert_array_equal(condense(strategy="none", mode=mode, pool=POOL).images, want.images)
    else:  # one draw, as gradient matching has: more draws take other real images
        got = condense(strategy="none", mode=mode, pool=POOL, pool_draws=1)
        np.testing.assert_array_equal(got.images, want.images)
    assert not np.array_equal(condense(strategy="crop", mode=mode, pool=POOL).images, want.images)


def test_flips_do_nothing_to_digits():
    digits = images(names=("3", "7"))
    np.testing.assert_array_equal(condense(digits, strategy="flip").images, condense(digits, strategy="none").images)


@pytest.mark.parametrize("mode", ["exact", "cached"])
def test_both_sides_go_through_the_same_transform(monkeypatch, mode):
    """Each transform is used on the real and on the synthetic images of its class, never on those of another."""
    seen: dict[tuple[int, int], int] = {}
    drawn = gradient_matching.Task.augmentation

    def recording(self, seed, label):
        transform = drawn(self, seed, label)

        def apply(batch):
            seen[(seed, label)] = seen.get((seed, label), 0) + 1
            return transform(batch)

        return apply

    monkeypatch.setattr(gradient_matching.Task, "augmentation", recording)
    condense(mode=mode, pool={**POOL, "runs": 1, "steps": (0,)}, pool_draws=1, inner_loops=0)
    if mode == "exact":
        assert sorted(seen.values()) == [2] * 8  # two classes, four steps: once real, once synthetic
    else:
        assert sorted(seen.values()) == [5, 5]  # one network, one draw: once real, then four steps


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="unknown augmentation 'twirl'"):
        dsa.Params.model_validate({"pool_draws": 1, **values(strategy="twirl")})
