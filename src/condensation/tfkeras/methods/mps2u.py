"""MPS2U: a reinforcement-learning agent that chooses which real images stand for their class.

The MPS family's main system: a small CNN is trained on the real data with early stopping and a limit of epochs by data
set; an agent with replay memory replaces samples of the current set by candidates of their class, rewarded for what
the change brings; the best set on held-out images is kept. Whole batches in compiled graphs throughout.

Differences from the authors' description, on purpose: the agent's choices change the set; its default reward is the
gain of a last layer on held-out images, not the CNN's agreement alone; it starts from k-means in the CNN's features
rather than from random images.

The hold-out is a stratified part of ``train``; the project's validation and test data are never seen.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from condensation.core.condensed import CondensedDataset, check_request
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.tfkeras.agent import Agent, AgentParams, Head
from condensation.tfkeras.choosing import ChoosingParams, choose
from condensation.tfkeras.networks import features_of, training_cnn
from condensation.tfkeras.pool import Pool
from condensation.tfkeras.representatives import k_means
from condensation.tfkeras.ridge import RidgeScore
from condensation.tfkeras.selection_environment import STATE, EnvironmentParams, SelectionEnvironment
from condensation.tfkeras.training import CnnParams, deterministic, logits_of, prefixed, train_cnn, under


class Params(Section):
    """Parameters of MPS2U."""

    agent: Literal["on", "off"]  # off: the same rounds spent on random options
    head: Head = "softmax"
    hold_out: float = Field(gt=0, lt=1)  # of each class of train
    cnn: CnnParams
    q: AgentParams
    environment: EnvironmentParams
    choosing: ChoosingParams


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """``images_per_class`` real images of each class, chosen by the agent; hard labels.

    Raises InputError when a class has too few images for the set beside the hold-out.
    """
    check_request(train, images_per_class)
    with deterministic():
        chosen, rest = _choose(train, images_per_class, params, seed, log)
    return CondensedDataset.build(
        train,
        rest.pixels(chosen),
        rest.labels[chosen],
        method="mps2u",
        images_per_class=images_per_class,
        seed=seed,
        params=params,
    )


def _choose(
    train: ImageSet, images_per_class: int, params: Params, seed: int, log: RunLog
) -> tuple[np.ndarray, ImageSet]:
    """Positions of the chosen images, and the images that they are positions in."""
    state = log.resume()
    rest, held = train.split(params.hold_out, derive(seed, "hold-out"))
    check_request(rest, images_per_class)
    model = training_cnn(train.image_shape, train.classes, derive(seed, "cnn"), width=params.cnn.width)
    trained = train_cnn(model, rest, held, params.cnn, derive(seed, "training"), log=log, state=under("cnn", state))
    environment = _environment(model, rest, held, params, images_per_class, seed)
    agent = Agent(environment.slots, 1 + environment.candidates, STATE, params.q, params.head, derive(seed, "agent"))
    chosen = choose(
        environment,
        agent,
        _representatives(environment, images_per_class, seed),
        params.choosing,
        train.dataset,
        acts=params.agent,
        log=log,
        state=under("choosing", state),
        kept=lambda: prefixed("cnn", trained),
    )
    return chosen, rest


def _environment(
    model: object, rest: ImageSet, held: ImageSet, params: Params, images_per_class: int, seed: int
) -> SelectionEnvironment:
    pool = Pool.of(model, rest)
    ridge = RidgeScore(
        pool.features,
        pool.labels,
        logits_of(features_of(model), held.images),
        held.labels,
        classes=rest.classes,
        penalty=params.environment.ridge_penalty,
    )
    return SelectionEnvironment(pool, ridge, params.environment, images_per_class, derive(seed, "environment"))


def _representatives(environment: SelectionEnvironment, images_per_class: int, seed: int) -> np.ndarray:
    """The agent's start: k-means in the CNN's features, class by class."""
    chosen = [
        own[k_means(environment.pool.features[own], images_per_class, derive(seed, "start", label))]
        for label, own in enumerate(environment.members)
    ]
    return np.concatenate(chosen)
