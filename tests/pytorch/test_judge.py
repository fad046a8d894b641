"""The judge: what its result depends on, and what it does not."""

import numpy as np
import pytest
import torch

import condensation.pytorch.judge as judge_module
from condensation.core.errors import InputError
from condensation.core.runlog import RunLog
from condensation.pytorch.judge import Protocol, judge
from condensation.pytorch.networks import NetworkSpec

PROTOCOL = Protocol(
    network=NetworkSpec(width=8, depth=2),
    networks=2,
    epochs=20,
    min_steps=0,
    max_steps=1000,
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
MEAN, STD = np.array([0.3]), np.array([0.2])


def verdict(train, test, *, soft=None, labels=None, seeds=(0, 1), log=None, **changes):
    protocol = PROTOCOL.model_copy(update=changes)
    labels = train.labels if labels is None else labels
    return judge(
        train.pixels(),
        labels,
        soft,
        test,
        mean=MEAN,
        std=STD,
        protocol=protocol,
        set_seed=7,
        seeds=seeds,
        log=log or RunLog(),
    )


def facts(judgements):
    return [j.model_dump(exclude={"seconds"}) for j in judgements]


def test_learns_what_can_be_learned_and_reports_it(train, test):
    results = verdict(train, test)
    assert [j.network_seed for j in results] == [0, 1]
    for judgement in results:
        assert judgement.set_seed == 7
        assert judgement.accuracy == pytest.approx(np.mean(judgement.accuracy_per_class))  # classes of equal size
        assert judgement.accuracy > 90
        assert judgement.train_accuracy > 90
        assert judgement.curve[-1] < judgement.curve[0]
        assert judgement.seconds > 0


def test_wrong_labels_teach_the_wrong_thing(train, test):
    turned = (train.labels + 1) % train.classes
    assert verdict(train, test, labels=turned)[0].accuracy < 10


def test_soft_labels_take_the_place_of_labels(train, test):
    hard = np.eye(train.classes, dtype=np.float16)[train.labels][:, None]
    one, other = verdict(train, test, soft=hard, seeds=(0,)), verdict(train, test, seeds=(0,))
    assert one[0].curve == pytest.approx(other[0].curve)
    turned = np.eye(train.classes, dtype=np.float16)[(train.labels + 1) % train.classes][:, None]
    assert verdict(train, test, soft=turned)[0].accuracy < 10


def test_same_seed_same_result_whatever_else_is_judged(train, test):
    both = facts(verdict(train, test))
    assert both == facts(verdict(train, test))
    assert both[1:] == facts(verdict(train, test, seeds=(1,)))
    assert both[0]["curve"] != both[1]["curve"]


def test_resumes_between_and_within_networks(train, test, tmp_path, monkeypatch):
    monkeypatch.setattr(judge_module, "TURN_SECONDS", 0.0)  # a step each, then the other network's

    class Interrupted(Exception):
        pass

    class Stopping(RunLog):
        def progress(self, done, total, note=""):
            if done >= self.stop:
                raise Interrupted

    seeds = tuple(range(torch.get_num_threads() + 1))  # one has to wait for a core
    whole = facts(verdict(train, test, seeds=seeds))
    for stop in (5, 45 * len(seeds) - 5):  # 45 steps a network
        log = Stopping(checkpoint=tmp_path / f"{stop}.npz", checkpoint_seconds=0)
        log.stop = stop
        with pytest.raises(Interrupted):
            verdict(train, test, log=log, seeds=seeds)
        log = RunLog(checkpoint=tmp_path / f"{stop}.npz")
        assert facts(verdict(train, test, log=log, seeds=seeds)) == whole


def test_the_last_networks_take_turns_at_the_cores_which_changes_nothing(train, test, monkeypatch):
    class Notes(RunLog):
        def progress(self, done, total, note=""):
            told.append(note)

    told, cores = [], torch.get_num_threads()
    alone = [facts(verdict(train, test, seeds=(seed,)))[0] for seed in range(3)]
    monkeypatch.setattr(judge_module, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(judge_module, "TURN_IMAGES", 64)
    torch.set_num_threads(2)
    try:
        assert facts(verdict(train, test, seeds=range(3), log=Notes())) == alone
    finally:
        torch.set_num_threads(cores)
    assert told[0] == "3 networks of 3"


def test_the_number_of_cores_changes_nothing(train, test):
    cores = torch.get_num_threads()
    many = facts(verdict(train, test))
    torch.set_num_threads(1)
    try:
        assert facts(verdict(train, test)) == many
    finally:
        torch.set_num_threads(cores)


def test_nothing_that_is_handed_in_changes(train, test):
    images = train.pixels()
    kept = images.copy()
    judge(images, train.labels, None, test, mean=MEAN, std=STD, protocol=PROTOCOL, set_seed=0, seeds=[0], log=RunLog())
    np.testing.assert_array_equal(images, kept)


def test_refuses_a_test_set_of_another_shape(train, test):
    with pytest.raises(InputError, match=r"\(8, 8, 1\)"):
        judge(
            np.zeros((3, 9, 9, 1), np.float32),
            np.arange(3),
            None,
            test,
            mean=MEAN,
            std=STD,
            protocol=PROTOCOL,
            set_seed=0,
            seeds=[0],
            log=RunLog(),
        )
