"""A round of the agent's environment: whole batches in compiled graphs against one sample per call, the textbook way.

Run from the project's root: ``python benchmarks/selection_environment.py``. A round asks about 10 places with 8
candidates each, takes a step and learns from it. Both sides make the same round: the CNN's answer for every option, the
value of every option, the step of the environment, and learning from the round. The textbook asks the CNN and the
Q-network for one sample per call and trains on a batch of one (Keras's ``predict_on_batch``, ``train_on_batch``, which
are quicker than ``predict`` and ``fit``). The last line is one JSON object; ``speedup`` is the least of the cases.
"""

import json
import time

import keras
import numpy as np
import tensorflow as tf

from condensation.tfkeras.agent import Agent, AgentParams
from condensation.tfkeras.networks import q_network, training_cnn
from condensation.tfkeras.pool import Pool
from condensation.tfkeras.ridge import RidgeScore
from condensation.tfkeras.selection_environment import STATE, EnvironmentParams, SelectionEnvironment
from condensation.tfkeras.system import random_start
from condensation.tfkeras.training import deterministic

SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
CLASSES, POOL, HELD, ROUNDS, TURNS = 10, 1000, 1000, 3, 5
PARAMS = EnvironmentParams(reward="validation_gain", reward_scale=100.0, rounds=10**6, slots=10, candidates=8)
AGENT = AgentParams(memory=2000, updates=1)


def noise(n: int, shape: tuple[int, int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(seed).random((n, *shape), np.float32), np.arange(n) % CLASSES


class Side:
    """One way of making rounds in an environment of its own."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.cnn = training_cnn(shape, CLASSES, 0)
        self.pool = Pool.of(self.cnn, *noise(POOL, shape, 0))
        held = Pool.of(self.cnn, *noise(HELD, shape, 1))
        ridge = RidgeScore(
            self.pool.features, self.pool.labels, held.features, held.labels, classes=CLASSES, penalty=0.03
        )
        self.environment = SelectionEnvironment(
            self.pool, ridge, PARAMS, random_start(self.pool, np.full(CLASSES, 10), 0), 0
        )
        self.seen, _ = self.environment.reset()
        self.start()

    def start(self) -> None: ...

    def round(self) -> None: ...

    def options(self) -> np.ndarray:
        return self.pool.pixels[self.environment._options.ravel()]


class Batched(Side):
    def start(self) -> None:
        self.agent = Agent(PARAMS.slots, 1 + PARAMS.candidates, STATE, AGENT, "linear", 0)
        self.name = tf.function(lambda images: tf.argmax(self.cnn(images, training=False), 1))

    def round(self) -> None:
        self.name(self.options())
        action = self.agent.act(self.seen)
        following, _, _, _, info = self.environment.step(action)
        self.agent.learn(self.seen, action, info["rewards"], following)
        self.seen = following


class OneByOne(Side):
    def start(self) -> None:
        self.network = q_network(STATE, 0)
        self.network.compile(keras.optimizers.Adam(AGENT.learning_rate), "mse")

    def values(self, states: np.ndarray) -> np.ndarray:
        return np.array([self.network.predict_on_batch(state[None])[0, 0] for state in states])

    def round(self) -> None:
        for image in self.options():
            self.cnn.predict_on_batch(image[None]).argmax()
        action = np.array([self.values(states).argmax() for states in self.seen])
        following, _, _, _, info = self.environment.step(action)
        for slot, choice in enumerate(action):
            target = info["rewards"][slot] + AGENT.discount * self.values(following[slot]).max()
            self.network.train_on_batch(self.seen[slot, choice][None], np.array([[target]]))
        self.seen = following


def timed(side: Side, rounds: int) -> float:
    begin = time.perf_counter()
    for _ in range(rounds):
        side.round()
    return (time.perf_counter() - begin) / rounds


def case(shape: str) -> dict[str, object]:
    sides = {"textbook": OneByOne(SHAPES[shape]), "batched": Batched(SHAPES[shape])}
    for side in sides.values():
        timed(side, 1)
    turns = [{name: timed(side, ROUNDS) for name, side in sides.items()} for _ in range(TURNS)]
    best = {name: min(turn[name] for turn in turns) for name in sides}
    ratio = best["textbook"] / best["batched"]
    print(
        f"{shape}: {1000 * best['textbook']:.0f} ms and {1000 * best['batched']:.1f} ms, {ratio:.1f} times", flush=True
    )
    return {"shape": shape, "seconds": best, "n": TURNS * ROUNDS, "speedup": round(ratio, 1)}


def main() -> None:
    with deterministic():
        cases = [case(shape) for shape in SHAPES]
    print(json.dumps({"speedup": min(case["speedup"] for case in cases), "n": TURNS * ROUNDS, "cases": cases}))


if __name__ == "__main__":
    main()
