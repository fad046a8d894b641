"""The family's reinforcement-learning environment: a current set, a pool of candidates, and swaps between them.

A round (one ``step``) asks about ``slots`` places of the current set at once. For each place the agent sees the sample
that holds it (option 0) and ``candidates`` pool samples of the place's cell (options 1..; again and again where the
cell has fewer), and chooses one: keep or replace. All answers are applied together.

The cell of a place is what lies nearer to the sample that the place started with than to the others of its class. So
whatever the agent chooses, the set covers its classes as the start did; free of cells it gains as much on held-out
images by the reward's own measure, and less when networks are trained on it.

Observation: float32 (slots, 1 + candidates, STATE), the state of every option; see ``STATE_NAMES``. All entries are
standardised over the pool or bounded, and cut off at -5 and 5.
Action: integers (slots,), each in 0..candidates; 0 keeps.
Reward: ``info["rewards"]`` float32 (slots,), and their mean as gymnasium's scalar. Three kinds:
    agreement: +1 when the CNN gives the chosen sample its label, -1 otherwise (the authors').
    similarity_and_classification: 0.5 / (1 + mean absolute pixel change, 0..1 scale) + 0.5 when the CNN gives the
        chosen sample its label: in 0.25..1.
    validation_gain: the gain on held-out images of a last layer trained on the set with this one swap made (closed
        form, see ridge.py): 0 for keep. The gain is that in accuracy (-1..1) plus that in mean squared error.
An episode is ``rounds`` rounds; it starts from the set passed to ``reset``, one sample of each cell. The agent walks
over the set as the authors' does over samples: the next observation is of other places, drawn anew, so what its
discount weighs is how good a choice the set as it then is still offers, not what becomes of the same place.
"""

from typing import Any, Literal

import gymnasium
import numpy as np
from pydantic import Field

from condensation.core.clusters import squared_distances
from condensation.core.params import Section
from condensation.core.randomness import generator
from condensation.tfkeras.pool import Pool
from condensation.tfkeras.ridge import RidgeScore

STATE_NAMES = (
    "holds the place",  # 1 for option 0, else 0
    "CNN margin",  # logit of the own class less the best other one, standardised
    "CNN agreement",  # 1 when the CNN gives the label, else 0
    "distance to class mean",  # in features, standardised
    "sparsity",  # mean distance to the nearest samples of the class, standardised
    "redundancy",  # -distance to the nearest other member of the set of its class, standardised
    "margin of the set",  # margin by the last layer trained on the current set
    "influence",  # first-order fall of the held-out error were it added, standardised within the round
    "class error",  # held-out error of its class now, 0..1
)
STATE = len(STATE_NAMES)
BOUND = 5.0  # entries of an observation lie in -BOUND..BOUND
Reward = Literal["agreement", "similarity_and_classification", "validation_gain"]


class EnvironmentParams(Section):
    """What the agent is asked and how it is rewarded; the reward that is the default is the authors'."""

    reward: Reward = "agreement"
    reward_scale: float = Field(gt=0)
    rounds: int = Field(ge=1)  # in an episode
    slots: int = Field(ge=1)  # places asked about in a round
    candidates: int = Field(ge=1)  # offered for each place


class SelectionEnvironment(gymnasium.Env[np.ndarray, np.ndarray]):
    """See the module's docstring. ``seed`` decides every proposal; ``reset(options={"set", "round"})`` places it.

    start: the set whose samples the cells lie around, different pool positions, int (size,).
    """

    def __init__(self, pool: Pool, ridge: RidgeScore, params: EnvironmentParams, start: np.ndarray, seed: int):
        self.pool, self.ridge, self.params = pool, ridge, params
        self._seed, self._round = seed, 0
        self.slots = min(params.slots, len(start))
        self.members = [pool.members(label) for label in range(ridge.classes)]
        self.set, self._start, self._cell = start, start, self._cells_around(start)
        self.candidates = max(1, min(params.candidates, int(np.bincount(self._cell).max()) - 1))
        self._static = self._known_states()
        shape = (self.slots, 1 + self.candidates, STATE)
        self.observation_space = gymnasium.spaces.Box(-BOUND, BOUND, shape, np.float32)
        self.action_space = gymnasium.spaces.MultiDiscrete([1 + self.candidates] * self.slots)

    def _cells_around(self, start: np.ndarray) -> np.ndarray:
        """The place in whose cell each pool sample lies, int (pool,)."""
        cell = np.empty(len(self.pool), np.int64)
        for label, own in enumerate(self.members):
            places = np.flatnonzero(self.pool.labels[start] == label)
            distances = squared_distances(self.pool.features[own], self.pool.features[start[places]])
            cell[own] = places[distances.argmin(1)]
        cell[start] = np.arange(len(start))  # also where several coincide
        return cell

    def _known_states(self) -> np.ndarray:
        pool, known = self.pool, np.zeros((len(self.pool), STATE), np.float32)
        known[:, 1] = _standardised(pool.margins)
        known[:, 2] = pool.margins > 0
        self._distance_scale = np.ones(len(self.members))
        for c, own in enumerate(self.members):
            x = pool.features[own]
            spread = sparsity(x)
            self._distance_scale[c] = spread.mean() + 1e-12
            known[own, 3] = _standardised(np.linalg.norm(x - x.mean(0), axis=1))
            known[own, 4] = _standardised(spread)
        return known

    def random_action(self) -> np.ndarray:
        """An option for each place, all equally likely; decided by the seed and the round."""
        rng = generator(self._seed, "random action", self._round)
        return rng.integers(1 + self.candidates, size=self.slots)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode from ``options["set"]``, int (size,), else the start, at the global ``options["round"]``.

        Raises ValueError for a set that has not one sample of each cell, in the order of the start.
        """
        super().reset(seed=seed)
        options = options or {}
        self._round = int(options.get("round", 0))
        self.set = np.array(options.get("set", self._start))
        if not np.array_equal(self._cell[self.set], np.arange(len(self.set))):
            raise ValueError("the set must hold one sample of each cell, in order")
        self._end = self._round + self.params.rounds
        self.ridge.fit(self.set)
        self._propose()
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Give each asked place the chosen option; see the module's docstring."""
        picked = self._options[np.arange(self.slots), action]
        rewards = self._rewards(picked).astype(np.float32) * np.float32(self.params.reward_scale)
        self.set = self.set.copy()
        self.set[self._places] = picked
        if np.any(action):
            self.ridge.fit(self.set)
        self._round += 1
        self._propose()
        info = {"rewards": rewards, "replaced": int(np.count_nonzero(action))}
        return self._observe(), float(rewards.mean()), False, self._round >= self._end, info

    def _propose(self) -> None:
        """Places and, for each, its holder and others of its cell; cells do not overlap, so no sample enters twice."""
        rng = generator(self._seed, "round", self._round)
        self._places = rng.permutation(len(self.set))[: self.slots]
        self._options = np.empty((self.slots, 1 + self.candidates), np.int64)
        for row, place in enumerate(self._places):
            others = np.flatnonzero(self._cell == place)
            others = rng.permutation(others[others != self.set[place]])
            self._options[row, 0] = self.set[place]
            self._options[row, 1:] = np.resize(others, self.candidates) if len(others) else self.set[place]

    def _observe(self) -> np.ndarray:
        options = self._options
        state = self._static[options].copy()
        state[:, 0, 0] = 1
        state[..., 5] = self._redundancy()
        state[..., 6] = self.ridge.margins(options)
        influence = self.ridge.influences(options)
        state[..., 7] = influence / (influence.std() + 1e-12)
        state[..., 8] = self.ridge.class_errors()[self.pool.labels[options]]
        return np.clip(state, -BOUND, BOUND)

    def _redundancy(self) -> np.ndarray:
        labels = self.pool.labels[self._options[:, 0]]
        nearest = np.zeros(self._options.shape)
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            mates = np.flatnonzero(self.pool.labels[self.set] == label)
            options = self._options[rows]
            distance = squared_distances(
                self.pool.features[options.ravel()], self.pool.features[self.set[mates]]
            ).reshape(*options.shape, len(mates))
            distance[np.equal(self._places[rows, None], mates)[:, None].repeat(options.shape[1], 1)] = np.inf
            nearest[rows] = np.sqrt(distance.min(-1)) / self._distance_scale[label] if len(mates) > 1 else 1.0
        return -nearest

    def _rewards(self, picked: np.ndarray) -> np.ndarray:
        agrees = self.pool.margins[picked] > 0
        if self.params.reward == "agreement":
            return np.where(agrees, 1.0, -1.0)
        held = self.set[self._places]
        if self.params.reward == "similarity_and_classification":
            change = np.abs(self.pool.pixels[picked] - self.pool.pixels[held]).mean((1, 2, 3))
            return 0.5 / (1 + change) + 0.5 * agrees
        loss, accuracy = self.ridge.swaps(self._places, picked)
        gain = (accuracy - self.ridge.accuracy) + (self.ridge.loss - loss)
        return np.where(picked == held, 0.0, gain)


def _standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / (values.std() + 1e-12)


def sparsity(points: np.ndarray, neighbours: int = 5, rows: int = 1024) -> np.ndarray:
    """Mean distance of each point (n, f) to its nearest ``neighbours`` others, float (n,); 0 for a lone point."""
    near = min(neighbours, len(points) - 1)
    if near < 1:
        return np.zeros(len(points))
    result = np.empty(len(points))
    for i in range(0, len(points), rows):
        squared = squared_distances(points[i : i + rows], points)
        squared[np.arange(len(squared)), i + np.arange(len(squared))] = np.inf
        result[i : i + rows] = np.sqrt(np.partition(squared, near - 1, 1)[:, :near]).mean(1)
    return result
