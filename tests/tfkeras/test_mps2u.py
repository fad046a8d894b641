"""MPS2U end to end on tiny images: what it promises whatever the data."""

from pathlib import Path

import numpy as np
import pytest

from condensation.core.errors import InputError
from condensation.core.images import ImageSet
from condensation.core.params import check
from condensation.core.runlog import RunLog
from condensation.tfkeras.methods import mps2u

SECTION = {
    "agent": "on",
    "head": "softmax",
    "hold_out": 0.25,
    "candidates": 40,
    "confident": [0.5, 1.0],
    "cnn": {
        "epochs": {"default": 2},
        "epoch_images": 40,
        "batch_size": 16,
        "patience": 2,
        "min_gain": 0.0,
        "width": 4,
        "augment": {"flip": {"default": False}},
    },
    "q": {"memory": 64, "updates": 1},
    "environment": {
        "reward": "validation_gain",
        "reward_scale": 10.0,
        "rounds": 4,
        "slots": 3,
        "candidates": 3,
    },
    "ridge": {"penalties": [0.01], "untrained": {"networks": 1, "width": 4, "dimensions": 8, "views": 1}},
    "choosing": {"epochs": {"default": 3}, "patience": 3, "min_gain": 0.0},
}


def tiny(seed: int = 0) -> ImageSet:
    """Three classes of unequal size: a bright band at the class's place, under noise."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], [20, 28, 36])
    images = rng.integers(0, 120, (len(labels), 9, 7, 3))
    for i, label in enumerate(labels):
        images[i, 3 * label : 3 * label + 3] += 120
    return ImageSet(images.astype(np.uint8), labels, ("a", "b", "c"), "bands")


def run(log: RunLog | None = None, seed: int = 0, k: int = 4, **changes: object) -> bytes:
    params = check({**SECTION, **changes}, mps2u.Params, "mps2u")
    return mps2u.condense(tiny(), images_per_class=k, params=params, seed=seed, log=log or RunLog()).to_bytes()


def test_chooses_real_images_of_their_class_none_twice() -> None:
    params = check(SECTION, mps2u.Params, "mps2u")
    train = tiny()
    condensed = mps2u.condense(train, images_per_class=4, params=params, seed=0, log=RunLog())
    assert condensed.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    position = {image.tobytes(): i for i, image in enumerate(train.pixels())}
    found = [position[image.tobytes()] for image in condensed.images]
    assert train.labels[found].tolist() == condensed.labels.tolist()
    assert len(set(found)) == len(found)


def test_same_seed_same_bytes_other_seed_other_bytes() -> None:
    assert run() == run()
    assert run() != run(seed=1)


def test_runs_that_share_a_folder_make_one_cnn_and_its_features_and_give_the_same_bytes(tmp_path: Path) -> None:
    def shared(name: str, **changes: object) -> bytes:
        return run(RunLog(checkpoint=tmp_path / name / "checkpoint.npz", shared=tmp_path / "shared"), **changes)

    def made() -> list[int]:
        return [len(list((tmp_path / "shared").glob(f"{name}-*.npz"))) for name in ("cnn", "untrained")]

    assert shared("first") == run()
    assert shared("size", k=5) == run(k=5)
    assert shared("off", agent="off") == run(agent="off")
    assert made() == [1, 1]
    shared("wider", cnn=SECTION["cnn"] | {"width": 5})
    assert made() == [2, 1]
    shared("seed", seed=1)
    assert made() == [3, 2]


class Killed(Exception):
    """Stands for SIGKILL."""


class KilledLog(RunLog):
    """Saves at every occasion and dies after ``lives`` of them."""

    def __init__(self, path: Path, lives: int) -> None:
        super().__init__(checkpoint=path, checkpoint_seconds=0.0)
        self.lives = lives

    def checkpoint(self, state, *, now: bool = False) -> None:  # type: ignore[no-untyped-def]
        super().checkpoint(state, now=True)
        self.lives -= 1
        if self.lives == 0:
            raise Killed


@pytest.mark.parametrize("lives", [1, 3, 4])
def test_resumed_run_gives_the_bytes_of_an_uninterrupted_one(tmp_path: Path, lives: int) -> None:
    path = tmp_path / "state.npz"
    with pytest.raises(Killed):
        run(KilledLog(path, lives))
    resumed, whole = RunLog(checkpoint=path), RunLog()
    assert run(resumed) == run(whole)
    assert resumed.history == whole.history


def test_too_few_images_beside_the_hold_out() -> None:
    with pytest.raises(InputError, match=r"1\.\.15"):
        run(k=16)
