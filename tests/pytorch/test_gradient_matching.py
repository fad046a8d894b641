"""Gradient matching as a method: it learns, it resumes to the same bytes, and its loops are the published ones."""

import numpy as np
import pytest
import torch
from stopping import Stop, StoppingLog

from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog
from condensation.pytorch.matching import matched_weights
from condensation.pytorch.methods import gradient_matching
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.synthetic import Scale, initialise

NETWORK = {"name": "convnet", "width": 8, "depth": 1}


def images(n: int = 24, side: int = 8) -> ImageSet:
    """Two classes, a bright left and a bright right half, with noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    pixels = rng.integers(0, 100, (n, side, side, 1))
    pixels[labels == 0, :, : side // 2] += 150
    pixels[labels == 1, :, side // 2 :] += 150
    return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), ("left", "right"), "halves")


def params(**changes: object) -> gradient_matching.Params:
    network = NetworkSpec.model_validate(changes.pop("network", NETWORK))
    return gradient_matching.Params.model_validate({"network": network, "iterations": 3, **changes})


@pytest.mark.parametrize("after", [1, 3, 4])
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_a_run_stopped_between_any_two_outer_steps_resumes_to_the_same_bytes(tmp_path, after, norm):
    chosen = params(iterations=3, outer_loops=2, inner_loops=2, network={**NETWORK, "norm": norm})
    request = {"images_per_class": 2, "params": chosen, "seed": 5}
    whole = gradient_matching.condense(images(), **request, log=RunLog())
    with pytest.raises(Stop):
        gradient_matching.condense(images(), **request, log=StoppingLog(tmp_path / "c.npz", after))
    log = RunLog(checkpoint=tmp_path / "c.npz")
    assert gradient_matching.condense(images(), **request, log=log).to_bytes() == whole.to_bytes()
    assert [row["step"] for row in log.history] == [0, 1, 2]


def test_the_match_distance_falls():
    log = RunLog()
    chosen = params(iterations=12, initialisation="noise", image_learning_rate=0.3)
    gradient_matching.condense(images(), images_per_class=1, params=chosen, seed=0, log=log)
    values = [row["match_distance"] for row in log.history]
    assert np.mean(values[-3:]) < 0.5 * np.mean(values[:3])


def test_published_loops_and_those_between():
    chosen = params()
    for known, (outer, inner) in gradient_matching.PUBLISHED_LOOPS.items():
        assert gradient_matching.loops(known, chosen) == (outer, inner, f"loops {outer} x {inner}")
    assert gradient_matching.loops(15, chosen) == (15, 38, "loops 15 x 38, interpolated")
    assert gradient_matching.loops(200, chosen)[:2] == (50, 10)
    assert gradient_matching.loops(3, params(outer_loops=2, inner_loops=0)) == (2, 0, "loops 2 x 0")
    pool = {"runs": 1, "steps": (0,), "real_per_class": 4, "batch_size": 4, "learning_rate": 0.01}
    cached = params(mode="cached", pool=pool)
    assert gradient_matching.loops(10, cached)[2] == "10 steps each"
    assert gradient_matching.loops(15, cached)[2] == "15 steps each, interpolated"


@pytest.mark.parametrize(("kind", "level"), [("white", 1.0), ("black", 0.0), ("grey", 0.5)])
def test_constant_initialisations_are_that_level_in_pixels(kind, level):
    scale = Scale.of(images())
    start = initialise(kind, images(), images_per_class=1, scale=scale, seed=0)
    np.testing.assert_allclose(scale.pixels(start), level, atol=1e-6)


def test_real_initialisation_takes_distinct_images_of_the_class():
    train, scale = images(), Scale.of(images())
    start = scale.pixels(initialise("real", train, images_per_class=12, scale=scale, seed=0))
    for label in (0, 1):
        got = {image.tobytes() for image in np.round(start[label * 12 : label * 12 + 12] * 255).astype(np.uint8)}
        assert got == {train.images[i].tobytes() for i in train.indices_of(label)}


def test_scale_is_the_mean_and_deviation_of_all_training_pixels():
    train, scale = images(), Scale.of(images())
    pixels = train.pixels().astype(np.float64)
    np.testing.assert_allclose([scale.mean.item(), scale.deviation.item()], [pixels.mean(), pixels.std()], rtol=1e-6)
    np.testing.assert_allclose(scale.pixels(scale.normalise(train.pixels())), train.pixels(), atol=1e-6)


def textbook_iteration(train, start, labels, chosen, seed, outer_loops, inner_loops):
    """Algorithm 1 with plain tools, one class after another: double backward, torch.optim, whole batches."""
    from condensation.core.randomness import derive, generator

    scale = Scale.of(train)
    learned = start.clone().requires_grad_()
    mover = torch.optim.SGD([learned], lr=chosen.image_learning_rate, momentum=chosen.image_momentum)
    network = build(chosen.network, image_shape=train.image_shape, classes=2, seed=derive(seed, "network", 0))
    trainer = torch.optim.SGD(network.parameters(), lr=chosen.network_learning_rate)
    criterion, total = torch.nn.CrossEntropyLoss(), 0.0
    for outer in range(outer_loops):
        step = derive(seed, "step", 0, outer)
        loss = torch.zeros(())
        for label in range(train.classes):
            members = train.indices_of(label)
            picked = generator(step, "real", label).choice(members, min(chosen.batch_real, len(members)), replace=False)
            real = scale.normalise(train.pixels(picked))
            weights = matched_weights(network)
            a = torch.autograd.grad(criterion(network(real), torch.full((len(real),), label)), weights)
            own = learned[labels == label]
            b = torch.autograd.grad(criterion(network(own), labels[labels == label]), weights, create_graph=True)
            for x, y in zip(a, b, strict=True):
                for unit in range(len(x)):
                    u, v = x[unit].flatten(), y[unit].flatten()
                    loss = loss + 1 - (u @ v) / (u.norm() * v.norm() + 1e-6)
        mover.zero_grad()
        loss.backward()
        mover.step()
        total += float(loss.detach())
        for epoch in range(inner_loops if outer + 1 < outer_loops else 0):
            order = torch.from_numpy(generator(step, "order", epoch).permutation(len(learned)))
            for batch in order.split(chosen.batch_train):
                trainer.zero_grad()
                criterion(network(learned.detach()[batch]), labels[batch]).backward()
                trainer.step()
    return learned.detach(), total / (outer_loops * train.classes)


def test_one_iteration_equals_a_straight_slow_loop():
    train = images(40)
    chosen = params(iterations=1, outer_loops=3, inner_loops=2, initialisation="real", batch_real=7, batch_train=3)
    scale, log = Scale.of(train), RunLog()
    start = initialise("real", train, images_per_class=2, scale=scale, seed=4)
    labels = torch.tensor([0, 0, 1, 1])
    want, total = textbook_iteration(train, start, labels, chosen, 4, 3, 2)
    got = gradient_matching.condense(train, images_per_class=2, params=chosen, seed=4, log=log)
    assert np.abs(scale.pixels(want) - scale.pixels(start)).max() > 0.01
    np.testing.assert_allclose(got.images, scale.pixels(want), atol=2e-5)
    assert log.history[0]["match_distance"] == pytest.approx(total, rel=1e-4)


def test_one_image_classes_and_odd_sizes():
    train = ImageSet(
        np.random.default_rng(0).integers(0, 256, (3, 9, 11, 3), np.uint8), np.arange(3), ("a", "b", "c"), "odd"
    )
    result = gradient_matching.condense(train, images_per_class=1, params=params(), seed=0, log=RunLog())
    assert result.images.shape == (3, 9, 11, 3)
