"""DQN, PPO, DDPG and TD3 of stable-baselines3, an episode at a time, same seed same weights, resumable.

stable-baselines3 draws from the global generators of Python, numpy and PyTorch. Each episode runs with these seeded for
it alone and puts them back, so an agent's state is its weights, its optimisers' moments and its memory.

Exploration decays with the steps taken, as ``decay`` to their number, from a start of its own for each algorithm: the
share of random actions (DQN), the deviation of the noise on actions (DDPG, TD3), the weight of the entropy (PPO).

Agents learn from the reward less the largest that similarity and classification can give. Episodes have one length, so
the same actions are best; but values start near 0, and an actor that follows a critic while this learns an offset runs
into the corners of its actions and stays there.
"""

import io
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from gymnasium.spaces import Discrete
from pydantic import Field
from stable_baselines3 import DDPG, DQN, PPO, TD3
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import VecEnvWrapper

from condensation.core.params import Section
from condensation.core.parts import joined, part_of
from condensation.core.randomness import derive, generator
from condensation.core.runlog import RunLog
from condensation.pytorch.sample_environment import Chosen, SampleEnvironment

Algorithm = Literal["dqn", "ppo", "ddpg", "td3"]
DISCRETE = ("dqn", "ppo")
EXPLORATION = {"dqn": 1.0, "ppo": 0.05, "ddpg": 0.3, "td3": 0.3}
LEAST_EXPLORATION = 0.01
MEMORY = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


class AgentParams(Section):
    """An agent. The ranges of learning rate and decay that are searched are in agent_search.py.

    learning_rate: of Adam. exploration_decay: what exploration is multiplied by after each step. memory: transitions
    kept. updates: batches learned from after a step; of PPO, passes over an episode. hidden: units of each layer.
    """

    learning_rate: float = Field(gt=0)
    exploration_decay: float = Field(gt=0, le=1)
    discount: float = Field(0.95, ge=0, le=1)
    memory: int = Field(ge=1)
    batch_size: int = Field(32, ge=2)
    updates: int = Field(ge=1)
    hidden: list[int]


class PerSampleDQN(DQN):
    """DQN that tosses a coin for each sample; the original tosses one for all environments together."""

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[np.ndarray, Any]:
        """Best actions, int (n,), random ones with share ``exploration_rate`` unless ``deterministic``."""
        best, state = self.policy.predict(observation, state, episode_start, True)
        if deterministic:
            return best, state
        rng, space = self.action_space.np_random, self.action_space
        assert isinstance(space, Discrete)
        return np.where(
            rng.random(len(best)) < self.exploration_rate, rng.integers(space.n, size=len(best)), best
        ), state


class _Centred(VecEnvWrapper):
    """The environment with another zero of its reward."""

    def __init__(self, environment: SampleEnvironment) -> None:
        super().__init__(environment)
        weights = environment.params.reward
        self._most = np.float32(weights.similarity + weights.classification)

    def reset(self) -> np.ndarray:
        """The first states."""
        return self.venv.reset()

    def step_wait(self) -> Any:
        """As the environment's, the rewards moved."""
        states, rewards, over, infos = self.venv.step_wait()
        return states, rewards - self._most, over, infos


class Learner:
    """One agent and the environment that it learns in; an environment that suits the algorithm's actions."""

    def __init__(self, environment: SampleEnvironment, algorithm: Algorithm, params: AgentParams, seed: int) -> None:
        self.environment, self.algorithm, self.params, self._seed = environment, algorithm, params, seed
        self._steps = environment.params.steps
        self._each = self._steps * environment.num_envs
        with ambient(derive(seed, "agent")):
            self._model = self._fresh()
        self._model.set_logger(Logger(folder=None, output_formats=[]))

    def _fresh(self) -> Any:
        p, world = self.params, _Centred(self.environment)
        shared: dict[str, Any] = {
            "learning_rate": p.learning_rate,
            "gamma": p.discount,
            "policy_kwargs": {"net_arch": list(p.hidden)},
            "device": "cpu",
        }
        if self.algorithm == "ppo":
            batch = _divisor(self._each, p.batch_size)
            return PPO("MlpPolicy", world, n_steps=self._steps, batch_size=batch, n_epochs=p.updates, **shared)
        replayed = {
            "buffer_size": max(p.memory, self._each),
            "batch_size": p.batch_size,
            "learning_starts": self._each,
            "train_freq": 1,
            "gradient_steps": p.updates,
        }
        if self.algorithm == "dqn":
            model = PerSampleDQN("MlpPolicy", world, target_update_interval=self._each, **replayed, **shared)
            model.exploration_schedule = lambda _: self.exploration
            return model
        return {"ddpg": DDPG, "td3": TD3}[self.algorithm]("MlpPolicy", world, **replayed, **shared)

    @property
    def exploration(self) -> float:
        """How much the agent explores now; see the module's docstring."""
        steps = self._model.num_timesteps // self.environment.num_envs
        return max(LEAST_EXPLORATION, EXPLORATION[self.algorithm] * self.params.exploration_decay**steps)

    def episode(self, number: int) -> dict[str, float]:
        """Act and learn for one episode of all samples, decided by the seed and ``number``: its report."""
        seed = derive(self._seed, "episode", number)
        explored = self.exploration
        self._model.action_space.seed(seed % 2**32)
        self._model._last_obs = None  # begin with a reset
        if self.algorithm == "dqn":
            self._model.exploration_rate = explored
        elif self.algorithm == "ppo":
            self._model.ent_coef = explored
        else:
            self._model.action_noise = _noise(self._model.action_space.shape, explored)
        with ambient(seed):
            self._model.learn(self._each, reset_num_timesteps=False)
        return {**self.environment.report, "exploration": explored}

    def greedy(self) -> dict[str, float]:
        """One episode of what the agent thinks best, without learning; the environment's report."""
        states = self.environment.reset()
        for _ in range(self._steps):
            actions, _ = self._model.predict(states, deterministic=True)
            states, *_ = self.environment.step(actions)
        return self.environment.report

    def state(self) -> dict[str, np.ndarray]:
        """Everything that later episodes depend on, between two of them."""
        weights = io.BytesIO()
        torch.save(self._model.get_parameters(), weights)
        kept = {"weights": np.frombuffer(weights.getvalue(), np.uint8)}
        calls = getattr(self._model, "_n_calls", 0)
        kept["counters"] = np.array([self._model.num_timesteps, self._model._n_updates, calls])
        if memory := self._memory():
            kept["memory"] = np.array([memory.pos, memory.full])
            kept |= {name: getattr(memory, name) for name in MEMORY}
        return kept

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave."""
        weights = torch.load(io.BytesIO(arrays["weights"].tobytes()), weights_only=True)
        self._model.set_parameters(weights, exact_match=True, device="cpu")
        self._model.num_timesteps, self._model._n_updates, calls = map(int, arrays["counters"])
        if self.algorithm == "dqn":
            self._model._n_calls = calls
        if memory := self._memory():
            memory.pos, memory.full = int(arrays["memory"][0]), bool(arrays["memory"][1])
            for name in MEMORY:
                getattr(memory, name)[:] = arrays[name]

    def _memory(self) -> ReplayBuffer | None:
        return getattr(self._model, "replay_buffer", None)


def random_episode(environment: SampleEnvironment, seed: int) -> dict[str, float]:
    """One episode of random actions, all equally likely, decided by the seed; the environment's report."""
    rng, space = generator(seed, "random episode"), environment.action_space
    environment.reset()
    for _ in range(environment.params.steps):
        n = environment.num_envs
        actions = (
            rng.integers(space.n, size=n) if isinstance(space, Discrete) else rng.uniform(-1, 1, (n, *space.shape))
        )
        environment.step(actions)
    return environment.report


def play(
    environment: SampleEnvironment,
    learner: Learner | None,
    episodes: int,
    *,
    seed: int,
    log: RunLog,
    state: Mapping[str, np.ndarray],
    beside: Callable[[], dict[str, np.ndarray]] = dict,
) -> None:
    """The agent's episodes and one more without exploring, or as many of random actions where there is none.

    ``environment.best`` is then the set that is kept of all of them. state: what a checkpoint of this held, or
    nothing of it; beside: what checkpoints hold beside it.
    """
    total, done = episodes + 1, int(state.get("episodes", 0))
    if done:
        environment.best = Chosen(state["base"], state["edits"], state["untrained"], float(state["value"]))
        if learner:
            learner.restore(part_of(state, "agent"))

    def whole() -> dict[str, np.ndarray]:
        best, agent = vars(environment.best), learner.state() if learner else {}
        kept = {name: np.array(value) for name, value in best.items()} | {"episodes": np.array(done)}
        return {**kept, **beside(), **joined({"agent": agent})}

    while done < total:
        if learner is None:
            report = random_episode(environment, derive(seed, "random", done))
        else:
            report = learner.episode(done) if done < total - 1 else learner.greedy()
        done += 1
        log.metrics(done, **report, best_value=environment.best.value)
        log.progress(done, total, f"reward {report['reward']:.3f}, held-out {environment.best.value:.3f}")
        log.checkpoint(whole)


@contextmanager
def ambient(seed: int) -> Iterator[None]:
    """The global generators of Python, numpy and PyTorch seeded inside, and as they were afterwards."""
    python, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - what stable-baselines3 draws from
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy_state)  # noqa: NPY002


def _noise(shape: tuple[int, ...], deviation: float) -> NormalActionNoise:
    return NormalActionNoise(np.zeros(shape), np.full(shape, deviation))


def _divisor(number: int, most: int) -> int:
    """The largest divisor of ``number`` in 2..most; the number itself where there is none."""
    return next((d for d in range(min(most, number), 1, -1) if number % d == 0), number)
