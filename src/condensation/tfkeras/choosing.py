"""The family's main loop: episodes in which the agent changes the set, early stopping, the best set restored."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from condensation.core.params import ByDataset, Section, for_dataset
from condensation.core.parts import joined, part_of
from condensation.core.runlog import RunLog
from condensation.tfkeras.agent import Agent, Arrays
from condensation.tfkeras.selection_environment import SelectionEnvironment


class ChoosingParams(Section):
    """How long the agent works."""

    epochs: ByDataset[int]  # episodes at most
    patience: int = Field(ge=1)  # episodes without gain before it stops
    min_gain: float = Field(ge=0)  # what counts as a gain of held-out accuracy less squared error


def choose(
    environment: SelectionEnvironment,
    agent: Agent,
    start: np.ndarray,
    params: ChoosingParams,
    dataset: str,
    *,
    acts: Literal["on", "off"],
    log: RunLog,
    state: Mapping[str, np.ndarray] | None,
) -> np.ndarray:
    """The best set, int (size,) pool positions, that the agent's choices led to from ``start``.

    Best is by the last layer on held-out images, measured after every round. Each episode starts from the best set so
    far. With ``acts="off"`` the same rounds are spent on random options and nothing is learned.
    ``state`` is what an interrupted run saved.
    """
    limit = for_dataset(params.epochs, dataset)
    environment.ridge.fit(start)
    best, best_value = start.copy(), environment.ridge.value
    epoch, last_gain, reference = 0, 0, best_value
    if state:
        best, best_value, reference = state["best"], float(state["values"][0]), float(state["values"][1])
        epoch, last_gain = map(int, state["counters"])
        agent.restore(part_of(state, "agent"))

    def whole() -> Arrays:
        own = {
            "best": best,
            "values": np.array([best_value, reference]),
            "counters": np.array([epoch, last_gain]),
        }
        return joined({"choosing": own | joined({"agent": agent.arrays()})})

    while epoch < limit and epoch - last_gain < params.patience:
        rewards, replaced = [], 0
        rounds = environment.params.rounds
        observation, _ = environment.reset(options={"set": best, "round": epoch * rounds})
        done = False
        while not done:
            action = agent.act(observation) if acts == "on" else environment.random_action()
            following, reward, _, done, info = environment.step(action)
            if acts == "on":
                agent.learn(observation, action, info["rewards"], following)
            observation = following
            rewards.append(reward)
            replaced += info["replaced"]
            if environment.ridge.value > best_value:
                best, best_value = environment.set.copy(), environment.ridge.value
        epoch += 1
        if best_value > reference + params.min_gain:
            reference, last_gain = best_value, epoch
        environment.ridge.fit(best)
        loss, accuracy = environment.ridge.training_score()
        log.metrics(
            epoch,
            train_loss=loss,
            train_accuracy=accuracy,
            validation_loss=environment.ridge.loss,
            validation_accuracy=environment.ridge.accuracy,
            reward=float(np.mean(rewards)),
            epsilon=agent.epsilon if acts == "on" else 1.0,
            replaced=replaced,
        )
        log.progress(epoch, limit, f"agent, held-out {100 * environment.ridge.accuracy:.1f} %")
        log.checkpoint(whole)
    return best
