"""The environment: gymnasium's own check, and what every proposal and reward must be."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from condensation.tfkeras.pool import Pool
from condensation.tfkeras.ridge import RidgeScore
from condensation.tfkeras.selection_environment import EnvironmentParams, SelectionEnvironment

CLASSES, PER_CLASS = 3, 3
LABELS = np.repeat(np.arange(CLASSES), [9, 12, 15])
START = np.array([0, 4, 8, 10, 11, 20, 21, 28, 35])


def environment(reward: str = "validation_gain", slots: int = 4, candidates: int = 3) -> SelectionEnvironment:
    rng = np.random.default_rng(5)
    pool = Pool(
        pixels=rng.random((len(LABELS), 4, 4, 1), np.float32),
        labels=LABELS,
        features=rng.normal(size=(len(LABELS), 6)) + LABELS[:, None],
        margins=rng.normal(size=len(LABELS)),
    )
    held_labels = np.arange(30) % CLASSES
    held = rng.normal(size=(30, 6)) + held_labels[:, None]
    ridge = RidgeScore(pool.features, LABELS, held, held_labels, classes=CLASSES, penalty=0.01)
    params = EnvironmentParams.model_validate(
        {
            "reward": reward,
            "reward_scale": 2.0,
            "rounds": 5,
            "slots": slots,
            "candidates": candidates,
        }
    )
    return SelectionEnvironment(pool, ridge, params, START, seed=0)


def test_gymnasium_accepts_it() -> None:
    check_env(environment(), skip_render_check=True)


def test_offers_lie_nearest_to_where_their_place_started_and_no_sample_enters_twice() -> None:
    env = environment()
    env.reset()
    x, entered = env.pool.features, set()
    for _ in range(30):
        for place, (held, *offered) in zip(env._places, env._options, strict=True):
            assert held == env.set[place]
            assert held not in offered or set(offered) == {held}
            for option in offered:
                assert LABELS[option] == LABELS[START[place]]
                rivals = START[LABELS[START] == LABELS[option]]
                nearest = rivals[np.linalg.norm(x[rivals] - x[option], axis=1).argmin()]
                assert nearest == START[place]
        entered |= set(env._options.ravel().tolist())
        env.step(env.random_action())
        assert len(set(env.set.tolist())) == CLASSES * PER_CLASS
        assert LABELS[env.set].tolist() == sorted(LABELS[env.set])
    assert len(entered) > 30  # of 36: nearly all are offered some time


def test_a_set_that_leaves_its_cells_is_refused() -> None:
    env = environment()
    with pytest.raises(ValueError, match="one sample of each cell"):
        env.reset(options={"set": START[::-1]})


def test_samples_that_coincide_each_keep_their_own_place() -> None:
    env = environment()
    features = env.pool.features.copy()
    features[4] = features[0]
    pool = Pool(env.pool.pixels, LABELS, features, env.pool.margins)
    same = SelectionEnvironment(pool, env.ridge, env.params, START, seed=0)
    same.reset()
    for _ in range(9):
        same.step(same.random_action())
        assert len(set(same.set.tolist())) == len(START)


def test_the_action_makes_the_set_and_zero_keeps_it() -> None:
    env = environment()
    env.reset()
    before, places, options = env.set.copy(), env._places.copy(), env._options.copy()
    _, _, _, _, info = env.step(np.array([0, 2, 0, 3]))
    expected = before.copy()
    expected[places[[1, 3]]] = options[[1, 3], [2, 3]]
    np.testing.assert_array_equal(env.set, expected)
    assert info["replaced"] == 2


def test_validation_gain_is_the_change_of_the_held_out_score_for_each_swap_alone() -> None:
    env = environment()
    env.reset()
    before, places, options = env.set.copy(), env._places.copy(), env._options.copy()
    base = env.ridge.accuracy - env.ridge.loss
    _, _, _, _, info = env.step(np.array([0, 1, 2, 3]))
    assert info["rewards"][0] == 0
    for row, action in ((1, 1), (2, 2), (3, 3)):
        swapped = before.copy()
        swapped[places[row]] = options[row, action]
        env.ridge.fit(swapped)
        expected = 2.0 * (env.ridge.accuracy - env.ridge.loss - base)
        assert info["rewards"][row] == pytest.approx(expected, abs=1e-5)


def test_the_other_rewards_by_their_definitions() -> None:
    action = np.array([1, 0, 2, 3])
    env = environment("agreement")
    env.reset()
    picked = env._options[np.arange(4), action]
    rewards = env.step(action)[4]["rewards"]
    np.testing.assert_array_equal(rewards, np.where(env.pool.margins[picked] > 0, 2.0, -2.0))

    env = environment("similarity_and_classification")
    env.reset()
    held, picked = env._options[:, 0], env._options[np.arange(4), action]
    rewards = env.step(action)[4]["rewards"]
    for i in range(4):
        change = np.abs(env.pool.pixels[picked[i]] - env.pool.pixels[held[i]]).mean()
        right = env.pool.margins[picked[i]] > 0
        assert rewards[i] == pytest.approx(2 * (0.5 / (1 + change) + 0.5 * right), rel=1e-5)


def test_redundancy_is_the_distance_to_the_nearest_other_member() -> None:
    env = environment()
    observation, _ = env.reset()
    x = env.pool.features
    for row in range(env.slots):
        label, place = LABELS[env._options[row, 0]], env._places[row]
        mates = [m for i, m in enumerate(env.set) if LABELS[m] == label and i != place]
        for column, option in enumerate(env._options[row]):
            nearest = min(np.linalg.norm(x[option] - x[m]) for m in mates) / env._distance_scale[label]
            assert observation[row, column, 5] == pytest.approx(max(-nearest, -5), rel=1e-5)


def test_a_class_with_no_sample_to_spare_offers_what_it_has() -> None:
    env = environment()
    start = np.array([*range(9), 9, 21, 22])
    tight = SelectionEnvironment(env.pool, env.ridge, env.params, start, seed=0)
    tight.reset()
    for _ in range(9):
        tight.step(tight.random_action())
        assert tight.set[:9].tolist() == list(range(9))
        assert np.bincount(LABELS[tight.set]).tolist() == [9, 1, 2]
