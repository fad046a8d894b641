"""The teacher: learns, resumes, and says of its images what its network says."""

import numpy as np
import pytest
import torch

from condensation.core.files import read_npz
from condensation.core.runlog import RunLog
from condensation.pytorch.networks import NetworkSpec
from condensation.pytorch.teacher import Teacher, TeacherParams, load_network, normalisation, train_teacher

PARAMS = TeacherParams(
    network=NetworkSpec(width=8, depth=2),
    epochs=20,
    min_steps=0,
    max_steps=45,
    batch_size=16,
    optimizer="adamw",
    learning_rate=0.01,
    momentum=0.9,
    weight_decay=0.01,
    schedule="one_cycle",
    augmentation="none",
    label_smoothing=0.0,
    precision="float32",
)


def teach(train, log=None, seed=0, **changes) -> Teacher:
    return train_teacher(train, params=PARAMS.model_copy(update=changes), seed=seed, log=log or RunLog())


def test_learns_and_tells(train, test, tmp_path):
    teacher = teach(train)
    assert teacher.train_accuracy > 90
    assert teacher.accuracy(test) > 80
    assert teacher.seconds > 0
    assert (teacher.features.dtype, teacher.features.shape) == (np.float16, (len(train), 8 * 2 * 2))
    teacher.save(tmp_path)
    arrays = read_npz(tmp_path / "features.npz")
    assert set(arrays) == {"features", "logits"}
    accuracy = 100 * (arrays["logits"].argmax(1) == train.labels).mean()
    assert accuracy == pytest.approx(teacher.train_accuracy)


def test_features_are_the_averaged_maps_of_the_saved_network(train, tmp_path):
    teacher = teach(train, network=NetworkSpec(width=4, depth=1))
    teacher.save(tmp_path)
    network, mean, std = load_network(tmp_path)
    inputs = torch.from_numpy((train.pixels() - mean) / std).permute(0, 3, 1, 2)
    with torch.no_grad():
        maps = network.features(inputs).view(len(train), 4, 2, 2, 2, 2)
        np.testing.assert_allclose(teacher.features, maps.mean((3, 5)).flatten(1), atol=2e-3)
        np.testing.assert_allclose(teacher.logits, network(inputs), atol=5e-3)


@pytest.mark.parametrize("name", ["mlp", "lenet"])
def test_networks_that_end_in_a_dense_layer_give_that_layer(train, name):
    teacher = teach(train, network=NetworkSpec(name=name), max_steps=1)
    assert teacher.features.shape == (len(train), {"mlp": 128, "lenet": 84}[name])


def test_same_seed_same_bytes_resumed_or_not(train, tmp_path):
    class Interrupted(Exception):
        pass

    class Stopping(RunLog):
        def progress(self, done, total, note=""):
            if done == 20:
                raise Interrupted

    with pytest.raises(Interrupted):
        teach(train, Stopping(checkpoint=tmp_path / "state.npz", checkpoint_seconds=0))
    log = RunLog(checkpoint=tmp_path / "state.npz")
    teach(train, log).save(tmp_path / "resumed")
    whole = RunLog()
    teach(train, whole).save(tmp_path / "whole")
    teach(train, seed=1).save(tmp_path / "other")
    for name in ("teacher.npz", "features.npz"):
        content = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "resumed" / name).read_bytes() == content
        assert (tmp_path / "other" / name).read_bytes() != content
    assert log.history == whole.history
    assert len(whole.history) == 10


def test_normalisation_against_numpy(train):
    mean, std = normalisation(train)
    np.testing.assert_allclose(mean, train.pixels().mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(std, train.pixels().std((0, 1, 2)), rtol=1e-6)
