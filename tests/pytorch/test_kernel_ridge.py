"""Kernel ridge regression as a method: what it minimises, what it stores, its pool, and a run that was stopped."""

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from stopping import Stop, StoppingLog

from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog
from condensation.pytorch.kernels import fully_connected, linear
from condensation.pytorch.methods import kernel_ridge
from condensation.pytorch.methods.kernel_ridge import Learning, pool_of
from condensation.pytorch.networks import NetworkSpec

KERNELS = ("ntk", "nngp", "features")


def params(**changes: object) -> kernel_ridge.Params:
    network = NetworkSpec.model_validate({"width": 8, "depth": 2, **changes.pop("network", {})})
    small = {"networks": 2, "lifetime": 3, "iterations": 4, "network_learning_rate": 0.01}
    rates = {"image_learning_rate": 0.05, "label_learning_rate": 0.05}
    return kernel_ridge.Params.model_validate({"network": network, **small, **rates, **changes})


def make(train: ImageSet, log: RunLog | None = None, **changes: object) -> CondensedDataset:
    return kernel_ridge.condense(train, images_per_class=2, params=params(**changes), seed=5, log=log or RunLog())


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_error_is_that_of_scikit_learns_regression(train, kernel):
    learning = Learning(train, 2, params(kernel=kernel, networks=1, jitter=0.01), seed=5)
    real, labels = learning.scale.normalise(train.pixels()), torch.from_numpy(train.labels)
    if kernel == "features":
        network = learning.pool.members[0].network
        x, y = (network.features(part).detach() for part in (learning.images, real))
        own, cross = linear(x, x), linear(y, x)
    else:
        x, y = learning.images.flatten(1), real.flatten(1)
        own, cross = (fully_connected(kernel, part, x, depth=3) for part in (x, y))
    one_hot = np.eye(3) - 1 / 3
    judge = KernelRidge(alpha=0.01 * float(own.diagonal().mean()), kernel="precomputed")
    judge.fit(own.numpy(), learning.targets().double().numpy() - 1 / 3)
    predicted = judge.predict(cross.numpy())
    loss, accuracy, solved = learning.step()
    assert loss == pytest.approx(0.5 * np.mean(np.sum((predicted - one_hot[train.labels]) ** 2, 1)), rel=1e-4)
    assert accuracy == pytest.approx(100 * np.mean(predicted.argmax(1) == labels.numpy()))
    assert solved.jitter == 0.01


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("augmentation", ["none", "affine"])
def test_the_error_falls_and_the_solve_is_reported(train, kernel, augmentation):
    log = RunLog()
    chosen = {"initialisation": "noise", "augmentation": augmentation, "image_learning_rate": 0.15}
    make(train, log, kernel=kernel, iterations=81, **chosen)
    first, *_, before, last = log.history
    assert (before["loss"] + last["loss"]) / 2 < (0.9 if kernel == "features" else 0.7) * first["loss"]
    assert last["jitter"] >= 1e-6
    assert last["condition"] > 1


def test_learned_labels_are_the_probabilities_that_are_stored(train):
    still, moved = (make(train, iterations=20, label_learning_rate=rate) for rate in (1e-9, 0.1))
    start = torch.softmax(5.0 * torch.eye(3), 1).repeat_interleave(2, 0).numpy()
    np.testing.assert_allclose(still.soft_labels[:, 0], start, atol=1e-3)
    assert np.abs(moved.soft_labels[:, 0] - start).max() > 0.02
    assert moved.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert moved.provenance.label_kind == "soft"


def test_hard_labels_stay_as_they_are(train):
    made = make(train, labels="hard")
    assert made.soft_labels is None
    assert made.provenance.label_kind == "hard"


def test_networks_are_trained_on_the_set_and_replaced_at_staggered_ends(train):
    chosen = params(networks=2, lifetime=4)
    pool = pool_of(train, chosen, 0)
    x, targets = torch.randn(3, 1, 8, 8), torch.eye(3)
    ages = []
    for _ in range(7):
        for number in (0, 1):
            pool.train(number, x, targets)
        ages.append([(member.life, member.age) for member in pool.members])
    assert [age[0] for age in ages] == [(0, 1), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)]
    assert [age[1] for age in ages] == [(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3)]


def test_a_network_learns_the_set_while_it_lives(train):
    pool = pool_of(train, params(lifetime=50), 0)
    x, targets = torch.randn(3, 1, 8, 8), torch.eye(3)
    fresh = [member.network.state_dict()["classifier.weight"].clone() for member in pool.members]
    for _ in range(40):
        pool.train(1, x, targets)
    assert pool.members[1].network(x).argmax(1).tolist() == [0, 1, 2]
    assert torch.equal(pool.members[0].network.classifier.weight, fresh[0])
    assert not torch.equal(*fresh)


@pytest.mark.parametrize("kernel", ["ntk", "features"])
@pytest.mark.parametrize("labels", ["hard", "learned"])
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_a_stopped_run_resumes_to_the_same_bytes(train, tmp_path, kernel, labels, norm):
    changes = {"kernel": kernel, "labels": labels, "network": {"norm": norm}, "iterations": 6, "augmentation": "affine"}
    whole = make(train, **changes)
    with pytest.raises(Stop):
        make(train, StoppingLog(tmp_path / "c.npz", after=3), **changes)
    assert make(train, RunLog(checkpoint=tmp_path / "c.npz"), **changes).to_bytes() == whole.to_bytes()
