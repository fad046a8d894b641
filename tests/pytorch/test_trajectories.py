"""Expert trajectories and whitening: what is kept, in what precision, and that stopped work goes on."""

import numpy as np
import pytest
import torch
from torch.nn.utils import parameters_to_vector

from condensation.core.errors import InputError
from condensation.core.files import read_npz
from condensation.core.runlog import RunLog
from condensation.pytorch import trajectories
from condensation.pytorch.networks import NetworkSpec
from condensation.pytorch.synthetic import Scale
from condensation.pytorch.training import Training
from condensation.pytorch.trajectories import ExpertParams, Experts, record
from condensation.pytorch.whitening import SMALL_VARIANCE, Whitening


def params(**changes: object) -> ExpertParams:
    network = NetworkSpec.model_validate({"width": 8, "depth": 2, **changes.pop("network", {})})
    small = {"experts": 3, "epochs": 4, "epoch_images": 20, "batch_size": 10, "learning_rate": 0.05, "momentum": 0.0}
    return ExpertParams.model_validate({"network": network, "strategy": "crop", "zca": False, **small, **changes})


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_expert_is_its_weights_before_the_first_epoch_and_after_each(train, tmp_path, monkeypatch):
    seen = []
    advance = Training._advance

    def watched(self):
        seen.append(parameters_to_vector(self.network.parameters()).detach().clone())
        return advance(self)

    monkeypatch.setattr(Training, "_advance", watched)
    record(train, params=params(experts=1), seed=3, folder=tmp_path, log=RunLog())
    weights = read_npz(tmp_path / "expert-0.npz")["weights"]
    assert weights.dtype == np.float16
    assert (len(seen), len(weights)) == (4 * 2, 5)
    exact = torch.stack(seen[::2]).numpy()
    np.testing.assert_array_equal(weights[:4], exact.astype(np.float16))
    lost, moved = np.linalg.norm(weights[:4] - exact, axis=1), np.linalg.norm(np.diff(exact, axis=0), axis=1)
    assert lost.max() < 0.02 * moved.min()
    loaded = Experts.load(tmp_path, params=params(experts=1), train=train).weights(0, 2)
    torch.testing.assert_close(loaded, torch.from_numpy(exact[2]), rtol=1e-3, atol=1e-4)


def test_an_epoch_is_all_images_unless_said(train):
    assert params(epoch_images=None).recipe(train).max_steps == 4 * 4
    assert params(epoch_images=20, batch_size=100).epoch_steps(train) == 1


class Killed(BaseException):
    """The end of the process."""


class MortalLog(RunLog):
    def checkpoint(self, state, *, now=False):
        super().checkpoint(state, now=True)
        raise Killed


def test_killed_after_each_epoch_the_experts_come_out_the_same(train, tmp_path):
    request = {"params": params(experts=2), "seed": 3}
    record(train, **request, folder=tmp_path / "whole", log=RunLog())
    for _ in range(8):
        with pytest.raises(Killed):
            record(train, **request, folder=tmp_path / "parts", log=MortalLog(checkpoint=tmp_path / "c.npz"))
    record(train, **request, folder=tmp_path / "parts", log=RunLog(checkpoint=tmp_path / "c.npz"))
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    record(train, params=params(experts=2), seed=4, folder=tmp_path / "other", log=RunLog())
    first, other = (read_npz(tmp_path / name / "expert-0.npz")["weights"] for name in ("whole", "other"))
    assert not np.array_equal(first, other)


def test_finished_experts_are_not_trained_again(train, tmp_path, monkeypatch):
    record(train, params=params(), seed=3, folder=tmp_path, log=RunLog())
    before = contents(tmp_path)
    (tmp_path / "expert-1.npz").unlink()
    begun = []
    monkeypatch.setattr(trajectories, "Training", lambda *a, **k: begun.append(1) or Training(*a, **k))
    record(train, params=params(), seed=3, folder=tmp_path, log=RunLog())
    assert len(begun) == 1
    assert contents(tmp_path) == before


def test_experts_of_other_parameters_or_images_are_refused(train, test, tmp_path):
    record(train, params=params(experts=1), seed=3, folder=tmp_path, log=RunLog())
    for other, images in ((params(experts=1, learning_rate=0.1), train), (params(experts=1), test)):
        with pytest.raises(InputError, match="condense teach --method trajectory_matching"):
            Experts.load(tmp_path, params=other, train=images)
    with pytest.raises(InputError, match="does not exist"):
        Experts.load(tmp_path / "nowhere", params=params(), train=train)


def test_what_an_expert_cannot_be_is_refused():
    with pytest.raises(ValueError, match="norm batch has statistics"):
        params(network={"norm": "batch"})
    with pytest.raises(ValueError, match="unknown augmentation 'twirl'"):
        params(strategy="twirl")


def test_whitening_is_symmetric_zca_and_comes_back_to_pixels(train):
    plain, white = Scale.of(train).normalise(train.pixels()).flatten(1).numpy(), Whitening.of(train)
    got = white.normalise(train.pixels())
    values, vectors = np.linalg.eigh(np.cov(plain.T.astype(np.float64), bias=True))
    zca = vectors / np.sqrt(np.maximum(values, 0) + SMALL_VARIANCE) @ vectors.T
    np.testing.assert_allclose(got.flatten(1), (plain - plain.mean(0)) @ zca, atol=1e-4)
    np.testing.assert_allclose(white.pixels(got), train.pixels(), atol=1e-5)
    assert params(zca=True).scale(train).normalise(train.pixels()).equal(got)


def test_whitening_does_not_depend_on_chunks(train, monkeypatch):
    whole = Whitening.of(train)
    monkeypatch.setattr("condensation.pytorch.whitening.CHUNK", 5)
    torch.testing.assert_close(Whitening.of(train).whiten, whole.whiten, rtol=1e-4, atol=1e-5)
