"""MPS-o and MPS-5o: what the agent's switch changes, memory, the kept set, the picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contract import PARAMS, params_of, toy
from sklearn.datasets import load_digits

from condensation.core.errors import InputError
from condensation.core.images import ImageSet
from condensation.core.params import check
from condensation.core.runlog import RunLog
from condensation.pytorch.classifiers import training_memory
from condensation.pytorch.methods import mps_5o, mps_o
from condensation.pytorch.sample_system import Made, condense_by


def made_by(log: RunLog | None = None, **changes: Any) -> Made:
    params = params_of("mps_o", **changes)
    log = log or RunLog()
    return condense_by(toy(), method="mps_o", images_per_class=2, params=params, seed=1, log=log, adapted=True)[1]


@pytest.mark.parametrize("algorithm", ["ppo", "ddpg", "td3"])
def test_every_algorithm_makes_a_set(algorithm: str) -> None:
    log = RunLog()
    made = made_by(log, algorithm=algorithm)
    assert made.best.value >= made.start.value
    episodes = [row for row in log.history if "similarity" in row]
    assert ["exploration" in row for row in episodes] == [True, True, False]  # the last one without exploring
    for row in episodes:
        assert row["reward"] == pytest.approx(0.5 * row["similarity"] + 0.5 * row["classification"])
    assert [row["best_value"] for row in episodes] == sorted(row["best_value"] for row in episodes)


def test_without_the_agent_as_many_episodes_are_random() -> None:
    log = RunLog()
    made = made_by(log, agent="off")
    assert made.learner is None
    assert len([row for row in log.history if "similarity" in row]) == 3
    assert not any("trial_reward" in row or "exploration" in row for row in log.history)


def test_the_start_is_the_first_set_to_beat() -> None:
    k_means, random = (made_by(start=start) for start in ("k_means", "random"))
    assert not np.array_equal(k_means.start.base, random.start.base)
    for made in (k_means, random):
        assert not made.start.edits.any()
        np.testing.assert_array_equal(np.bincount(made.environment.labels), [2, 2, 2])


def digits() -> ImageSet:
    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    return ImageSet(images, bunch.target.astype(np.int64), tuple("0123456789"), "digits")


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["dqn", "ppo", "ddpg", "td3"])
def test_reward_per_episode_rises_on_digits(algorithm: str) -> None:
    """As params.yaml says, less the search and with fewer episodes; of the last three against the first three."""
    values = {**PARAMS["mps_o"], "algorithm": algorithm, "episodes": 14, "search": None, "candidates": 800}
    values["cnn"] = {**values["cnn"], "min_steps": 0, "max_steps": 120}
    log = RunLog()
    condense_by(
        digits(),
        method="mps_o",
        images_per_class=5,
        params=check(values, mps_o.Params, "mps_o"),
        seed=0,
        log=log,
        adapted=True,
    )
    rewards = [row["reward"] for row in log.history if "similarity" in row]
    assert np.mean(rewards[-3:]) > np.mean(rewards[:3]) + 0.01


def test_no_sample_of_the_hold_out_can_be_chosen() -> None:
    made = made_by(hold_out=0.5)
    assert len(made.environment.pool) == len(toy()) - sum(round(0.5 * count) for count in toy().counts())


def test_runs_that_share_a_folder_look_once_through_untrained_networks_whatever_the_cnn(tmp_path: Path) -> None:
    def shared(name: str, **changes: Any) -> Made:
        return made_by(RunLog(checkpoint=tmp_path / name / "checkpoint.npz", shared=tmp_path / "shared"), **changes)

    def kept() -> list[int]:
        return [len(list((tmp_path / "shared").glob(f"{name}-*.npz"))) for name in ("cnn", "untrained")]

    shared("first")
    assert kept() == [1, 1]
    second, alone = shared("second", algorithm="ppo"), made_by(algorithm="ppo")
    assert kept() == [1, 1]
    assert (second.best.value, second.start.value) == (alone.best.value, alone.start.value)
    shared("longer", cnn={**params_of("mps_o").cnn.model_dump(), "max_steps": 7})
    assert kept() == [2, 1]
    shared("more held out", hold_out=0.4)
    assert kept() == [3, 2]


def test_more_memory_than_allowed_is_refused_before_any_work() -> None:
    params = params_of(
        "mps_5o", cnn={**params_of("mps_5o").cnn.model_dump(), "name": "vgg11_bn"}, memory_limit_gb=1.0, hold_out=0.1
    )
    needed = training_memory("vgg11_bn", image_shape=(8, 8, 1), classes=3, adapted=False, batch=37) / 2**30
    log = RunLog()
    with pytest.raises(InputError, match=rf"needs about {needed:.2f} GiB of memory and 1.00 GiB are allowed"):
        mps_5o.condense(toy(), images_per_class=1, params=params, seed=0, log=log)
    assert log.history == []


def test_the_memory_is_said_before_it_starts(capsys: pytest.CaptureFixture[str]) -> None:
    params = params_of("mps_o", search=None, agent="off", hold_out=0.1)
    mps_o.condense(toy(), images_per_class=1, params=params, seed=0, log=RunLog("toy", show=True))
    assert "lenet on batches of 37 needs about 0.00 GiB of memory" in capsys.readouterr().err.splitlines()[0]


def test_the_picture_shows_the_start_above_what_came_of_it() -> None:
    log = RunLog()
    params = params_of("mps_5o")
    condensed = mps_5o.condense(toy((12, 9, 3)), images_per_class=2, params=params, seed=1, log=log)
    picture = log.figures["samples"]
    assert picture.dtype == np.uint8
    assert picture.shape == (3 * 2 * (12 + 2) + 2 * 3 * 2, 2 * (9 + 2), 3)
    first = np.rint(condensed.images[0] * 255).astype(np.uint8)
    np.testing.assert_array_equal(picture[14 : 14 + 12, :9], first)


def test_continuous_actions_without_edits_are_refused() -> None:
    environment = {**PARAMS["mps_o"]["environment"], "edits": None}
    assert params_of("mps_o", environment=environment, algorithm="ppo").environment.edits is None
    with pytest.raises(InputError, match="algorithm td3 acts by edits; without them allowed: dqn, ppo"):
        params_of("mps_o", environment=environment, algorithm="td3")
