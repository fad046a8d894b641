"""The judge: fresh networks, one protocol, trained on a set and scored once on the test set."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from pydantic import Field
from torch import Tensor

from condensation.core.errors import InputError
from condensation.core.images import ImageSet
from condensation.core.pictures import pictures
from condensation.core.randomness import derive
from condensation.core.results import Judgement
from condensation.core.runlog import RunLog
from condensation.pytorch.cores import one_core_each
from condensation.pytorch.exchange import targets
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.training import Recipe, Training, predict, to_input

TRAIN_ACCURACY_IMAGES = 10_000
TURN_SECONDS = 2.0


class Protocol(Recipe):
    """One way of judging, the same for every set: the recipe, which network and how many fresh ones per set."""

    network: NetworkSpec
    networks: int = Field(ge=1)


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

    Networks are trained side by side, one core each.

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
    trained: dict[int, Training] = {}
    with one_core_each(len(seeds) - len(done)) as (workers, threads):
        while len(done) < len(seeds):
            waiting = [seed for seed in seeds if seed not in done and seed not in trained]
            for seed in waiting[: workers - len(trained)]:
                trained[seed] = examiner.candidate(seed, _under(seed, state))
            verdicts = list(threads.map(examiner.turn, trained.keys(), trained.values()))
            steps, most = sum(t.step for t in trained.values()), max(t.steps for t in trained.values())
            log.progress(len(done) * most + steps, len(seeds) * most, f"{len(trained)} networks of {len(seeds)}")
            done |= {verdict.network_seed: verdict for verdict in verdicts if verdict}
            trained = {seed: training for seed, training in trained.items() if seed not in done}
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

    def candidate(self, seed: int, state: Mapping[str, np.ndarray]) -> Training:
        """A fresh network in training, or the one that ``state`` holds."""
        spec, start = self.protocol.network, derive(seed, "judge network")
        network = build(spec, image_shape=self.test.image_shape, classes=self.test.classes, seed=start)
        training = Training(
            network, self.inputs, self.answers, recipe=self.protocol, seed=derive(seed, "judge training")
        )
        if state:
            training.restore(state)
        return training

    def turn(self, seed: int, training: Training) -> Judgement | None:
        """Train for some seconds; the verdict when it is trained."""
        end = time.perf_counter() + TURN_SECONDS
        for _ in training:
            if time.perf_counter() > end:
                break
        return self._verdict(seed, training) if training.step == training.steps else None

    def _verdict(self, seed: int, training: Training) -> Judgement:
        begin = time.perf_counter()
        right = predict(training.network, self.test_inputs).argmax(1) == self.test.labels
        some = slice(TRAIN_ACCURACY_IMAGES)
        train_right = predict(training.network, training.images[some]).argmax(1) == self.labels[some]
        classes = range(self.test.classes)
        return Judgement(
            set_seed=self.set_seed,
            network_seed=seed,
            accuracy=100 * float(right.mean()),
            accuracy_per_class=[100 * float(right[self.test.labels == c].mean()) for c in classes],
            train_accuracy=100 * float(train_right.mean()),
            seconds=training.seconds + time.perf_counter() - begin,
            curve=training.curve,
        )


def _state(trained: Mapping[int, Training], done: Mapping[int, Judgement]) -> dict[str, np.ndarray]:
    arrays = {f"{seed}/{k}": v for seed, training in trained.items() for k, v in training.state().items()}
    return {**arrays, "judged": np.array(json.dumps([j.model_dump() for j in done.values()]))}


def _under(seed: int, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k.removeprefix(f"{seed}/"): v for k, v in state.items() if k.startswith(f"{seed}/")}
