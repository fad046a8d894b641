"""The four algorithms on the environment: contained randomness, the same again, resumed, and learning."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from small_environment import environment

from condensation.core.runlog import RunLog
from condensation.pytorch.agent_search import SearchParams, search
from condensation.pytorch.agents import (
    DISCRETE,
    EXPLORATION,
    AgentParams,
    Algorithm,
    Learner,
    PerSampleDQN,
    _Centred,
)

ALGORITHMS: list[Algorithm] = ["dqn", "ppo", "ddpg", "td3"]


def params(**changes: Any) -> AgentParams:
    values = {"learning_rate": 0.003, "exploration_decay": 0.96, "discount": 0.5, "memory": 200, "batch_size": 16}
    return AgentParams.model_validate({**values, "updates": 4, "hidden": [16], **changes})


def learner(algorithm: Algorithm, seed: int = 3, **changes: Any) -> Learner:
    made = environment(algorithm in DISCRETE, similarity=0.0, classification=1.0, kind="probability")
    return Learner(made, algorithm, params(**changes), seed)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_same_seed_same_episodes_and_the_ambient_generators_stay(algorithm: Algorithm) -> None:
    agents = [learner(algorithm) for _ in range(4)]
    other = learner(algorithm, seed=4)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 - that nobody disturbs it is what is tested
    torch.manual_seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    first = [agents[0].episode(0), agents[1].greedy()]
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert before == after
    random.seed(6)
    np.random.seed(6)  # noqa: NPY002
    torch.manual_seed(6)
    assert [agents[2].episode(0), agents[3].greedy()] == first
    assert other.episode(0) != first[0]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_taken_up_again_it_goes_on_bit_for_bit(algorithm: Algorithm) -> None:
    whole, broken = learner(algorithm), learner(algorithm)
    reports = [whole.episode(number) for number in range(4)]
    for number in range(2):
        broken.episode(number)
    kept = {name: array.copy() for name, array in broken.state().items()}
    resumed = learner(algorithm)
    resumed.restore(kept)
    assert [resumed.episode(number) for number in (2, 3)] == reports[2:]
    for mine, its in zip(resumed._model.policy.parameters(), whole._model.policy.parameters(), strict=True):
        assert torch.equal(mine, its)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_exploration_decays_with_the_steps(algorithm: Algorithm) -> None:
    agent = learner(algorithm)
    told = [agent.episode(number)["exploration"] for number in range(3)]
    np.testing.assert_allclose(told, [EXPLORATION[algorithm] * 0.96 ** (3 * episode) for episode in range(3)])


def test_agents_learn_from_what_is_missing_to_the_best_reward() -> None:
    made = environment(similarity=0.5, classification=0.25)
    world = _Centred(made)
    world.reset()
    actions = np.array([0, 3, 4, 1])
    _, rewards, _, _ = world.step(actions)
    made.reset()
    np.testing.assert_allclose(rewards, made.step(actions)[1] - 0.75, rtol=1e-6)
    assert rewards.max() <= 0


def test_dqn_tosses_a_coin_for_each_sample() -> None:
    agent = learner("dqn")
    model: PerSampleDQN = agent._model
    model.action_space.seed(0)
    states = np.repeat(agent.environment.reset()[:1], 400, 0)
    model.exploration_rate = 0.5
    best = model.predict(states, deterministic=True)[0]
    assert len(set(best)) == 1
    same = (model.predict(states)[0] == best).mean()
    actions = len(agent.environment._table)
    assert same == pytest.approx(0.5 + 0.5 / actions, abs=0.08)


def test_the_search_keeps_to_its_budget_and_ranges_and_is_the_same_again() -> None:
    scores: list[float] = []
    made = environment()
    asked = SearchParams(trials=4, episodes=1)
    kept: list[int] = []
    log = RunLog()
    found = search(made, "dqn", params(), asked, 1, scores=scores, log=log, keep=lambda: kept.append(len(scores)))
    assert kept == [1, 2, 3, 4]
    tried = [(row["trial_learning_rate"], row["trial_exploration_decay"]) for row in log.history]
    assert tried[0] == (0.003, 0.96)  # what is given comes first
    assert len(set(tried)) == 4
    assert all(1e-4 <= rate <= 1e-2 and 0.95 <= decay <= 0.999 for rate, decay in tried)
    assert (found.learning_rate, found.exploration_decay) == tried[int(np.argmax(scores))]
    again = RunLog()
    resumed = search(made, "dqn", params(), asked, 1, scores=scores[:2], log=again, keep=lambda: None)
    assert resumed == found
    assert again.history == log.history[2:]
