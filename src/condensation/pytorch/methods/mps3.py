"""MPS3: the family's parts put to work together, without bilevel optimisation; the project's own method.

Candidates are the images of which the seed's teacher is surest, as large a share of a class as suits the data. Of them
the ones are taken that tell most about their class beyond what is taken already (conditional mutual information,
core/information.py), one of each class in turn. A stored image may hold several pictures, shrunk into its tiles and
enlarged when they are read (core/pictures.py). Trials, small networks trained on what a plan gives and scored on
held-out images, say how many, which share, and whether the choice is better than a random one. An agent
(sample_environment.py) then goes through the set as a whole and puts other candidates in the place of pictures, paid
for what a last layer on untrained features gains on held-out images. What it leaves is put in the order of what each
tells beyond those before it. ``refine`` then moves the pixels by what pays the agent, a last layer in closed form, but
on features that networks learn from the set (feature_regression.py): of the first image by itself, then of all; they
stay there where a trial finds them better. So the first k images of each class are a good set of their own. Soft labels
are the teacher's, of each picture as it is read.

Two parts of ``train``, stratified, are held out of the set: one pays the agent, and trials are scored on the other,
which moves no pixels either, since a set made for the images that paid looks better on them than it is. The teacher has
seen both, so a plan that follows the teacher does a little, too. The project's validation and test data are never seen.

Several pictures in the storage of one: Kim et al., ICML 2022, section 4. Sure pictures and a teacher's labels: Sun et
al., "On the diversity and realism of distilled dataset", CVPR 2024, section 3.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from condensation.core.condensed import CondensedDataset, check_request
from condensation.core.images import ImageSet
from condensation.core.information import Information
from condensation.core.params import ByDataset, Section, for_dataset
from condensation.core.pictures import Tiling
from condensation.core.randomness import derive, generator
from condensation.core.runlog import RunLog
from condensation.core.taught import Taught, soft_labels
from condensation.pytorch.agents import AgentParams, Learner, play
from condensation.pytorch.candidates import Pool, Views
from condensation.pytorch.cores import blas_on_one_core, side_by_side
from condensation.pytorch.exchange import targets
from condensation.pytorch.feature_regression import Regression, RegressionParams
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.sample_environment import EnvironmentParams, SampleEnvironment
from condensation.pytorch.synthetic import Scale, Storage, labels_of
from condensation.pytorch.teacher import load_network
from condensation.pytorch.training import Recipe, Training, predict
from condensation.pytorch.untrained import UntrainedFeatures, UntrainedParams

SPARE = 2
"""A class has at least this many times as many candidates as pictures are taken of it, as far as it has them."""
EXAMPLES = 2048
"""Pictures by which the directions are found that the agent sees."""
ALIKE = 0.01
"""Trials do not tell plans apart whose accuracies, 0..1, differ by no more."""
Arrays = dict[str, np.ndarray]
Scoring = Literal["information", "confidence", "none"]


class TrialParams(Recipe):
    """The small networks that try a plan: up to ``networks``, as many as ``max_steps`` allow all of them together."""

    network: NetworkSpec
    networks: int = Field(ge=1)


class ComposeParams(Section):
    """How the agent goes through the set.

    acts: off for as many random actions. episodes: as many, as far as ``decisions``, actions of all places together,
    allow. others: candidates of a class that it may put in, beside the pictures that it begins with. held: the most
    images of a class that pay the agent. penalties: of the last layer; the one is taken that suits random sets.
    """

    acts: Literal["on", "off"]
    algorithm: Literal["dqn", "ppo"]
    episodes: int = Field(ge=1)
    decisions: int = Field(ge=1)
    others: int = Field(ge=1)
    held: int = Field(ge=1)
    environment: EnvironmentParams
    learner: AgentParams
    untrained: UntrainedParams
    penalties: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)


class RefineParams(RegressionParams):
    """How pixels are moved.

    steps: how often. firsts: that many first images of each class are moved by themselves,
    and stay while more are; ``first_steps`` times where more are. most_pictures: more of a class are not moved.
    """

    steps: ByDataset[Annotated[int, Field(ge=1)]]
    firsts: list[Annotated[int, Field(ge=1)]]
    first_steps: int = Field(ge=1)
    most_pictures: int = Field(ge=1)


class Params(Section):
    """pictures: how many an image may hold (core/pictures.py), each that fits is tried. sure: shares of a class that
    are tried as candidates, those of which the teacher is surest. candidates: the most of a class, random ones of the
    share. scoring: what is chosen among candidates; ``confidence``: the surest, ``none``: random ones.
    temperature: what the teacher's logits are divided by for soft labels. hold_out: share of each class of train that
    scores trials; as many others pay the agent.
    compose, refine: null to leave that part out.
    """

    labels: Literal["hard", "soft"]
    temperature: float = Field(gt=0)
    pictures: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    sure: list[Annotated[float, Field(gt=0, le=1)]] = Field(min_length=1)
    candidates: int = Field(ge=1)
    scoring: Scoring
    hold_out: float = Field(gt=0, lt=1)
    trial: TrialParams
    compose: ComposeParams | None
    refine: RefineParams | None


@dataclass(frozen=True)
class Plan:
    """How many pictures an image holds, which share of each class counts as sure, and what is chosen of it."""

    pictures: int
    sure: float
    scoring: Scoring


class Desk:
    """What there is to choose from: training images without the hold-out, and what the teacher says of them.

    held: what scores trials. open: all the others. paying: those of them that pay the agent and are not chosen.

    Raises InputError for sets that are not possible, when pictures do not fit the images, and when the teacher was
    trained on other data.
    """

    def __init__(self, train: ImageSet, images_per_class: int, params: Params, seed: int, teacher: Path) -> None:
        check_request(train, images_per_class)
        self.counts = [count for count in params.pictures if Tiling.found(train.image_shape, count)]
        if not self.counts:
            Tiling.of(train.image_shape, params.pictures[0])
        self.train, self.images_per_class, self.params, self.seed = train, images_per_class, params, seed
        self.taught, self._network = Taught.load(teacher, train), load_network(teacher)[0]
        self.scale = Scale.of(train)
        self._rest = np.arange(len(train))
        self.held = self._held("hold-out")
        self.open = train.take(self._rest)
        self.paying = self._held("paying") if params.compose else self.held
        check_request(train.take(self._rest), images_per_class)
        self._directions, self._margins = self.taught.directions(), self.taught.margins(train.labels)
        spec, shape, turns = params.trial.network, train.image_shape, range(params.trial.networks)
        starts = [derive(seed, "trial", "network", turn) for turn in turns]
        self._untrained = [build(spec, image_shape=shape, classes=train.classes, seed=start) for start in starts]

    def _held(self, purpose: str) -> ImageSet:
        """Take a part of each class out of what is left."""
        held = self._rest[self.train.take(self._rest).held_out(self.params.hold_out, derive(self.seed, purpose))]
        self._rest = np.setdiff1d(self._rest, held)
        return self.train.take(held)

    def candidates(self, label: int, plan: Plan) -> np.ndarray:
        """Positions in train of a class's candidates, the surest first."""
        own = self._rest[self.train.labels[self._rest] == label]
        least = SPARE * self.images_per_class * plan.pictures
        share = own[np.argsort(-self._margins[own], kind="stable")][: max(round(plan.sure * len(own)), least)]
        some = generator(self.seed, "candidates", label).permutation(len(share))
        return share[np.sort(some[: max(self.params.candidates, least)])]

    def choose(self, plan: Plan, turn: int = 0) -> np.ndarray:
        """Positions in train, int (classes * images_per_class * pictures,), by class, in the order they were taken.

        turn: which of the random choices, where the plan makes such.
        """
        wanted = self.images_per_class * plan.pictures
        every = [self.candidates(label, plan) for label in range(self.train.classes)]
        if plan.scoring == "information":
            every = self._telling(np.concatenate(every), np.minimum(wanted, [len(each) for each in every]))
        elif plan.scoring == "none":
            every = [generator(self.seed, "any", turn, label).permutation(own) for label, own in enumerate(every)]
        return np.concatenate([np.resize(own, wanted) if len(own) < wanted else own[:wanted] for own in every])

    def _telling(self, rows: np.ndarray, counts: np.ndarray) -> list[np.ndarray]:
        """Of positions in train, ``counts`` of each class, int (classes,), in the order of what they tell."""
        information = Information(self._directions[rows], self.train.labels[rows], self.train.classes)
        ranked = rows[information.rank(counts).chosen]
        return [ranked[self.train.labels[ranked] == label] for label in range(self.train.classes)]

    def in_order(self, chosen: np.ndarray) -> np.ndarray:
        """The chosen positions by class, each beginning with what tells most beyond those before it."""
        return np.concatenate(self._telling(chosen, np.bincount(self.train.labels[chosen])))

    def storage(self, pictures: int) -> Storage:
        """How images hold so many pictures."""
        return Storage(pictures, self.scale)

    def stored(self, chosen: np.ndarray, pictures: int) -> Tensor:
        """Images that hold the chosen ones, normalised float32 (n, c, h, w)."""
        return self.storage(pictures).store(self.scale.normalise(self.train.pixels(chosen)))

    def soft_labels(self, images: Tensor, pictures: int) -> np.ndarray | None:
        """The teacher's, of every picture as it is read, float16 (n, pictures, classes); None for hard labels."""
        if self.params.labels == "hard":
            return None
        logits = predict(self._network, self.storage(pictures).read(images))
        return soft_labels(logits, self.params.temperature).reshape(len(images), pictures, -1)

    def tried(self, plan: Plan) -> tuple[np.ndarray, float]:
        """What a plan chooses, and what a trial of it gives; where it chooses anyhow, other pictures every time."""
        chosen = self.choose(plan)

        def images(turn: int) -> Tensor:
            return self.stored(self.choose(plan, turn) if plan.scoring == "none" else chosen, plan.pictures)

        return chosen, self.trial(images, plan.pictures)

    def trial(self, images: Callable[[int], Tensor], pictures: int) -> float:
        """Held-out accuracy, 0..1, of small networks trained on images, those of each turn: their mean.

        Every trial takes as long: a small set, whose score says less, has several turns where a large one has one.
        """
        recipe, scores = self.params.trial, list[float]()
        for turn, start in enumerate(self._untrained):
            stored, seed = images(turn), derive(self.seed, "trial", turn)
            labels = labels_of(self.train.classes, len(stored) // self.train.classes)
            answers = targets(labels.numpy(), self.soft_labels(stored, pictures), pictures)
            network, read = deepcopy(start), self.storage(pictures).read(stored)
            training = Training(network, read, answers, recipe=recipe, seed=seed)
            for _ in training:
                pass
            logits = predict(network, self.scale.normalise(self.held.pixels()))
            scores.append(float((logits.argmax(1) == self.held.labels).mean()))
            if (turn + 2) * training.steps > recipe.max_steps:
                break
        return float(np.mean(scores))

    def world(self, chosen: np.ndarray, plan: Plan, params: ComposeParams) -> tuple[np.ndarray, SampleEnvironment]:
        """(positions in train of its pool, the environment in which the agent goes through the chosen pictures)."""
        labels = range(self.train.classes)
        others = [np.setdiff1d(self.candidates(label, plan), chosen)[: params.others] for label in labels]
        rows = np.unique(np.concatenate([chosen, *others]))
        read = as_read(self.scale.normalise(self.train.pixels(rows)), self.storage(plan.pictures))
        shape, seed = self.train.image_shape, derive(self.seed, "untrained")
        examples = read[generator(seed, "examples").permutation(len(read))[:EXAMPLES]]
        untrained = UntrainedFeatures(shape, params.untrained, seed).fit(examples)
        own, logits = self.train.labels[rows], torch.from_numpy(self.taught.logits[rows])
        probability = logits.softmax(1).double().numpy()[np.arange(len(rows)), own]
        features = self._directions[rows] - self._directions[rows].mean(0)
        features /= features.std() + 1e-6
        pool = Pool(self.scale.pixels(read), own, Views(probability, self._margins[rows], features, untrained.of(read)))
        held = self.paying.first(params.held)
        seen, wanted = untrained.of(self.scale.normalise(held.pixels())), self.images_per_class * plan.pictures
        ridge = pool.ridge(seen, held.labels, params.penalties, wanted, self.seed)
        start = np.searchsorted(rows, chosen)
        return rows, SampleEnvironment(pool, None, ridge, params.environment, start, discrete=True)


def as_read(images: Tensor, storage: Storage) -> Tensor:
    """Images (n, c, h, w) as they come out of the storage: the same shape, less detail."""
    full = functional.pad(images, (0, 0, 0, 0, 0, 0, 0, -len(images) % storage.count))
    return storage.read(storage.store(full))[: len(images)]


@blas_on_one_core()
def condense(
    train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog, teacher: Path
) -> CondensedDataset:
    """``images_per_class`` images of each class, each of one or more real pictures; hard or soft labels.

    Raises InputError when a class has fewer images, when the teacher that belongs to ``seed`` was trained on other
    data, and when an image does not bear as many pictures.
    """
    desk, state = Desk(train, images_per_class, params, seed, teacher), log.resume() or {}
    plan, chosen = best_plan(desk, log)
    chosen = desk.in_order(composed(desk, chosen, plan, log, state))
    images = refined(desk, desk.stored(chosen, plan.pictures), plan, log, state)
    return CondensedDataset.build(
        train,
        desk.scale.pixels(images),
        labels_of(train.classes, images_per_class).numpy(),
        method="mps3",
        images_per_class=images_per_class,
        seed=seed,
        params=params,
        soft_labels=desk.soft_labels(images, plan.pictures),
        learned={"sure": plan.sure},
        pictures_per_image=plan.pictures,
    )


def best_plan(desk: Desk, log: RunLog) -> tuple[Plan, np.ndarray]:
    """The plan whose images train a small network best for the held-out images, the first of equals; its choice.

    How many pictures is tried first, with random ones of the first share, which costs nothing to choose: the most of
    those alike to the best, since refinement has more to gain from them. Then the shares with the method's own choice,
    which has to be better than random. A plan that has no other is not tried.
    """
    counts, shares, scoring = desk.counts, desk.params.sure, desk.params.scoring
    if len(counts) == len(shares) == 1:
        only = Plan(counts[0], shares[0], scoring)
        return only, log.keep("chosen", lambda: {"chosen": desk.choose(only)})["chosen"]
    tried: dict[Plan, tuple[np.ndarray, float]] = {}

    def best(plans: list[Plan]) -> Plan:
        new = [plan for plan in plans if plan not in tried]
        tried.update(zip(new, side_by_side(desk.tried, new), strict=True))
        found = max(tried, key=lambda plan: tried[plan][1])
        log.progress(len(tried), len(counts) + len(shares), f"trials, held-out {100 * tried[found][1]:.1f} %")
        return found

    def every() -> Arrays:
        anyhow = [Plan(count, shares[0], "none") for count in counts]
        least = tried[best(anyhow)][1] - ALIKE
        many = max(plan.pictures for plan in anyhow if tried[plan][1] >= least)
        found = best([Plan(many, share, scoring) for share in shares])
        told = {name: np.array([getattr(plan, name) for plan in tried]) for name in ("pictures", "sure", "scoring")}
        scores = np.array([score for _, score in tried.values()])
        return told | {"held_out_accuracy": scores, "chosen": tried[found][0]}

    told = log.keep("trials", every)
    chosen, row = told.pop("chosen"), int(told["held_out_accuracy"].argmax())
    log.table("trials", **{name: told[name] for name in ("pictures", "sure", "scoring", "held_out_accuracy")})
    taken: Scoring = "none" if row < len(counts) else scoring
    return Plan(int(told["pictures"][row]), float(told["sure"][row]), taken), chosen


def composed(desk: Desk, chosen: np.ndarray, plan: Plan, log: RunLog, state: Arrays) -> np.ndarray:
    """Positions in train of the pictures that the agent leaves, in the order of the places that they take."""
    params, seed = desk.params.compose, derive(desk.seed, "agent")
    if params is None:
        return chosen

    def played() -> Arrays:
        rows, environment = desk.world(chosen, plan, params)
        learner = Learner(environment, params.algorithm, params.learner, seed) if params.acts == "on" else None
        allowed = max(params.decisions // (params.environment.steps * len(chosen)), 1)
        play(environment, learner, min(params.episodes, allowed), seed=seed, log=log, state=state)
        return {"chosen": rows[environment.best.base]}

    return log.keep("composed", played)["chosen"]


def refined(desk: Desk, images: Tensor, plan: Plan, log: RunLog, state: Arrays) -> Tensor:
    """The images, normalised float32 (n, c, h, w), with what they teach a network improved pixel by pixel.

    The first of each class by themselves, then more of them while those stay. All as they were where a trial does not
    find them better, and beyond ``most_pictures`` of a class: moving helps small sets, and not large ones.
    """
    params, most = desk.params.refine, desk.images_per_class
    if params is None:
        return images
    most_moved = min(most, params.most_pictures // plan.pictures)
    sizes = [size for size in sorted({*params.firsts, most}) if size <= most_moved]
    if not sizes:
        return images
    by_class, accuracies = images.unflatten(0, (-1, most)).clone(), list[np.ndarray]()
    all_steps, storage = for_dataset(params.steps, desk.train.dataset), desk.storage(plan.pictures)
    for turn, (fixed, size) in enumerate(pairwise([0, *sizes])):
        first, seed = by_class[:, :size].flatten(0, 1), derive(desk.seed, "refine", size)
        steps, begin = all_steps if size == sizes[-1] else params.first_steps, turn * params.first_steps
        moving = Regression(desk.open, first, storage, params, seed, steps=steps, fixed=fixed, begin=begin)
        if len(state.get("images", ())) == len(first):
            moving.restore(state)
        kept = log.keep(f"refined-{size}", partial(moved, desk, first, moving, plan, log))
        by_class[:, :size] = torch.from_numpy(kept["images"]).unflatten(0, (-1, size))
        accuracies.append(kept["held_out_accuracy"])
    told = np.tile([False, True], len(sizes))
    log.table("refinement", first=np.repeat(sizes, 2), moved=told, held_out_accuracy=np.concatenate(accuracies))
    return by_class.flatten(0, 1)


def moved(desk: Desk, start: Tensor, moving: Regression, plan: Plan, log: RunLog) -> Arrays:
    """What ``moving`` has after all its steps where a trial finds that better than the start, else the start."""
    end = moving.run(log)
    both = side_by_side(lambda each: desk.trial(lambda _: each, plan.pictures), [start, end])
    better = end if both[1] > both[0] else start
    return {"images": better.numpy(), "held_out_accuracy": np.array(both)}
