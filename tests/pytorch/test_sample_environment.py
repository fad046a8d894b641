"""The environment that steps all samples of a set at once, with a CNN whose answers can be worked out by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_environment import SIDE, Halves, environment, pool_and_eyes

from condensation.core.randomness import generator
from condensation.pytorch.candidates import Views
from condensation.pytorch.sample_edits import CONTINUOUS, EDITS
from condensation.pytorch.sample_environment import SampleEnvironment

KEEP, CENTRAL, OUTER, TURN = 0, 1, 2, 4


def act(made: SampleEnvironment, *actions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
    return made.step(np.array(actions))


def test_the_authors_reward_is_half_similarity_and_half_classification() -> None:
    made = environment()
    made.reset()
    real = made.pool.pixels[made._start]
    _, kept, _, _ = act(made, KEEP, KEEP, KEEP, KEEP)
    named = made.pool.views.margin[made._start] > 0
    np.testing.assert_allclose(kept, 0.5 + 0.5 * named)
    _, rewards, _, _ = act(made, KEEP, TURN, KEEP, TURN)
    pictures = made.images(made._base, made._edits)
    change = np.abs(pictures - real).mean((1, 2, 3))
    assert change[[1, 3]].min() > 0.005
    assert change[[0, 2]].max() == 0
    right = made.eyes.see(pictures, made.labels).margin > 0
    np.testing.assert_allclose(rewards, 0.5 / (1 + change) + 0.5 * right, rtol=1e-6)


def test_classification_can_be_the_probability() -> None:
    made = environment(similarity=0.0, classification=1.0, kind="probability")
    made.reset()
    _, rewards, _, _ = act(made, KEEP, KEEP, KEEP, KEEP)
    left, right = (made.pool.pixels[made._start][:, :, half].mean((1, 2, 3)) for half in (slice(4), slice(4, 8)))
    own = np.where(made.labels == 0, left - right, right - left)
    np.testing.assert_allclose(rewards, 1 / (1 + np.exp(-10 * own)), rtol=1e-4)


def test_a_candidate_comes_from_the_cell_by_its_rank_and_is_not_edited() -> None:
    made = environment()
    made.reset()
    act(made, TURN, KEEP, KEEP, KEEP)
    act(made, CENTRAL, OUTER, KEEP, KEEP)
    features = made.pool.views.features
    for place, end in ((0, np.argmin), (1, np.argmax)):
        cell = made._cells[place]
        distances = np.linalg.norm(features[cell] - features[cell].mean(0), axis=1)
        assert made._base[place] == cell[end(distances)]
    assert not made._edits[0].any()
    assert sorted(np.concatenate(made._cells)) == list(range(20))
    for place, cell in enumerate(made._cells):
        assert set(made.pool.labels[cell]) == {made.labels[place]}


def test_gain_is_what_the_layer_says_of_the_change() -> None:
    made = environment(similarity=0.0, classification=0.0, gain=1.0)
    made.reset()
    layer, before, loss = made.ridge, made._views.untrained, made.ridge.loss
    cell = made._cells[1]
    views = made.pool.views.take(np.array([made._base[0], cell[-1], *made._base[2:]]))
    expected = 4 * layer.swaps(before, views.untrained, made.labels) / loss
    _, rewards, _, _ = act(made, KEEP, OUTER, KEEP, KEEP)
    assert cell[-1] != made._start[1]
    np.testing.assert_allclose(rewards, np.clip(expected, -1, 1), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(rewards[[0, 2, 3]], 0, atol=1e-9)


def test_an_episode_ends_for_all_and_the_next_begins_from_the_start() -> None:
    made = environment()
    first = made.reset()
    for step in range(3):
        states, rewards, over, infos = act(made, CENTRAL, TURN, KEEP, TURN)
        assert over.tolist() == [step == 2] * 4
    np.testing.assert_array_equal(states, first)
    assert infos[1]["terminal_observation"].shape == first[1].shape
    assert infos[1]["terminal_observation"][-1] == 1.0  # the share of the episode that is done
    assert set(made.report) == {"reward", "similarity", "classification", "gain", "replaced"}
    assert made.report["reward"] == pytest.approx(0.5 * made.report["similarity"] + 0.5 * made.report["classification"])
    assert rewards.dtype == np.float32


def test_all_samples_that_changed_go_through_the_cnn_in_one_call() -> None:
    made = environment()
    made.reset()
    Halves.calls = 0
    act(made, TURN, TURN, TURN, TURN)
    assert Halves.calls == 1
    seen = made._views.take(np.arange(4))
    act(made, KEEP, KEEP, KEEP, KEEP)  # nothing has changed
    assert Halves.calls == 1
    for name in ("probability", "margin", "features", "untrained"):
        np.testing.assert_array_equal(getattr(made._views, name), getattr(seen, name))
    act(made, CENTRAL, CENTRAL, CENTRAL, CENTRAL)  # nothing edited: all looked up
    assert Halves.calls == 1
    act(made, TURN, KEEP, KEEP, KEEP)
    assert Halves.calls == 2


def test_the_set_that_is_kept_is_the_best_seen_or_one_that_takes_over_its_samples() -> None:
    made = environment(discrete=False)
    rng, start, told = generator(0, "actions"), made.best, []
    for _ in range(4):
        made.reset()
        for _ in range(made.params.steps):
            before = made.best
            made.step(rng.uniform(-1, 1, (4, CONTINUOUS)).astype(np.float32))
            best, now = made.best, made._current()
            assert best.value >= max(before.value, now.value)
            own = (best.base == before.base) & (best.edits == before.edits).all(1)
            taken = (best.base == now.base) & (best.edits == now.edits).all(1)
            assert (own | taken).all()
            told.append(taken.sum() if best.value > before.value else 0)
    assert best.value > start.value
    assert any(0 < count < 4 for count in told), "at least once some samples, not all"
    features = made.eyes.see(made.images(best.base, best.edits), made.labels).untrained
    np.testing.assert_allclose(features, best.untrained, rtol=1e-5, atol=1e-6)
    made.ridge.fit(best.untrained, made.labels)
    assert made.ridge.value == best.value


def test_where_no_sample_helps_the_kept_set_stays() -> None:
    made = environment()
    made.reset()
    before = made.best
    act(made, KEEP, KEEP, KEEP, KEEP)
    assert made.best is before
    made.best = replace(before, value=2.0)  # no layer is worth as much
    act(made, OUTER, OUTER, OUTER, OUTER)
    assert made.best.base.tolist() == before.base.tolist()
    made.ridge.fit(before.untrained, made.labels)
    assert made._keeper.value == made.ridge.value, "a sample that does not help is taken back"


def test_continuous_actions_and_states_of_pixels() -> None:
    made = environment(discrete=False, state="pixels")
    states = made.reset()
    assert states.shape == (4, SIDE * SIDE + 6 + EDITS)
    np.testing.assert_array_equal(states[0, : SIDE * SIDE], made.pool.pixels[2].ravel())
    states, *_ = made.step(np.array([[0.5, 0, 0, 0, -1], [0, 0, 0, 0, 1.0], [0] * 5, [0, 0, 0, 0, 0.01]], np.float32))
    assert made._edits[0].tolist() == [0.5, 0, 0, 0]
    made.step(np.array([[0.25, 0, 0, 0, 0]] * 4, np.float32))
    assert made._edits[0].tolist() == [0.25, 0, 0, 0]  # in the place of the edit before
    assert made._base[1] == made._cells[1][0]
    assert made._base[2] == 12
    assert made._base[3] == made._cells[3][-1]
    assert np.abs(states).max() <= 5


def test_views_are_copied_before_they_are_changed() -> None:
    pool, _, _ = pool_and_eyes()
    rows = np.array([1, 3])
    taken: Views = pool.views.take(rows)
    taken.put(np.array([0]), pool.views.take(np.array([5])))
    assert taken.margin[0] == pool.views.margin[5] != pool.views.margin[1]
