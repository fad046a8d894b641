"""What the family's systems share: a CNN trained on real data, a pool of candidates, an agent that makes the set.

A part of ``train``, stratified, is held out: it stops the CNN's training, rewards the agent and picks the best set. The
project's validation and test data are never seen. A system says which candidates there are and from which set the
agent starts; the rest is here. Each phase's end is kept, so an interrupted run goes on where it was.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import keras
import numpy as np
from pydantic import Field

from condensation.core.condensed import CondensedDataset, check_request
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.parts import part_of
from condensation.core.randomness import derive, generator
from condensation.core.runlog import RunLog
from condensation.tfkeras.agent import Agent, AgentParams, Arrays, Head
from condensation.tfkeras.choosing import ChoosingParams, choose
from condensation.tfkeras.networks import features_of, training_cnn
from condensation.tfkeras.pool import Pool
from condensation.tfkeras.ridge import RidgeScore
from condensation.tfkeras.selection_environment import STATE, EnvironmentParams, SelectionEnvironment
from condensation.tfkeras.training import CnnParams, deterministic, logits_of, train_cnn
from condensation.tfkeras.untrained import UntrainedParams, untrained_features

PENALTY_SETS = 3


class RidgeParams(Section):
    """The last layer whose score on held-out images the agent is rewarded for; see ridge.py.

    penalties: of which the one is taken that suits random sets of the wanted size.
    untrained: networks in whose features it is fitted; null for the trained CNN's own.
    """

    penalties: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)
    untrained: UntrainedParams | None


class SystemParams(Section):
    """What every system of the family has."""

    agent: Literal["on", "off"]  # off: the same rounds spent on random options
    head: Head
    hold_out: float = Field(gt=0, lt=1)  # of each class of train
    cnn: CnnParams
    ridge: RidgeParams
    q: AgentParams
    environment: EnvironmentParams
    choosing: ChoosingParams


@dataclass(frozen=True)
class Desk:
    """What a system has before it when it says which candidates there are.

    train: without the hold-out, ``held``. sizes: how many of each class the set will hold, int (classes,). model: the
    trained CNN. state: what an interrupted run saved.
    """

    train: ImageSet
    held: ImageSet
    sizes: np.ndarray
    model: keras.Model
    params: RidgeParams
    seed: int
    log: RunLog
    state: Arrays

    def ridge(self, pool: Pool) -> RidgeScore:
        """The layer that scores sets of a pool's candidates on the hold-out."""
        if self.params.untrained is None:
            features, held = pool.features, logits_of(features_of(self.model), self.held.images)
        else:
            features, held = self._untrained(pool, self.params.untrained)
        classes, penalties = self.held.classes, self.params.penalties
        layer = RidgeScore(features, pool.labels, held, self.held.labels, classes=classes, penalty=penalties[0])
        starts = [random_start(pool, self.sizes, derive(self.seed, "penalty", i)) for i in range(PENALTY_SETS)]
        layer.choose_penalty(penalties, starts)
        return layer

    def _untrained(self, pool: Pool, params: UntrainedParams) -> tuple[np.ndarray, np.ndarray]:
        """Features of the candidates and of the hold-out, the same for all sizes and agents."""
        seed = derive(self.seed, "ridge features")

        def make() -> Arrays:
            features, held = untrained_features([pool.pixels, self.held.pixels()], params, seed)
            return {"pool": features, "held": held}

        digest = hashlib.sha256(np.ascontiguousarray(pool.pixels).data).hexdigest()
        of = [digest, self.held.sha256, params.model_dump(mode="json"), seed]
        kept = self.log.keep("untrained", make, of=of)
        return kept["pool"], kept["held"]


Candidates = Callable[[Desk], tuple[Pool, RidgeScore, np.ndarray]]
"""From a desk to the pool, the layer that scores it and the set to start from: positions, int (size,), by class."""


def condense_by(
    candidates: Candidates,
    train: ImageSet,
    *,
    method: str,
    images_per_class: int,
    params: SystemParams,
    seed: int,
    log: RunLog,
    sizes: np.ndarray | None = None,
) -> CondensedDataset:
    """The set that the agent makes of a system's candidates; hard labels.

    sizes: images of each class, int (classes,), where they are not all ``images_per_class``.
    Raises InputError when a class has too few images for the set beside the hold-out.
    """
    check_request(train, images_per_class)
    if sizes is None:
        sizes = np.full(train.classes, images_per_class)
    rest, held = train.split(params.hold_out, derive(seed, "hold-out"))
    check_request(rest, images_per_class)
    with deterministic():
        pool, chosen = _chosen(candidates, rest, held, sizes, params, seed, log)
    return CondensedDataset.build(
        train,
        pool.pixels[chosen],
        pool.labels[chosen],
        method=method,
        images_per_class=images_per_class,
        seed=seed,
        params=params,
    )


def _chosen(
    candidates: Candidates,
    rest: ImageSet,
    held: ImageSet,
    sizes: np.ndarray,
    params: SystemParams,
    seed: int,
    log: RunLog,
) -> tuple[Pool, np.ndarray]:
    state = log.resume() or {}
    model = training_cnn(rest.image_shape, rest.classes, derive(seed, "cnn"), width=params.cnn.width)

    def train_it() -> Arrays:
        begun = part_of(state, "cnn")
        return train_cnn(model, rest, held, params.cnn, derive(seed, "training"), log=log, state=begun)

    of = [rest.sha256, held.sha256, params.cnn.model_dump(mode="json"), seed]
    trained = log.keep("cnn", train_it, of=of)
    train_cnn(model, rest, held, params.cnn, derive(seed, "training"), log=log, state=trained)
    pool, ridge, start = candidates(Desk(rest, held, sizes, model, params.ridge, seed, log, state))
    environment = SelectionEnvironment(pool, ridge, params.environment, start, derive(seed, "environment"))
    agent = Agent(environment.slots, 1 + environment.candidates, STATE, params.q, params.head, derive(seed, "agent"))
    begun = part_of(state, "choosing")
    return pool, choose(
        environment, agent, start, params.choosing, rest.dataset, acts=params.agent, log=log, state=begun
    )


def random_start(pool: Pool, sizes: np.ndarray, seed: int) -> np.ndarray:
    """``sizes`` random candidates of each class: int (size,), sorted by class."""
    rng = generator(seed, "random start")
    return np.concatenate([rng.permutation(pool.members(label))[:size] for label, size in enumerate(sizes)])
