"""Augmentations against cases whose result can be written down."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from condensation.core.errors import InputError
from condensation.pytorch import augment
from condensation.pytorch.augment import OPERATIONS, draw, draw_each, light_affine

ALL = "colour_crop_cutout_flip_scale_rotate"


def source(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(n: int = 3, c: int = 3, h: int = 6, w: int = 6, seed: int = 0) -> Tensor:
    return torch.rand(n, c, h, w, generator=source(seed), dtype=torch.float64)


@pytest.mark.parametrize("quarters", [1, 2, 3, 4])
def test_rotation_by_quarters(quarters):
    images = noise()
    expected = np.rot90(images.numpy(), quarters, axes=(2, 3)).copy()
    np.testing.assert_allclose(augment.rotate(images, 90 * quarters).numpy(), expected, atol=1e-12)


def test_half_turn_of_an_odd_oblong():
    images = noise(h=5, w=8)
    np.testing.assert_allclose(augment.rotate(images, 180).numpy(), images.flip(2, 3).numpy(), atol=1e-12)


def test_affine_agrees_with_grid_sample():
    images = noise(h=7, w=7)
    matrix = ((0.9, 0.3), (-0.2, 1.1))
    theta = torch.tensor([[1.1, -0.2, 0], [0.3, 0.9, 0]], dtype=torch.float64).expand(3, 2, 3)
    grid = torch.nn.functional.affine_grid(theta, list(images.shape), align_corners=False)
    expected = torch.nn.functional.grid_sample(images, grid, align_corners=False)
    torch.testing.assert_close(augment.affine(images, matrix), expected)


def test_scaling_by_one_half_averages_four_pixels():
    images = noise(h=4, w=4)
    scaled = augment.affine(images, ((2.0, 0.0), (0.0, 2.0)))
    torch.testing.assert_close(scaled[:, :, 1, 1], images[:, :, :2, :2].mean((2, 3)))
    assert scaled[:, :, 0].abs().max() == 0


def test_identity_and_flip():
    images = noise()
    torch.testing.assert_close(augment.affine(images, ((1.0, 0.0), (0.0, 1.0))), images)
    assert torch.equal(augment.flip(images)[..., 0], images[..., 5])


def test_shift_by_whole_pixels():
    images = noise()
    moved = augment.shift(images, down=2, right=-1)
    assert torch.equal(moved[:, :, 2:, :5], images[:, :, :4, 1:])
    assert moved[:, :, :2].abs().max() == moved[:, :, :, 5].abs().max() == 0


def test_cutout_clips_at_the_border():
    images = noise() + 1
    cut = augment.cutout(images, top=-2, left=4, high=3, wide=3)
    gone = torch.zeros(6, 6, dtype=torch.bool)
    gone[0, 4:] = True
    assert torch.equal(cut == 0, gone.expand(3, 3, 6, 6))
    assert torch.equal(augment.cutout(images, top=-5, left=0, high=3, wide=3), images)


def test_colour():
    images = noise()
    torch.testing.assert_close(augment.brighten(images, 0.25), images + 0.25)
    torch.testing.assert_close(augment.saturate(images, 0.0), images.mean(1, keepdim=True).expand_as(images))
    torch.testing.assert_close(augment.contrast(images, 0.0), images.mean((1, 2, 3), keepdim=True).expand_as(images))
    doubled = augment.contrast(augment.saturate(images, 2.0), 1.0)
    torch.testing.assert_close(doubled, 2 * images - images.mean(1, keepdim=True))


def test_strengths_stay_within_the_published_bounds():
    def matrix(seed, name):
        return draw(name, image_shape=(8, 8, 1), generator=source(seed)).transforms[0].keywords

    for seed in range(200):
        (down, _), (_, right) = matrix(seed, "scale")["matrix"]
        assert 1 / 1.2 <= min(down, right) <= max(down, right) <= 1.2
        assert abs(matrix(seed, "rotate")["degrees"]) <= 15
        assert max(map(abs, matrix(seed, "crop").values())) <= 1
        assert matrix(seed, "cutout")["high"] == 4
    flips = [draw("flip", image_shape=(8, 8, 1), generator=source(s)).transforms == (augment.flip,) for s in range(200)]
    assert 70 < sum(flips) < 130


@pytest.mark.parametrize("name", OPERATIONS)
def test_siamese_each_image_is_treated_alike_in_any_batch(name):
    for seed in range(10):
        augmentation = draw(name, image_shape=(6, 6, 3), generator=source(seed))
        real, synthetic = noise(5), noise(2, seed=1)
        together = augmentation(torch.cat([real, synthetic]))
        torch.testing.assert_close(together[:5], augmentation(real))
        torch.testing.assert_close(together[5:], augmentation(synthetic))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")  # torch's own forward mode
@pytest.mark.parametrize("name", OPERATIONS)
def test_gradient_with_respect_to_the_images(name):
    augmentation = draw(name, image_shape=(4, 4, 3), generator=source(3))
    images = noise(2, 3, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: augmentation(x) ** 2, images, check_forward_ad=True)


def test_single_draws_one_operation_and_all_draws_each():
    seen = {
        draw(ALL, image_shape=(8, 8, 3), generator=source(seed)).transforms[0].__repr__().split(" at ")[0]
        for seed in range(60)
    }
    assert len(seen) >= 6
    every = draw(ALL, image_shape=(8, 8, 3), generator=source(0), mode="all")
    assert len(every.transforms) == 6
    assert draw("none", image_shape=(8, 8, 3), generator=source(0)).transforms == ()


def test_same_generator_same_draw():
    images = noise(2, 3, 8, 8)
    results = [draw(ALL, image_shape=(8, 8, 3), generator=source(s), mode="all")(images) for s in (1, 1, 2)]
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_each_image_has_its_own_parameters_of_one_operation():
    images = noise(6, 3, 8, 8)
    for seed in range(20):
        each = draw_each(ALL, count=6, image_shape=(8, 8, 3), generator=source(seed))
        operations = {transform.transforms[0] for transform in each.transforms}
        kinds = {getattr(one, "func", type(one)) for one in operations if one is not augment.flip}
        assert len(kinds) <= 1, "one operation for all"
        assert len(operations) > 1, "its parameters for each"
        seen = each(images)
        torch.testing.assert_close(seen[3:4], each.transforms[3](images[3:4]))
        torch.testing.assert_close(each.part(slice(2, 5))(images[2:5]), seen[2:5])
    assert torch.equal(draw_each("none", count=6, image_shape=(8, 8, 3), generator=source(0))(images), images)


def test_unknown_operation_is_named():
    with pytest.raises(InputError, match="unknown augmentation 'blur'"):
        draw("flip_blur", image_shape=(8, 8, 3), generator=source(0))


def test_light_affine_moves_each_image_by_its_own_bounded_amount():
    h = 41
    images = torch.zeros(300, 1, h, h)
    images[:, :, 20, 20] = 1
    places = light_affine(images, source(0)).flatten(1).argmax(1)
    row, column = places // h - 20, places % h - 20
    reach = math.ceil(0.1 * h * 1.1 * (math.cos(0.1745) + math.sin(0.1745)) / 0.9)
    assert max(row.abs().max(), column.abs().max()) <= reach
    assert row.float().std() > 1
    assert len(set(places.tolist())) > 30


def test_light_affine_turns_a_long_image_without_shearing_it(monkeypatch):
    monkeypatch.setattr(augment, "STRETCH", 0.0)
    monkeypatch.setattr(augment, "SHIFT", 0.0)
    images = torch.zeros(100, 1, 41, 121)
    images[:, :, 5:36, 60] = images[:, :, 20, 45:76] = 1  # a cross, its arms 15 long
    turned = light_affine(images, source(0))[:, 0]
    lengths = [mask.nonzero().float().sub(torch.tensor([20.0, 60.0])).norm(dim=1).max() for mask in turned > 0.3]
    assert max(lengths) < 16.5


def test_light_affine_keeps_a_flat_image_flat():
    images = torch.full((4, 1, 9, 9), 0.7)
    torch.testing.assert_close(light_affine(images, source(0)), images)
