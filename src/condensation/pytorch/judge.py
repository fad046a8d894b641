"""The judge: fresh networks, one protocol, trained on a set and scored once on the test set."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from condensation.core.errors import InputError
from condensation.core.images import ImageSet
from condensation.core.parts import joined, part_of
from condensation.core.pictures import pictures
from condensation.core.randomness import derive
from condensation.core.results import Judgement
from condensation.core.runlog import RunLog
from condensation.pytorch.cores import one_core_each
from condensation.pytorch.exchange import targets
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.precision import Precision, available
from condensation.pytorch.training import Recipe, Training, predict, to_input

TRAIN_ACCURACY_IMAGES = 10_000
TURN_SECONDS = 2.0
TURN_IMAGES = 1024


class Protocol(Recipe):
    """One way of judging, the same for every set: the recipe, which network and how many fresh ones per set."""

    network: NetworkSpec
    networks: int = Field(ge=1)

    @property
    def precision_here(self) -> Precision:
        """Of the products on this machine."""
        return available(self.precision, torch.device("cpu"))


def judge(
    images: np.ndarray,
    labels: np.ndarray,
    soft_labels: np.ndarray | None,
    test: ImageSet,
    *,
    mean: np.ndarray,
    std: np.ndarray,
    protocol: Protocol,
    set_seed: int,
    seeds: Sequence[int],
    log: RunLog,
    pictures_per_image: int = 1,
) -> list[Judgement]:
    """Train one fresh network for each of ``seeds`` on the set and score it on ``test``, once, at its end.

    Networks are trained side by side, one core each; where one would be left over, they take turns at the cores.

    images: float32 (n, h, w, c) at pixel scale. labels: int64 (n,). soft_labels: float (n, pictures per image,
    classes), or (n, classes) for one picture, used in place of the labels, or None. mean, std: (c,) of the data that
    the set was made from, at pixel scale. Images that hold several pictures are cut into them, each enlarged to the
    size of the image.
    The result for a seed depends on nothing but the set, the protocol and that seed.
    """
    if images.shape[1:] != test.image_shape:
        raise InputError(f"the set has images of shape {images.shape[1:]}, the test set {test.image_shape}")
    examiner = _Examiner(
        protocol=protocol,
        inputs=to_input(pictures(images, pictures_per_image), mean, std),
        answers=targets(labels, soft_labels, pictures_per_image),
        labels=np.repeat(labels, pictures_per_image),
        test=test,
        test_inputs=to_input(test.pixels(), mean, std),
        set_seed=set_seed,
    )
    state = log.resume() or {}
    done = {j.network_seed: j for j in map(Judgement.model_validate, json.loads(str(state.get("judged", "[]"))))}
    trained: dict[int, _Candidate] = {}
    with one_core_each(len(seeds) - len(done)) as (workers, threads):
        while left := len(seeds) - len(done):
            together = left if left < 2 * workers else workers  # the last ones take turns: no core waits for another
            waiting = [seed for seed in seeds if seed not in done and seed not in trained]
            for seed in waiting[: together - len(trained)]:
                trained[seed] = examiner.candidate(seed, part_of(state, seed))
            behind = sorted(trained.values(), key=lambda candidate: candidate.seconds)[:workers]
            verdicts = list(threads.map(_Candidate.turn, behind))
            steps = sum(one.training.step for one in trained.values())
            most = max(one.training.steps for one in trained.values())
            log.progress(len(done) * most + steps, len(seeds) * most, f"{len(trained)} networks of {len(seeds)}")
            done |= {verdict.network_seed: verdict for verdict in verdicts if verdict}
            trained = {seed: candidate for seed, candidate in trained.items() if seed not in done}
            log.checkpoint(partial(_state, trained, done))
    return [done[seed] for seed in seeds]


@dataclass(frozen=True, kw_only=True)
class _Examiner:
    """What every network of one set is trained on and asked; see ``judge``."""

    protocol: Protocol
    inputs: Tensor
    answers: Tensor
    labels: np.ndarray
    test: ImageSet
    test_inputs: Tensor
    set_seed: int

    def candidate(self, seed: int, state: Mapping[str, np.ndarray]) -> "_Candidate":
        """A fresh network in training, or the one that ``state`` holds."""
        spec, start = self.protocol.network, derive(seed, "judge network")
        network = build(spec, image_shape=self.test.image_shape, classes=self.test.classes, seed=start)
        training = Training(
            network, self.inputs, self.answers, recipe=self.protocol, seed=derive(seed, "judge training")
        )
        if state:
            training.restore(state)
        return _Candidate(self, seed, training)


class _Candidate:
    """One network on its way to its verdict."""

    def __init__(self, examiner: _Examiner, seed: int, training: Training) -> None:
        self.training = training
        self._examiner, self._seed = examiner, seed
        self._asked: list[np.ndarray] = []
        self._asking_seconds = 0.0

    @property
    def seconds(self) -> float:
        """Spent so far."""
        return self.training.seconds + self._asking_seconds

    def turn(self) -> Judgement | None:
        """Train for some seconds, or answer a part of the test set; the verdict when all is answered."""
        begin = time.perf_counter()
        for _ in self.training:
            if time.perf_counter() - begin > TURN_SECONDS:
                return None
        begin = time.perf_counter()
        test, first = self._examiner.test_inputs, sum(map(len, self._asked))
        self._asked.append(self._named(test[first : first + TURN_IMAGES]))
        self._asking_seconds += time.perf_counter() - begin
        return self._verdict() if first + TURN_IMAGES >= len(test) else None

    def _named(self, images: Tensor) -> np.ndarray:
        return predict(self.training.network, images, precision=self._examiner.protocol.precision).argmax(1)

    def _verdict(self) -> Judgement:
        examiner, training = self._examiner, self.training
        right = np.concatenate(self._asked) == examiner.test.labels
        some = slice(TRAIN_ACCURACY_IMAGES)
        train_right = self._named(training.images[some]) == examiner.labels[some]
        classes = range(examiner.test.classes)
        return Judgement(
            set_seed=examiner.set_seed,
            network_seed=self._seed,
            accuracy=100 * float(right.mean()),
            accuracy_per_class=[100 * float(right[examiner.test.labels == c].mean()) for c in classes],
            train_accuracy=100 * float(train_right.mean()),
            seconds=self.seconds,
            curve=training.curve,
        )


def _state(trained: Mapping[int, _Candidate], done: Mapping[int, Judgement]) -> dict[str, np.ndarray]:
    arrays = joined({seed: one.training.state() for seed, one in trained.items()})
    return {**arrays, "judged": np.array(json.dumps([j.model_dump() for j in done.values()]))}
