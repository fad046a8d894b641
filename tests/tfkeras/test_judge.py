"""The judge in TensorFlow: what its result depends on, and what it does not."""

from pathlib import Path

import numpy as np
import pytest

from condensation.core.errors import InputError
from condensation.core.images import ImageSet
from condensation.core.params import check, read_params, section
from condensation.core.runlog import RunLog
from condensation.tfkeras import judge as judging
from condensation.tfkeras.exchange import targets
from condensation.tfkeras.judge import Protocol, judge, positions

PROTOCOL = check(
    {
        "epochs": 10,
        "min_steps": 40,
        "max_steps": 60,
        "batch_size": 8,
        "learning_rate": 0.003,
        "augment": {"rotation": 5.0, "shift": 0.05, "flip": {"default": False}},
        "networks": 2,
        "network": {"name": "evaluation_convnet"},
    },
    Protocol,
    "judge.keras",
)


def bars(per_class: int, seed: int) -> ImageSet:
    """Two classes, bright above and bright below, under noise."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(2), per_class)
    images = rng.integers(0, 120, (len(labels), 8, 8, 1))
    images[labels == 0, :4] += 100
    images[labels == 1, 4:] += 100
    return ImageSet(images.astype(np.uint8), labels, ("above", "below"), "bars")


TRAIN, TEST = bars(6, 0), bars(20, 1)


def verdict(*, labels=TRAIN.labels, soft=None, seeds=(0, 1), log=None):
    return judge(
        TRAIN.pixels(),
        labels,
        soft,
        TEST,
        mean=np.array([0.5]),
        std=np.array([0.5]),
        protocol=PROTOCOL,
        set_seed=7,
        seeds=seeds,
        log=log or RunLog(),
    )


def facts(judgements):
    return [j.model_dump(exclude={"seconds"}) for j in judgements]


def test_the_protocol_of_the_project_is_sound() -> None:
    params = read_params(Path(__file__).parents[2] / "params.yaml")
    found = section(params, "judge.keras", Protocol)
    assert found.augment.flip["mnist"] is False
    check({**params["judge"]["keras"], **params["judge"]["whole"]}, Protocol, "whole")


@pytest.fixture(scope="module")
def whole():
    return verdict()


def test_learns_what_can_be_learned_and_reports_it(whole) -> None:
    assert [(j.set_seed, j.network_seed) for j in whole] == [(7, 0), (7, 1)]
    for judgement in whole:
        assert judgement.accuracy > 90
        assert judgement.accuracy == pytest.approx(np.mean(judgement.accuracy_per_class))
        assert judgement.train_accuracy > 90
        assert judgement.curve[-1] < judgement.curve[0]
        assert len(judgement.curve) == 10


def test_soft_labels_take_the_place_of_labels_and_a_seed_decides_the_rest(whole) -> None:
    same = np.eye(2, dtype=np.float16)[TRAIN.labels][:, None]
    (other,) = verdict(soft=same, labels=1 - TRAIN.labels, seeds=(1,))
    assert (other.accuracy, other.curve) == (whole[1].accuracy, whole[1].curve)
    assert other.train_accuracy < 10  # of the labels that were handed in
    assert whole[0].curve != whole[1].curve


def test_a_killed_judgement_goes_on_to_the_same_numbers(whole, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(judging, "STEPS_A_CALL", 15)

    class Killed(Exception):
        pass

    class Stopping(RunLog):
        def progress(self, done, total, note=""):
            if done >= self.stop:
                raise Killed

    log = Stopping(checkpoint=tmp_path / "checkpoint.npz", checkpoint_seconds=0)
    log.stop = 75  # of 80 steps: within the second network
    with pytest.raises(Killed):
        verdict(log=log)
    assert facts(verdict(log=RunLog(checkpoint=tmp_path / "checkpoint.npz"))) == facts(whole)


def test_refuses_a_test_set_of_another_shape() -> None:
    with pytest.raises(InputError, match=r"\(9, 9, 1\), the test set \(8, 8, 1\)"):
        judge(
            np.zeros((2, 9, 9, 1), np.float32),
            np.arange(2),
            None,
            TEST,
            mean=np.array([0.5]),
            std=np.array([0.5]),
            protocol=PROTOCOL,
            set_seed=0,
            seeds=[0],
            log=RunLog(),
        )


def test_steps_go_through_shuffled_passes_of_the_whole_set() -> None:
    stream = positions(5, 4, range(5), seed=3)
    assert stream.shape == (5, 4)
    assert [sorted(part) for part in stream.reshape(4, 5)] == [list(range(5))] * 4
    np.testing.assert_array_equal(np.concatenate([positions(5, 4, range(i, i + 1), seed=3) for i in range(5)]), stream)


def test_targets_are_rows_for_each_picture() -> None:
    labels, soft = np.array([1, 0]), np.array([[[0.25, 0.75], [1, 0]], [[0, 1], [0.5, 0.5]]], np.float16)
    np.testing.assert_array_equal(targets(labels, None, 3, 2), [[0, 1, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(targets(labels, soft, 2, 2), soft.reshape(4, 2))
