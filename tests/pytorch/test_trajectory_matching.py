"""Trajectory matching as a method: it comes nearer to the experts, learns its step size, resumes to the same bytes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from stopping import Stop, StoppingLog

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog
from condensation.pytorch.methods import trajectory_matching
from condensation.pytorch.methods.trajectory_matching import LEAST_STEP_SIZE, Matching
from condensation.pytorch.trajectories import Experts, record

EXPERTS = {
    "network": {"width": 8, "depth": 2},
    "experts": 2,
    "epochs": 3,
    "epoch_images": None,
    "batch_size": 9,
    "learning_rate": 0.05,
    "momentum": 0.0,
    "strategy": "none",
    "zca": False,
}


def params(zca: bool = False, **changes: object) -> trajectory_matching.Params:
    small = {"iterations": 4, "student_steps": 3, "expert_epochs": 1, "max_start_epoch": 2, "optimizer": "adamw"}
    rates = {"image_learning_rate": 0.02, "step_size": 0.05, "step_size_learning_rate": 1e-3, "strategy": "crop_scale"}
    text = {"experts": {**EXPERTS, "zca": zca}, **small, **rates, **changes}
    return trajectory_matching.Params.model_validate(text, strict=False)


@pytest.fixture
def experts(train, tmp_path) -> Path:
    record(train, params=params().experts, seed=5, folder=tmp_path / "experts", log=RunLog())
    return tmp_path / "experts"


def make(train: ImageSet, experts: Path, log: RunLog | None = None, **changes: object) -> CondensedDataset:
    request = {"images_per_class": 2, "params": params(**changes), "seed": 5, "log": log or RunLog()}
    return trajectory_matching.condense(train, **request, trajectories=experts)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_students_land_nearer_to_the_experts(train, experts, optimizer):
    log = RunLog()
    rates = {"image_learning_rate": 0.02 if optimizer == "adamw" else 10.0, "max_start_epoch": 0}
    made = make(train, experts, log, optimizer=optimizer, iterations=31, strategy="none", **rates)
    first, last = log.history[0], log.history[-1]
    assert last["trajectory_distance"] < 0.8 * first["trajectory_distance"]
    assert made.provenance.learned["step_size"] != pytest.approx(0.05, abs=1e-4)
    assert first["step_size"] == pytest.approx(0.05)


def test_the_images_start_from_real_ones_and_come_out_at_pixel_scale_whitened_or_not(train, tmp_path):
    for zca in (False, True):
        folder = tmp_path / str(zca)
        record(train, params=params(zca=zca).experts, seed=5, folder=folder, log=RunLog())
        made = make(train, folder, zca=zca, image_learning_rate=1e-9, iterations=1)
        pixels = np.round(made.images * 255)
        np.testing.assert_allclose(made.images * 255, pixels, atol=1e-2)
        real = {image.tobytes() for image in train.images}
        assert all(image.tobytes() in real for image in pixels.astype(np.uint8))


def test_a_student_goes_over_the_set_in_shuffled_passes(train, experts):
    chosen = params(batch_train=2)
    matching = Matching(train, 2, chosen, 5, Experts.load(experts, params=chosen.experts, train=train))
    batches = torch.stack([matching._student_step(7, number).batch for number in range(6)]).view(2, 6)
    assert batches.sort(1).values.tolist() == 2 * [list(range(6))]
    assert not torch.equal(*batches)


def test_the_goal_is_the_same_experts_later_weights(train, experts):
    chosen = params(max_start_epoch=1, expert_epochs=2)
    loaded = Experts.load(experts, params=chosen.experts, train=train)
    matching = Matching(train, 2, chosen, 5, loaded)
    found = set()
    for seed in range(40):
        start, goal = matching._stretch(seed)
        places = {(e, n): loaded.weights(e, n) for e in range(2) for n in range(4)}
        (at,) = [place for place, weights in places.items() if torch.equal(weights, start)]
        (to,) = [place for place, weights in places.items() if torch.equal(weights, goal)]
        assert to == (at[0], at[1] + 2)
        found.add(at)
    assert found == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_step_size_stays_positive(train, experts):
    made = make(train, experts, step_size_learning_rate=1.0, iterations=3)
    assert made.provenance.learned["step_size"] >= LEAST_STEP_SIZE * 0.999


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_stopped_run_resumes_to_the_same_bytes(train, experts, tmp_path, optimizer):
    whole = make(train, experts, optimizer=optimizer)
    with pytest.raises(Stop):
        make(train, experts, StoppingLog(tmp_path / "c.npz", after=2), optimizer=optimizer)
    again = make(train, experts, RunLog(checkpoint=tmp_path / "c.npz"), optimizer=optimizer)
    assert again.to_bytes() == whole.to_bytes()


def test_experts_that_stop_too_early_are_refused(train, experts):
    with pytest.raises(ValueError, match="max_start_epoch \\+ expert_epochs is 5; allowed: up to 3 epochs"):
        params(max_start_epoch=4)
    with pytest.raises(InputError, match="other parameters or images"):
        trajectory_matching.condense(
            train,
            images_per_class=2,
            params=params().model_copy(update={"experts": params(zca=True).experts}),
            seed=5,
            log=RunLog(),
            trajectories=experts,
        )
