"""The agent learns which option pays, remembers, and can be taken up again."""

import numpy as np
import pytest

from condensation.tfkeras.agent import Agent, AgentParams, Head

PARAMS = AgentParams(memory=64, updates=8, epsilon_decay=0.9, learning_rate=0.01, discount=0.5)
SLOTS, OPTIONS = 8, 3


def observation(round_: int) -> np.ndarray:
    """Noise, and in each place one option whose first entry is 1."""
    rng = np.random.default_rng(round_)
    states = rng.normal(size=(SLOTS, OPTIONS, 2)).astype(np.float32)
    states[..., 0] = np.eye(OPTIONS)[rng.integers(OPTIONS, size=SLOTS)]
    return states


def practise(agent: Agent, first: int, last: int) -> None:
    for i in range(first, last):
        states = observation(i)
        action = agent.act(states)
        agent.learn(states, action, states[np.arange(SLOTS), action, 0], observation(i + 1))


@pytest.mark.parametrize("head", ["linear", "softmax"])
def test_chooses_what_pays_after_practice_and_not_before(head: Head) -> None:
    agent = Agent(SLOTS, OPTIONS, 2, PARAMS, head, seed=0)

    def share_right() -> float:
        seen = [observation(i) for i in range(1000, 1010)]
        return float(np.mean([s[np.arange(SLOTS), agent._best(s).numpy(), 0] for s in seen]))

    assert share_right() < 0.6
    practise(agent, 0, 40)
    assert share_right() > 0.95
    assert agent.epsilon == pytest.approx(max(0.01, 0.9**40))


def test_the_same_agent_goes_on_from_its_arrays() -> None:
    whole, first = (Agent(SLOTS, OPTIONS, 2, PARAMS, "softmax", seed=1) for _ in range(2))
    practise(whole, 0, 12)
    practise(first, 0, 7)
    second = Agent(SLOTS, OPTIONS, 2, PARAMS, "softmax", seed=1)
    second.restore(first.arrays())
    practise(second, 7, 12)
    for name, values in whole.arrays().items():
        np.testing.assert_array_equal(values, second.arrays()[name], err_msg=name)


def test_memory_keeps_the_latest() -> None:
    agent = Agent(SLOTS, OPTIONS, 2, PARAMS, "linear", seed=0)
    for i in range(10):  # 80 transitions into 64 places
        states = observation(i)
        agent.learn(states, np.zeros(SLOTS, int), np.full(SLOTS, float(i)), states)
    assert sorted(set(agent.arrays()["memory/reward"].tolist())) == [float(i) for i in range(2, 10)]
