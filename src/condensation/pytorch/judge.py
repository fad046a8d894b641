"""The judge: fresh networks, one protocol, trained on a set and scored once on the test set."""

import json
import time
from collections.abc import Sequence

import numpy as np
from pydantic import Field
from torch import Tensor

from condensation.core.errors import InputError
from condensation.core.images import ImageSet
from condensation.core.randomness import derive
from condensation.core.results import Judgement
from condensation.core.runlog import RunLog
from condensation.pytorch.exchange import pictures, targets
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.training import Recipe, Training, predict, to_input

TRAIN_ACCURACY_IMAGES = 10_000


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

    images: float32 (n, h, w, c) at pixel scale. labels: int64 (n,). soft_labels: float (n, pictures per image,
    classes), or (n, classes) for one picture, used in place of the labels, or None. mean, std: (c,) of the data that
    the set was made from, at pixel scale. Images that hold several pictures are cut into them, each enlarged to the
    size of the image.
    The result for a seed depends on nothing but the set, the protocol and that seed.
    """
    if images.shape[1:] != test.image_shape:
        raise InputError(f"the set has images of shape {images.shape[1:]}, the test set {test.image_shape}")
    test_inputs = to_input(test.pixels(), mean, std)
    inputs = to_input(pictures(images, pictures_per_image), mean, std)
    answers = targets(labels, soft_labels, pictures_per_image)
    labels = np.repeat(labels, pictures_per_image)
    state = log.resume()
    done = [Judgement.model_validate(j) for j in json.loads(str(state["judged"][()]))] if state else []
    for seed in seeds[len(done) :]:
        start = derive(seed, "judge network")
        network = build(protocol.network, image_shape=test.image_shape, classes=test.classes, seed=start)
        training = Training(network, inputs, answers, recipe=protocol, seed=derive(seed, "judge training"))
        if state:
            training.restore(state)
            state = None
        for step in training:
            log.checkpoint(lambda: _state(training, done))  # noqa: B023
            total = len(seeds) * training.steps
            log.progress(len(done) * training.steps + step, total, f"network {len(done) + 1} of {len(seeds)}")
        done.append(_score(training, labels, test_inputs, test, set_seed, seed))
    return done


def _state(training: Training, done: list[Judgement]) -> dict[str, np.ndarray]:
    return {**training.state(), "judged": np.array(json.dumps([j.model_dump() for j in done]))}


def _score(
    training: Training, labels: np.ndarray, test_inputs: Tensor, test: ImageSet, set_seed: int, seed: int
) -> Judgement:
    begin = time.perf_counter()
    right = predict(training.network, test_inputs).argmax(1) == test.labels
    some = slice(TRAIN_ACCURACY_IMAGES)
    train_right = predict(training.network, training.images[some]).argmax(1) == labels[some]
    return Judgement(
        set_seed=set_seed,
        network_seed=seed,
        accuracy=100 * float(right.mean()),
        accuracy_per_class=[100 * float(right[test.labels == c].mean()) for c in range(test.classes)],
        train_accuracy=100 * float(train_right.mean()),
        seconds=training.seconds + time.perf_counter() - begin,
        curve=training.curve,
    )
