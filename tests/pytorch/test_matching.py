"""The mathematics of matching against independent references: numpy, finite differences, an explicit Hessian."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import condensation.pytorch.precision as precision_module
from condensation.pytorch.augment import draw
from condensation.pytorch.matching import (
    Target,
    direction,
    distance,
    freeze_statistics,
    hessian_vector,
    match,
    matchable,
    matched_weights,
    real_target,
    siamese,
)
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.synthetic import Scale, Storage

SMOOTH = {"activation": "sigmoid", "width": 4}


def network(shape=(8, 8, 1), classes=3, seed=0, **spec) -> nn.Module:
    return build(NetworkSpec(**spec), image_shape=shape, classes=classes, seed=seed).double()


def images(n, shape=(8, 8, 1), seed=0) -> torch.Tensor:
    h, w, c = shape
    return torch.randn(n, c, h, w, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradients(seed) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=rng, dtype=torch.float64) for shape in [(4, 2, 3, 3), (3, 5), (2, 7)]]


def by_hand(kind, real, synthetic) -> float:
    total = 0.0
    a, b = (np.concatenate([g.numpy().ravel() for g in x]) for x in (real, synthetic))
    if kind == "mse":
        return float(((a - b) ** 2).sum())
    if kind == "cosine":
        return float(1 - a @ b / (np.sqrt(a @ a) * np.sqrt(b @ b) + 1e-6))
    for x, y in zip(real, synthetic, strict=True):
        for u, v in zip(x.numpy().reshape(len(x), -1), y.numpy().reshape(len(y), -1), strict=True):
            total += 1 - u @ v / (np.sqrt(u @ u) * np.sqrt(v @ v) + 1e-6)
    return float(total)


@pytest.mark.parametrize("kind", ["paper", "mse", "cosine"])
def test_distance_by_hand(kind):
    real, synthetic = gradients(0), gradients(1)
    assert distance(kind, real, synthetic).item() == pytest.approx(by_hand(kind, real, synthetic), rel=1e-12)
    assert distance(kind, real, real).item() == pytest.approx(0, abs=1e-5)


def test_the_papers_distance_ignores_the_length_of_each_unit():
    real, synthetic = gradients(0), gradients(1)
    scaled = [g * torch.rand(len(g), dtype=torch.float64).add(0.5).view(-1, *[1] * (g.ndim - 1)) for g in synthetic]
    assert distance("paper", real, scaled).item() == pytest.approx(distance("paper", real, synthetic).item(), rel=1e-5)


@pytest.mark.parametrize(
    ("spec", "kept"),
    [
        ({"name": "convnet", "width": 4}, ["body.0.weight", "body.4.weight", "body.8.weight", "classifier.weight"]),
        ({"name": "mlp", "width": 4}, ["body.1.weight", "body.3.weight", "classifier.weight"]),
    ],
)
def test_biases_and_norms_are_not_matched(spec, kept):
    model = network((28, 28, 1), **spec)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert [names[id(weight)] for weight in matched_weights(model)] == kept


def test_real_gradients_do_not_depend_on_chunks(monkeypatch):
    model, real = network(name="convnet", width=4, depth=2), images(7)
    want = torch.autograd.grad(functional.cross_entropy(model(real), torch.full((7,), 1)), matched_weights(model))
    monkeypatch.setattr("condensation.pytorch.matching.CHUNK_PIXELS", 2 * 64)
    got = real_target(model, real, 1).gradient
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-14)


def numeric(value, x, along, step=1e-6) -> float:
    return (value(x + step * along) - value(x - step * along)) / (2 * step)


@pytest.mark.parametrize("kind", ["paper", "mse", "cosine"])
@pytest.mark.parametrize("curvature_weight", [0.0, 0.7])
@pytest.mark.parametrize(
    "spec",
    [
        {"name": "convnet", "depth": 2, **SMOOTH},
        {"name": "convnet", "depth": 1, **SMOOTH, "norm": "batch"},
        {"name": "mlp", **SMOOTH},
        {"name": "lenet", "activation": "sigmoid", "pooling": "average"},
    ],
    ids=lambda spec: spec["name"] + spec.get("norm", ""),
)
def test_the_gradient_for_the_images_against_finite_differences(kind, curvature_weight, spec):
    model = network(**spec)
    freeze_statistics(model, images(12, seed=5))
    target = real_target(model, images(5, seed=1), 2, curvature=curvature_weight > 0)

    def value(x):
        return match(model, target, x, 2, kind=kind, curvature_weight=curvature_weight)[0]

    x, along = images(2, seed=2), images(2, seed=3)
    moved = match(model, target, x, 2, kind=kind, curvature_weight=curvature_weight)[1]
    assert (moved * along).sum().item() == pytest.approx(numeric(value, x, along), rel=2e-5, abs=1e-9)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3)])
def test_float32_agrees_with_double_backward_through_the_modules(shape):
    model = build(NetworkSpec(), image_shape=shape, classes=10, seed=1).eval()
    h, w, c = shape
    draws = torch.Generator().manual_seed(0)
    real, x = torch.randn(20, c, h, w, generator=draws), torch.randn(3, c, h, w, generator=draws).requires_grad_()
    weights, labels = matched_weights(model), torch.full((20,), 4)
    wanted = torch.autograd.grad(functional.cross_entropy(model(real), labels), weights)
    given = torch.autograd.grad(functional.cross_entropy(model(x), labels[:3]), weights, create_graph=True)
    loss = distance("paper", wanted, given)
    value, moved = match(model, real_target(model, real, 4), x.detach(), 4, kind="paper")
    assert value == pytest.approx(loss.item(), rel=1e-4)
    double_backward = torch.autograd.grad(loss, x)[0]
    assert functional.cosine_similarity(moved.flatten(), double_backward.flatten(), dim=0).item() > 0.999


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3)])
def test_real_gradients_in_bfloat16_move_images_the_same_way(shape, monkeypatch):
    monkeypatch.setattr(precision_module, "available", lambda precision, device: precision)  # here, too, if slowly
    model, draws = build(NetworkSpec(), image_shape=shape, classes=10, seed=1).eval(), torch.Generator().manual_seed(0)
    h, w, c = shape
    alike = torch.randn(1, c, 8, 8, generator=draws)  # as the images of a class are
    real, x = (
        functional.interpolate(alike + 0.5 * torch.randn(n, c, 8, 8, generator=draws), (h, w), mode="bilinear")
        for n in (70, 3)
    )
    rounded, plain = (real_target(model, real, 4, precision=precision) for precision in ("bfloat16", "float32"))
    assert all(gradient.dtype == torch.float32 for gradient in rounded.gradient)
    assert not torch.equal(rounded.gradient[0], plain.gradient[0])
    moved, expected = (match(model, target, x, 4, kind="paper")[1].flatten() for target in (rounded, plain))
    assert functional.cosine_similarity(moved, expected, dim=0).item() > 0.999


def test_the_gradient_goes_through_augmentation_and_tiles():
    model = network(name="convnet", depth=2, **SMOOTH)
    transform = draw(
        "colour_scale_rotate", image_shape=(8, 8, 1), generator=torch.Generator().manual_seed(1), mode="all"
    )

    storage = Storage(4, Scale(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)))

    def view(x):
        return transform(storage.read(x))

    target = real_target(model, transform(images(5, seed=1)), 2)
    x, along = images(2, seed=2), images(2, seed=3)
    moved = match(model, target, x, 2, kind="paper", view=view)[1]
    want = numeric(lambda z: match(model, target, z, 2, kind="paper", view=view)[0], x, along)
    assert (moved * along).sum().item() == pytest.approx(want, rel=2e-5)
    plain = match(model, target, x, 2, kind="paper")[1]
    assert not torch.allclose(moved, plain)


def tiny_mlp():
    """Three inputs, two hidden units, two classes: 10 weights, and the loss as a function of them in one vector."""
    x = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]], dtype=torch.float64)
    y = torch.tensor([0, 1])

    def loss(flat):
        first, second = flat[:6].view(2, 3), flat[6:].view(2, 2)
        return functional.cross_entropy(torch.tanh(x @ first.T) @ second.T, y)

    start = torch.linspace(-1, 1, 10, dtype=torch.float64)
    return loss, start


def test_hessian_vector_product_against_the_explicit_hessian():
    loss, flat = tiny_mlp()
    hessian = torch.autograd.functional.hessian(loss, flat)
    weights = [flat[:6].clone().requires_grad_(), flat[6:].clone().requires_grad_()]
    along = torch.linspace(3, -2, 10, dtype=torch.float64)
    gradient = torch.autograd.grad(loss(torch.cat(weights)), weights, create_graph=True)
    product = torch.cat(hessian_vector(gradient, weights, [along[:6], along[6:]]))
    torch.testing.assert_close(product, hessian @ along, rtol=1e-10, atol=1e-12)


def test_curvature_of_real_data_is_the_change_of_its_gradient(monkeypatch):
    """H v against (g(w + e v) - g(w - e v)) / 2e, with the real images in several chunks."""
    monkeypatch.setattr("condensation.pytorch.matching.CHUNK_PIXELS", 2 * 64)
    model, real = network(name="convnet", depth=2, **SMOOTH), images(5)
    target = real_target(model, real, 1, curvature=True)
    along, weights, step = direction(target.gradient), matched_weights(model), 1e-5

    def shifted(amount):
        with torch.no_grad():
            torch._foreach_add_(weights, along, alpha=amount)
        gradient = real_target(model, real, 1).gradient
        with torch.no_grad():
            torch._foreach_add_(weights, along, alpha=-amount)
        return gradient

    for got, up, down in zip(target.curvature, shifted(step), shifted(-step), strict=True):
        torch.testing.assert_close(got, (up - down) / (2 * step), rtol=1e-4, atol=1e-8)


def test_equal_images_match_in_gradient_and_curvature():
    model, real = network(name="convnet", depth=2, **SMOOTH), images(3)
    target = real_target(model, real, 0, curvature=True)
    value, moved = match(model, target, real, 0, kind="mse", curvature_weight=1.0)
    assert value == pytest.approx(0, abs=1e-18)
    assert moved.abs().max() < 1e-9


@pytest.mark.parametrize("name", ["mlp", "lenet", "convnet", "alexnet", "vgg11", "resnet18"])
@pytest.mark.parametrize("curvature", [False, True])
def test_every_network_can_be_matched(name, curvature):
    model = build(NetworkSpec(name=name, width=8), image_shape=(9, 8, 3), classes=3, seed=0)
    freeze_statistics(model, images(6, (9, 8, 3)).float())
    target = real_target(model, images(3, (9, 8, 3)).float(), 1, curvature=curvature)
    value, moved = match(model, target, images(1, (9, 8, 3), 4).float(), 1, kind="paper", curvature_weight=1.0)
    assert value > 0
    assert torch.isfinite(moved).all()
    assert moved.abs().sum() > 0


def test_frozen_statistics_are_those_of_the_batch():
    model = nn.Sequential(nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2)).double()
    model(images(9, (2, 2, 2), seed=3))
    batch = images(6, (2, 2, 2)) * 3 + 1
    freeze_statistics(model, batch)
    per_channel = batch.permute(1, 0, 2, 3).flatten(1)
    torch.testing.assert_close(model[0].running_mean, per_channel.mean(1))
    torch.testing.assert_close(model[0].running_var, per_channel.var(1))
    before = model[0].running_mean.clone()
    alone, together = model(batch[:1]), model(batch)[:1]
    torch.testing.assert_close(alone, together)  # frozen: an image's output does not depend on its batch
    assert torch.equal(model[0].running_mean, before)
    assert model[0].momentum == 0.1


def test_small_images_get_a_less_deep_convnet():
    deep = NetworkSpec(name="convnet", depth=3)
    assert [matchable(deep, (side, side, 1)).depth for side in (8, 15, 16, 28, 32)] == [2, 2, 3, 3, 3]
    assert matchable(NetworkSpec(name="lenet"), (8, 8, 1)) == NetworkSpec(name="lenet")


def test_flips_are_left_out_for_digits():
    assert siamese("crop_flip_rotate", ("0", "1")) == "crop_rotate"
    assert siamese("crop_flip_rotate", ("cat", "dog")) == "crop_flip_rotate"
    assert siamese("flip", ("0", "1")) == "none"


def test_a_target_without_curvature_ignores_its_weight():
    model = network(name="convnet", depth=2, **SMOOTH)
    target = Target(real_target(model, images(3), 0).gradient)
    one, two = (match(model, target, images(1, seed=1), 0, kind="paper", curvature_weight=w) for w in (0.0, 5.0))
    assert one[0] == two[0]
    assert torch.equal(one[1], two[1])
