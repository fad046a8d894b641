"""What MPS-o and MPS-5o share: a CNN trained on real data, candidates, an agent that makes the set, the best set kept.

A part of ``train``, stratified, is held out: it scores the sets, and with them the agent's episodes. The project's
validation and test data are never seen. The result is the best set on held-out images that can be put together, sample
by sample, from what the agent goes through, the start included (sample_environment.py); with the agent off the same
number of episodes is spent on random actions.
"""

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal, Self

import numpy as np
import psutil
import torch
from pydantic import Field, model_validator

from condensation.core.condensed import CondensedDataset, check_request
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.parts import joined, part_of
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.pytorch.agent_search import SearchParams, search
from condensation.pytorch.agents import DISCRETE, AgentParams, Algorithm, Learner, play
from condensation.pytorch.candidates import Eyes, Pool, random_candidates
from condensation.pytorch.classifiers import CnnName, check_memory, classifier, training_memory
from condensation.pytorch.cores import blas_on_one_core
from condensation.pytorch.networks import Network, load_weights, weights_of
from condensation.pytorch.sample_environment import Chosen, EnvironmentParams, SampleEnvironment
from condensation.pytorch.teacher import normalisation
from condensation.pytorch.training import Recipe, Training, predict, to_input
from condensation.pytorch.untrained import UntrainedFeatures, UntrainedParams

Arrays = dict[str, np.ndarray]
LEARNED = ("learning_rate", "exploration_decay")


class CnnParams(Recipe):
    """Which CNN looks at the samples, and how it is trained."""

    name: CnnName


class SystemParams(Section):
    """What both systems have.

    episodes: of all samples together. start: the set that every episode begins with. hold_out: share of each class of
    train; held: the most images of a class of these that score sets. candidates: random training images that may be
    chosen. dimensions: features of a sample in the agent's
    state. learner: the agent's own numbers. search: null to take these as they are. penalties: of the last layer, of
    which the one is taken that suits random sets of the wanted size. memory_limit_gb: null for what the machine
    has free.
    """

    agent: Literal["on", "off"]
    algorithm: Algorithm
    episodes: int = Field(ge=1)
    start: Literal["random", "k_means"]
    hold_out: float = Field(gt=0, lt=1)
    held: int = Field(ge=1)
    candidates: int = Field(ge=1)
    dimensions: int = Field(ge=1)
    cnn: CnnParams
    environment: EnvironmentParams
    learner: AgentParams
    search: SearchParams | None
    untrained: UntrainedParams
    penalties: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)
    memory_limit_gb: float | None = Field(gt=0)

    @model_validator(mode="after")
    def _actions_there_are(self) -> Self:
        if self.environment.edits is None and self.algorithm not in DISCRETE:
            raise ValueError(f"algorithm {self.algorithm} acts by edits; without them allowed: {', '.join(DISCRETE)}")
        return self


@dataclass(frozen=True)
class Made:
    """How a set came about: the environment, the set that it started from, the best one, the agent where it was on."""

    environment: SampleEnvironment
    start: Chosen
    best: Chosen
    learner: Learner | None


class System:
    """One run: the split, the CNN, the environment and the episodes.

    adapted: whether the CNN is adapted to the images' size, or the images are resized to what the CNN expects.
    Raises InputError for sets that are not possible and when the memory is not enough, before any work.
    """

    def __init__(
        self, train: ImageSet, images_per_class: int, params: SystemParams, seed: int, log: RunLog, *, adapted: bool
    ) -> None:
        check_request(train, images_per_class)
        self.params, self.seed, self.log, self.adapted = params, seed, log, adapted
        self.images_per_class = images_per_class
        self.rest, self.held = train.split(params.hold_out, derive(seed, "hold-out"))
        check_request(self.rest, images_per_class)
        self._check_memory()
        self._scale = normalisation(self.rest)
        self._state = log.resume() or {}

    def _check_memory(self) -> None:
        """Say what the training needs and refuse what does not fit."""
        cnn, images = self.params.cnn, self.rest.images
        batch = min(cnn.batch_size, len(self.rest))
        shape, classes = self.rest.image_shape, self.rest.classes
        needed = training_memory(cnn.name, image_shape=shape, classes=classes, adapted=self.adapted, batch=batch)
        needed += 2 * 4 * images.size  # the training images as float32, at pixel scale and normalised
        limit = self.params.memory_limit_gb
        allowed = psutil.virtual_memory().available if limit is None else int(limit * 2**30)
        what = f"{cnn.name} on batches of {batch}"
        check_memory(needed, allowed, what)
        self.log.progress(1, 1, f"{what} needs about {needed / 2**30:.2f} GiB of memory, {allowed / 2**30:.2f} allowed")

    def made(self) -> Made:
        """Do the work."""
        environment = self._environment(self._cnn())
        scores = [float(score) for score in self._state.get("scores", [])]
        start = environment.best
        learner = self._learner(environment, scores) if self.params.agent == "on" else None
        environment.best = start  # whatever the search's trials went through
        play(
            environment,
            learner,
            self.params.episodes,
            seed=self.seed,
            log=self.log,
            state=self._state,
            beside=lambda: {"scores": np.array(scores)},
        )
        return Made(environment, start, environment.best, learner)

    def _cnn(self) -> Network:
        """The CNN, trained; a resumed run goes on in the middle of it or reads the weights."""
        cnn, seed = self.params.cnn, derive(self.seed, "cnn")
        shape, classes = self.rest.image_shape, self.rest.classes
        network = classifier(cnn.name, image_shape=shape, classes=classes, seed=seed, adapted=self.adapted)

        def train() -> Arrays:
            inputs, labels = to_input(self.rest.pixels(), *self._scale), torch.from_numpy(self.rest.labels)
            training = Training(network, inputs, labels, recipe=cnn, seed=derive(seed, "training"))
            if "training" in self._state:
                training.restore(self._state)
            for step in training:
                self.log.progress(step, training.steps, cnn.name)
                self.log.checkpoint(training.state)
            right = predict(network, to_input(self.held.pixels(), *self._scale)).argmax(1) == self.held.labels
            weights = joined({"network": weights_of(network)})
            return {**weights, "curve": np.array(training.curve), "accuracy": np.array(right.mean())}

        of = [self.rest.sha256, self.held.sha256, cnn.model_dump(mode="json"), self.adapted, self.seed]
        kept = self.log.keep("cnn", train, of=of)
        load_weights(network, part_of(kept, "network"))
        if "scores" not in self._state:
            for tenth, loss in enumerate(kept["curve"], 1):
                self.log.metrics(tenth, cnn_loss=float(loss))
            self.log.metrics(len(kept["curve"]), cnn_held_out_accuracy=float(kept["accuracy"]))
        return network

    def _environment(self, network: Network) -> SampleEnvironment:
        params, seed = self.params, self.seed
        rows = random_candidates(self.rest, params.candidates, self.images_per_class, derive(seed, "candidates"))
        pixels, labels, held = self.rest.pixels(rows), self.rest.labels[rows], self.held.first(params.held)
        untrained, kept = self._untrained(pixels, held)
        seen = derive(seed, "eyes")
        eyes = Eyes(network, untrained, self._scale, params.dimensions, seen, precision=params.cnn.precision)
        pool = Pool(pixels, labels, eyes.fit(pixels, labels, kept["pool"]))
        ridge = pool.ridge(kept["held"], held.labels, params.penalties, self.images_per_class, seed)
        start = pool.start(params.start, self.images_per_class, derive(seed, "start"))
        discrete = params.algorithm in DISCRETE
        return SampleEnvironment(pool, eyes, ridge, params.environment, start, discrete=discrete)

    def _untrained(self, pixels: np.ndarray, held: ImageSet) -> tuple[UntrainedFeatures, Arrays]:
        """The untrained networks, and what they see of the candidates and the held-out images, whatever the CNN."""
        params, seed = self.params.untrained, derive(self.seed, "untrained")
        features = UntrainedFeatures(self.rest.image_shape, params, seed)

        def make() -> Arrays:
            candidates = to_input(pixels, *self._scale)
            features.fit(candidates)
            seen = {"pool": features.of(candidates), "held": features.of(to_input(held.pixels(), *self._scale))}
            return {**seen, **features.state()}

        of = [hashlib.sha256(pixels.data).hexdigest(), held.sha256, params.model_dump(mode="json"), self.seed]
        kept = self.log.keep("untrained", make, of=of)
        return features.restore(kept), kept

    def _learner(self, environment: SampleEnvironment, scores: list[float]) -> Learner:
        """The agent, with the numbers that the search found where there is one."""
        params, found = self.params, self.params.learner
        if params.search is not None:
            keep = partial(self.log.checkpoint, lambda: {"scores": np.array(scores)})
            seed = derive(self.seed, "search")
            found = search(
                environment, params.algorithm, found, params.search, seed, scores=scores, log=self.log, keep=keep
            )
        return Learner(environment, params.algorithm, found, derive(self.seed, "learner"))


@blas_on_one_core()
def condense_by(
    train: ImageSet,
    *,
    method: str,
    images_per_class: int,
    params: SystemParams,
    seed: int,
    log: RunLog,
    adapted: bool,
) -> tuple[CondensedDataset, Made]:
    """The set that the agent made, hard labels, and how it came about; see System for the errors."""
    made = System(train, images_per_class, params, seed, log, adapted=adapted).made()
    environment, learner = made.environment, made.learner
    condensed = CondensedDataset.build(
        train,
        environment.images(made.best.base, made.best.edits),
        environment.labels,
        method=method,
        images_per_class=images_per_class,
        seed=seed,
        params=params,
        learned={name: getattr(learner.params, name) for name in LEARNED} if learner else {},
    )
    return condensed, made
