"""The family's agent: a Q-network with replay memory that chooses, for a whole round at once, which option to take.

The network sees the state of one option and values it; the same weights serve every option, so their number is free.
Two heads, by system:
    linear: the value is Q; mean squared error to ``reward + discount * best value of the next state`` (MPS1).
    softmax: the values are logits over the options of a place and the loss is the categorical cross-entropy to the
        softmax of the values with the taken option's replaced by the same target (MPS2 and later).
"""

from collections.abc import Mapping
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from condensation.core.params import Section
from condensation.core.randomness import derive, generator
from condensation.tfkeras.networks import q_network

Head = Literal["linear", "softmax"]
Arrays = dict[str, np.ndarray]


class AgentParams(Section):
    """The agent; the numbers that have a default are the authors'."""

    memory: int = Field(ge=1)  # transitions kept
    batch_size: int = Field(32, ge=1)
    updates: int = Field(ge=1)  # batches learned from in a round
    discount: float = Field(0.95, ge=0, lt=1)
    epsilon: float = Field(1.0, ge=0, le=1)  # share of random choices at first,
    epsilon_decay: float = Field(0.995, gt=0, le=1)  # times this after each round,
    epsilon_least: float = Field(0.01, ge=0, le=1)  # down to this
    learning_rate: float = Field(0.001, gt=0)  # Adam


class Agent:
    """Chooses options and learns from rewards. ``rounds`` counts what it has seen; everything else is in ``arrays``."""

    def __init__(self, slots: int, options: int, state_size: int, params: AgentParams, head: Head, seed: int) -> None:
        self.params, self._head, self._seed = params, head, seed
        self.rounds, self.epsilon = 0, params.epsilon
        self._network = q_network(state_size, derive(seed, "q-network"))
        self._optimizer = keras.optimizers.Adam(params.learning_rate)
        self._optimizer.build(self._network.trainable_variables)
        shape = (params.memory, options, state_size)
        self._memory: Arrays = {
            "state": np.zeros(shape, np.float32),
            "next": np.zeros(shape, np.float32),
            "action": np.zeros(params.memory, np.int32),
            "reward": np.zeros(params.memory, np.float32),
        }
        self._stored = 0

    def act(self, observation: np.ndarray) -> np.ndarray:
        """Options chosen for an observation (slots, options, state): int (slots,); random ones with share epsilon."""
        greedy = self._best(tf.constant(observation)).numpy()
        rng = generator(self._seed, "explore", self.rounds)
        return np.where(
            rng.random(len(greedy)) < self.epsilon, rng.integers(observation.shape[1], size=len(greedy)), greedy
        )

    def learn(self, state: np.ndarray, action: np.ndarray, reward: np.ndarray, following: np.ndarray) -> float:
        """Remember a round (slots transitions), replay batches, let epsilon decay; gives the mean loss."""
        at = np.arange(self._stored, self._stored + len(action)) % self.params.memory
        for name, values in {"state": state, "next": following, "action": action, "reward": reward}.items():
            self._memory[name][at] = values
        self._stored += len(action)
        known = min(self._stored, self.params.memory)
        rng = generator(self._seed, "replay", self.rounds)
        picked = rng.integers(known, size=(self.params.updates, self.params.batch_size))
        replayed = [tf.constant(self._memory[name][picked]) for name in ("state", "action", "reward", "next")]
        self.rounds += 1
        self.epsilon = max(self.params.epsilon_least, self.epsilon * self.params.epsilon_decay)
        return float(self._replay(*replayed))

    @tf.function(reduce_retracing=True)
    def _best(self, observation: tf.Tensor) -> tf.Tensor:
        return tf.argmax(self._values(observation), 1)

    def _values(self, states: tf.Tensor) -> tf.Tensor:
        """States (n, options, size) to values (n, options)."""
        shape = tf.shape(states)
        flat = tf.reshape(states, [-1, states.shape[-1]])
        return tf.reshape(self._network(flat), shape[:2])

    @tf.function(reduce_retracing=True)
    def _replay(self, states: tf.Tensor, actions: tf.Tensor, rewards: tf.Tensor, following: tf.Tensor) -> tf.Tensor:
        total = 0.0
        for i in tf.range(tf.shape(states)[0]):
            target = rewards[i] + self.params.discount * tf.reduce_max(self._values(following[i]), 1)
            taken = tf.one_hot(actions[i], tf.shape(states)[2])
            with tf.GradientTape() as tape:
                loss = self._loss(self._values(states[i]), taken, tf.stop_gradient(target))
            variables = self._network.trainable_variables
            self._optimizer.apply(tape.gradient(loss, variables), variables)
            total += loss
        return total / tf.cast(tf.shape(states)[0], tf.float32)

    def _loss(self, values: tf.Tensor, taken: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        if self._head == "linear":
            return tf.reduce_mean((tf.reduce_sum(values * taken, 1) - target) ** 2)
        wanted = tf.stop_gradient(values) * (1 - taken) + target[:, None] * taken
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(wanted), values))

    def arrays(self) -> Arrays:
        """Everything needed to go on."""
        everything = [*self._network.variables, *self._optimizer.variables]
        return {
            **{f"memory/{name}": values.copy() for name, values in self._memory.items()},
            **{f"weights/{i:03d}": v.numpy().copy() for i, v in enumerate(everything)},
            "counters": np.array([self.rounds, self._stored]),
            "epsilon": np.array(self.epsilon),
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Back to what ``arrays`` gave."""
        self._memory = {name: arrays[f"memory/{name}"].copy() for name in self._memory}
        for i, variable in enumerate([*self._network.variables, *self._optimizer.variables]):
            variable.assign(arrays[f"weights/{i:03d}"])
        self.rounds, self._stored = map(int, arrays["counters"])
        self.epsilon = float(arrays["epsilon"])
