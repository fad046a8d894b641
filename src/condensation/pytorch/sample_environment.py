"""The environment of MPS-o and MPS-5o: a set of samples that an agent edits and replaces, all of them at once.

One environment of stable-baselines3's vectorised kind steps every sample of the set; what changed goes through the
networks in one batch. Each sample holds a place, and an episode of ``steps`` actions starts from the same real images.

State of a sample, float32 (d,): its features in the CNN (or its pixels) and NUMBERS, standardised or bounded, cut off
at -5 and 5.
Action, discrete (a table, see sample_edits.py) or float (5,) in -1..1: keep it, edit it, or put another image of its
cell in its place. A cell is what lies nearer to the start's sample than to the start's others of the class, so the set
goes on covering its classes. Candidates are ranked from the middle of the cell outwards: by how sure the CNN is of them
instead, the first rank would be the plainest images, which teach least (MNIST, 10 per class from a random start, one
set, validation: the surest of each cell 89.5, the most central 93.8, the start 93.6).
Reward, the weighted sum of three parts, which are logged by episode:
    similarity: 1 / (1 + mean absolute pixel change), change being what the edit did to the real image, in 0..1.
    classification: whether the CNN gives the sample its label, 0 or 1, or the label's probability.
    gain: by how much the held-out error of a last layer on the set (ridge.py) falls when this sample alone takes the
        place of the one before it, in shares of that error were every place to gain as much; cut off at -1 and 1.
The authors' reward is 0.5, 0.5 and 0. By itself it says what to avoid (images that no longer look like their class)
and not what a set lacks: keeping everything is worth nearly the most. What it can teach is to put a clear image of a
cell in place of a doubtful one; what the set gains from that, held-out images say. All places act at once, and a set
in which all have moved is hardly ever better than the one before: so the set that is kept takes over, after each step,
those samples that would make it better one by one.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal

import gymnasium
import numpy as np
from pydantic import Field
from stable_baselines3.common.vec_env import VecEnv

from condensation.core.params import Section
from condensation.pytorch.candidates import Eyes, Pool, Views
from condensation.pytorch.ridge import RidgeLayer
from condensation.pytorch.sample_edits import (
    CONTINUOUS,
    EDITS,
    EditParams,
    continuous_moves,
    discrete_moves,
    discrete_table,
    edited,
)

NUMBERS = ("probability", "named rightly", "margin", "worth", "rank", *("edit",) * EDITS, "share of the episode")
BOUND = 5.0
PARTS = ("similarity", "classification", "gain")


class RewardParams(Section):
    """Weights of the three parts; the defaults are the authors'. classification: what its part is."""

    similarity: float = Field(0.5, ge=0)
    classification: float = Field(0.5, ge=0)
    gain: float = Field(0.0, ge=0)
    kind: Literal["agreement", "probability"] = "agreement"


class EnvironmentParams(Section):
    """state: what an agent sees of an image. steps: actions of an episode. choices: candidates in the table.

    edits: null where images are only chosen, by discrete actions.
    """

    state: Literal["features", "pixels"]
    steps: int = Field(ge=1)
    choices: int = Field(ge=1)
    edits: EditParams | None
    reward: RewardParams


@dataclass(frozen=True)
class Chosen:
    """A set: positions of its real images in the pool, int (n,), their edits, float (n, 4), and what it is worth.

    untrained: what untrained networks see of its samples, float32 (n, f).
    """

    base: np.ndarray
    edits: np.ndarray
    untrained: np.ndarray
    value: float


class SampleEnvironment(VecEnv):
    """See the module's docstring.

    best: the set that is kept, of the highest held-out value. report: mean reward of the last episode and of its parts,
    and the share of places whose image was replaced.
    eyes: see edited images; not needed where there are no edits.
    """

    render_mode: str | None = None

    def __init__(
        self,
        pool: Pool,
        eyes: Eyes | None,
        ridge: RidgeLayer,
        params: EnvironmentParams,
        start: np.ndarray,
        *,
        discrete: bool,
    ) -> None:
        self.pool, self.eyes, self.ridge, self.params = pool, eyes, ridge, params
        self._start, self._cells = start, pool.cells(start)
        step = params.edits.step if params.edits else None
        self._table = discrete_table(params.choices, step) if discrete else None
        self._rank = np.zeros(len(pool))
        for cell in self._cells:
            self._rank[cell] = np.linspace(0, 1, len(cell)) if len(cell) > 1 else 0.0
        self._margin_scale = pool.views.margin.std() + 1e-6
        self.labels = pool.labels[start]
        self._base, self._edits = start, np.zeros((len(start), EDITS))
        width = pool.views.features.shape[1] if params.state == "features" else pool.pixels[0].size
        space = gymnasium.spaces.Box(-BOUND, BOUND, (width + len(NUMBERS),), np.float32)
        actions = gymnasium.spaces.Discrete(len(self._table)) if self._table else _cube(CONTINUOUS)
        super().__init__(len(start), space, actions)
        self._place(start, self._edits)
        self.best = self._current()
        self.report: dict[str, float] = {}

    @property
    def best(self) -> Chosen:
        """The set that is kept; another may be put in its place."""
        return self._best

    @best.setter
    def best(self, chosen: Chosen) -> None:
        self._best, self._keeper = chosen, copy(self.ridge)
        self._keeper.fit(chosen.untrained, self.labels)

    def images(self, base: np.ndarray, edits: np.ndarray) -> np.ndarray:
        """The pictures of a set, float32 (n, h, w, c) at pixel scale; base and edits as in Chosen."""
        pictures = self.pool.pixels[base].copy()
        rows = np.flatnonzero(edits.any(1))
        if len(rows) and self.params.edits:
            pictures[rows] = edited(pictures[rows], edits[rows], self.params.edits)
        return pictures

    def reset(self) -> np.ndarray:
        """Begin an episode from the start: the first states, float32 (n, d)."""
        self._done, self._sums = 0, np.zeros(1 + len(PARTS))
        self._place(self._start, np.zeros((self.num_envs, EDITS)))
        return self._observe()

    def step_async(self, actions: np.ndarray) -> None:
        """Remember the actions of all samples, int (n,) or float (n, 5)."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Do them: states, rewards, whether the episode is over, and the last states where it is."""
        move = discrete_moves(self._table, self._actions) if self._table else continuous_moves(self._actions)
        base, edits = self._base.copy(), self._edits.copy()
        for place in np.flatnonzero(~np.isnan(move.ranks)):
            cell = self._cells[place]
            base[place], edits[place] = cell[round(float(move.ranks[place]) * (len(cell) - 1))], 0.0
        gain = self._place(base, np.clip(edits + move.edits if move.adds else move.edits, -1, 1), self._views)
        rewards = self._reward(gain)
        self._done += 1
        self._keep()
        over = self._done == self.params.steps
        states = self._observe()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if over:
            self._tell()
            infos = [{"terminal_observation": state} for state in states]
            states = self.reset()
        return states, rewards, np.full(self.num_envs, over), infos

    def _current(self) -> Chosen:
        return Chosen(self._base, self._edits, self._views.untrained, self.ridge.value)

    def _keep(self) -> None:
        """Keep the set as it is now where it is the best, or those of its samples that make the kept one better.

        One at a time, whichever promises most, until one does not keep its promise.
        """
        now = self._current()
        if now.value > self._best.value:
            self.best = now
        while True:
            best = self._best
            falls = self._keeper.swaps(best.untrained, now.untrained, self.labels)
            other = np.arange(self.num_envs) == falls.argmax()
            if falls.max() <= 0:
                return
            base, untrained = np.where(other, now.base, best.base), best.untrained.copy()
            untrained[other] = now.untrained[other]
            self._keeper.fit(untrained, self.labels)
            if self._keeper.value <= best.value:
                self._keeper.fit(best.untrained, self.labels)
                return
            edits = np.where(other[:, None], now.edits, best.edits)
            self._best = Chosen(base, edits, untrained, self._keeper.value)

    def _place(self, base: np.ndarray, edits: np.ndarray, before: Views | None = None) -> np.ndarray:
        """Make this the set, see what changed in one batch and fit the last layer; the gain of each place, float (n,).

        before: of the samples of the layer as it is; none, no gain.
        """
        pictures, views = self.images(base, edits), self.pool.views.take(base)
        same = np.zeros(self.num_envs, bool)
        if before is not None:
            same = (base == self._base) & (edits == self._edits).all(1)
            views.put(np.flatnonzero(same), before.take(np.flatnonzero(same)))
        rows = np.flatnonzero(edits.any(1) & ~same)
        if len(rows) and self.eyes:
            views.put(rows, self.eyes.see(pictures[rows], self.labels[rows]))
        self._base, self._edits = base, edits
        change = np.abs(pictures - self.pool.pixels[base]).mean((1, 2, 3))
        self._views, self._similarity = views, 1 / (1 + change)
        gain = np.zeros(self.num_envs)
        if before is not None:
            falls = self.ridge.swaps(before.untrained, views.untrained, self.labels)
            gain = self.num_envs * falls / (self.ridge.loss + 1e-12)
        self.ridge.fit(views.untrained, self.labels)
        return gain

    def _reward(self, gain: np.ndarray) -> np.ndarray:
        weights, views = self.params.reward, self._views
        classified = views.probability if weights.kind == "probability" else (views.margin > 0).astype(np.float64)
        parts = np.stack([self._similarity, classified, np.clip(gain, -1, 1)])
        rewards = np.array([weights.similarity, weights.classification, weights.gain]) @ parts
        self._sums += [rewards.mean(), *parts.mean(1)]
        return rewards.astype(np.float32)

    def _tell(self) -> None:
        means = self._sums / self.params.steps
        self.report = dict(zip(("reward", *PARTS), means.tolist(), strict=True))
        self.report["replaced"] = float((self._base != self._start).mean())

    def _observe(self) -> np.ndarray:
        views, places = self._views, np.arange(self.num_envs)
        worth = self.ridge.worth(views.untrained, self.labels)
        numbers = np.column_stack(
            [
                views.probability,
                views.margin > 0,
                views.margin / self._margin_scale,
                worth / (worth.std() + 1e-12),
                self._rank[self._base],
                self._edits,
                np.full(len(places), self._done / self.params.steps),
            ]
        )
        seen = views.features if self.params.state == "features" else self._pixels()
        return np.clip(np.column_stack([seen, numbers]), -BOUND, BOUND).astype(np.float32)

    def _pixels(self) -> np.ndarray:
        return self.images(self._base, self._edits).reshape(self.num_envs, -1)

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """One value for every sample: they share all attributes."""
        return [getattr(self, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Not possible: the samples are not environments of their own."""
        raise NotImplementedError("the samples of a set share their attributes")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Not possible: the samples are not environments of their own."""
        raise NotImplementedError("the samples of a set share their methods")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> Sequence[bool]:
        """Nothing is wrapped around a sample."""
        return [False] * self.num_envs


def _cube(dimensions: int) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(-1.0, 1.0, (dimensions,), np.float32)
