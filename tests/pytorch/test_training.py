"""The training loop: schedules, the stream of batches, resuming."""

import numpy as np
import pytest
import torch
from torch import nn

from condensation.core.errors import InputError
from condensation.core.images import ImageSet
from condensation.core.params import check
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.training import Recipe, Training, predict, rate, to_input

RECIPE = Recipe(
    epochs=4,
    min_steps=0,
    max_steps=1000,
    batch_size=8,
    optimizer="adamw",
    learning_rate=0.01,
    momentum=0.9,
    weight_decay=0.01,
    schedule="one_cycle",
    augmentation="affine",
    label_smoothing=0.0,
    precision="float32",
)


def training_on(train: ImageSet, seed: int = 0, **changes) -> Training:
    network = build(NetworkSpec(width=4), image_shape=train.image_shape, classes=train.classes, seed=seed)
    images = to_input(train.pixels(), np.array([0.3]), np.array([0.2]))
    return Training(
        network, images, torch.from_numpy(train.labels), recipe=RECIPE.model_copy(update=changes), seed=seed
    )


def weights(training: Training) -> torch.Tensor:
    return nn.utils.parameters_to_vector(training.network.parameters())


def test_schedules_at_their_corners():
    assert [rate("step_at_half", i, 4) for i in range(4)] == [1, 1, 0.1, 0.1]
    cycle = [rate("one_cycle", i, 100) for i in range(100)]
    assert cycle[25] == 1 == max(cycle)
    assert cycle[0] == pytest.approx(1 / 26)
    assert cycle[62] == pytest.approx((1 + np.cos(np.pi * 37 / 75)) / 2)
    assert 0 < cycle[99] < 0.001


def test_one_sgd_step_against_the_textbook(train):
    training = training_on(
        train, optimizer="sgd", batch_size=100, weight_decay=0.1, schedule="constant", augmentation="none"
    )
    before = weights(training).detach().clone()
    network = build(NetworkSpec(width=4), image_shape=train.image_shape, classes=train.classes, seed=0)
    loss = nn.functional.cross_entropy(network(training.images), training.targets)
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()))])
    next(iter(training))
    torch.testing.assert_close(weights(training), before - 0.01 * (gradient + 0.1 * before))


def test_every_pass_sees_every_image_once(train):
    training = training_on(train, batch_size=10)
    seen = []
    for step in range(18):
        training.step = step
        seen.append(training._indices())
    stream = torch.cat(seen)
    assert len(stream) == 5 * len(train)
    for one_pass in stream.split(len(train)):
        assert sorted(one_pass.tolist()) == list(range(len(train)))
    assert not torch.equal(stream[:36], stream[36:72])


def test_augmentation_is_the_one_asked_for_and_differs_by_step(train):
    def batches(name: str) -> list[torch.Tensor]:
        training = training_on(train, augmentation=name)
        found = []
        for step in range(6):
            training.step = step
            found.append(training._augmented(training.images))
        return found

    plain = training_on(train).images
    assert all(torch.equal(batch, plain) for batch in batches("none"))
    flips = batches("flip")
    flipped = torch.stack([(batch == plain.flip(3)).all((1, 2, 3)) for batch in flips])
    kept = torch.stack([(batch == plain).all((1, 2, 3)) for batch in flips])
    assert (flipped | kept).all()
    assert ((kept.sum(1) > 5) & (flipped.sum(1) > 5)).all(), "each image by its own throw"
    assert not torch.equal(kept[0], kept[1])
    affine = batches("affine")
    assert not torch.equal(affine[0], affine[1])
    assert all(torch.equal(one, two) for one, two in zip(affine, batches("affine"), strict=True))


def test_unknown_augmentation_is_refused():
    with pytest.raises(InputError, match=r"recipe\.augmentation is 'blur'.*allowed: colour, crop"):
        check({**RECIPE.model_dump(), "augmentation": "blur"}, Recipe, "recipe")


def test_number_of_steps_is_bounded(train):
    assert training_on(train, batch_size=10).steps == 15  # 4 passes of 36 images: 14.4 batches
    assert training_on(train, max_steps=5).steps == 5
    assert training_on(train, min_steps=777).steps == 777


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_resumed_training_is_bit_equal(train, optimizer):
    whole = training_on(train, optimizer=optimizer)
    list(whole)
    first = training_on(train, optimizer=optimizer)
    for step in first:
        if step == 7:
            break
    second = training_on(train, optimizer=optimizer)
    second.restore(first.state())
    list(second)
    assert torch.equal(weights(whole), weights(second))
    assert whole.curve == second.curve
    assert len(whole.curve) == 10


def test_seed_changes_the_run(train):
    one, two = training_on(train, 1), training_on(train, 2)
    two.network.load_state_dict(one.network.state_dict())
    list(one), list(two)
    assert not torch.equal(weights(one), weights(two))


def test_input_is_normalised_per_channel():
    images = np.stack([np.full((8, 8), 0.5), np.full((8, 8), 0.25), np.zeros((8, 8))], -1)[None].astype(np.float32)
    ready = to_input(images, np.array([0.5, 0.5, 0.5]), np.array([0.1, 0.25, 0.5]))
    assert ready.shape == (1, 3, 8, 8)
    np.testing.assert_allclose(ready[0, :, 3, 4].numpy(), [0, -1, -1])


def test_predict_does_not_depend_on_the_batch_and_keeps_the_mode(train):
    training = training_on(train)
    a, b = (predict(training.network, training.images, size) for size in (36, 5))
    np.testing.assert_allclose(a, b, atol=1e-5)
    assert training.network.training
