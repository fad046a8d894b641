"""What every method of the table must keep, whoever wrote it; each framework's folder runs it for its own methods."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from condensation.core.condensed import CondensedDataset
from condensation.core.files import npz_bytes, write_json
from condensation.core.images import ImageSet
from condensation.core.params import check, override, read_params, section, with_preset
from condensation.core.randomness import generator
from condensation.core.runlog import RunLog
from condensation.core.taught import FACTS
from condensation.registry import METHODS, method_module
from condensation.stages.study import StudyParams
from condensation.tuning.axes import extremes
from condensation.tuning.plan import TuningParams

TREE = read_params(Path(__file__).parents[1] / "params.yaml")
PARAMS = TREE["methods"]
SYSTEM: dict[str, Any] = {
    "cnn": {**PARAMS["mps2u"]["cnn"], "epochs": {"default": 2}, "width": 4},
    "environment": {**PARAMS["mps2u"]["environment"], "rounds": 5},
    "choosing": {**PARAMS["mps2u"]["choosing"], "epochs": {"default": 2}},
    "ridge": {"penalties": [0.01, 0.1], "untrained": {"networks": 1, "width": 4, "dimensions": 8, "views": 1}},
}
UNTRAINED = {"networks": 1, "width": 4, "dimensions": 8, "views": 1, "precision": "float32"}
AGENT: dict[str, Any] = {
    "cnn": {**PARAMS["mps_o"]["cnn"], "min_steps": 0, "max_steps": 6},
    "episodes": 2,
    "search": {"trials": 2, "episodes": 1},
    "untrained": UNTRAINED,
    "environment": {**PARAMS["mps_o"]["environment"], "steps": 2},
}
# Smaller budgets, so that a test takes seconds; a method that is not named runs as params.yaml says.
QUICK: dict[str, dict[str, Any]] = {
    "gradient_matching": {"iterations": 3},
    "dsa": {"iterations": 3},
    "distribution_matching": {"iterations": 3},
    "kernel_ridge": {"network": {"width": 8}, "networks": 2, "lifetime": 2, "iterations": 5},
    "trajectory_matching": {
        "experts": {
            **PARAMS["trajectory_matching"]["experts"],
            "network": {"width": 8},
            "experts": 1,
            "epochs": 2,
            "epoch_images": 30,
            "batch_size": 10,
        },
        "max_start_epoch": 1,
        "student_steps": 2,
        "batch_train": 4,
        "iterations": 3,
    },
    "mps_o": AGENT,
    "mps_5o": AGENT,
    "mps3": {
        "trial": {**PARAMS["mps3"]["trial"], "min_steps": 0, "max_steps": 4},
        "compose": {
            **PARAMS["mps3"]["compose"],
            "episodes": 2,
            "untrained": UNTRAINED,
        },
        "refine": {
            **PARAMS["mps3"]["refine"],
            "steps": {"default": 3},
            "first_steps": 3,
            "network": {"width": 8},
            "networks": 2,
            "lifetime": 6,
            "batch_train": 8,
            "trained": 2,
        },
    },
    "mps1": SYSTEM,
    "mps1_gan": {**SYSTEM, "gan": {**PARAMS["mps1_gan"]["gan"], "epochs": {"default": 2}}, "generated": 3},
    "mps2": SYSTEM,
    "mps2u": SYSTEM,
    "mutual_information": SYSTEM,
}


def check_study(name: str) -> None:
    """Every variant of a study of params.yaml is one that the study's methods take."""
    study = check(TREE["studies"][name], StudyParams, f"studies.{name}")
    assert study.own or study.named()
    for method in study.methods:
        for changes in study.named().values():
            tree = with_preset(TREE, study.preset, method) if study.preset else TREE
            for dotted, value in changes.items():
                tree = override(tree, f"methods.{method}.{dotted}", json.dumps(value))
            section(tree, f"methods.{method}", method_module(method).Params)


def methods_of(room: str) -> list[str]:
    """The methods that live in a room: selection, pytorch or tfkeras."""
    return sorted(name for name, entry in METHODS.items() if entry.module.split(".")[1] == room)


def toy(shape: tuple[int, int, int] = (8, 8, 1), counts: tuple[int, ...] = (14, 11, 16)) -> ImageSet:
    """Small classes of unequal size, each a bright patch of its own with noise."""
    rng = generator(7, "toy")
    labels = np.repeat(np.arange(len(counts)), counts)
    images = rng.integers(0, 90, (len(labels), *shape))
    for index, label in enumerate(labels):
        images[index, 2 * label : 2 * label + 3, 1:6] += 150
    order = rng.permutation(len(labels))
    names = tuple(f"class {label}" for label in range(len(counts)))
    return ImageSet(images[order].astype(np.uint8), labels[order].astype(np.int64), names, "toy")


def teacher_folder(folder: Path, train: ImageSet, seed: int) -> Path:
    """A stand-in for what ``teach`` writes: features and logits of random projections that belong to the seed."""
    rng = generator(seed, "teacher")
    flat = train.pixels().reshape(len(train), -1)
    features = np.maximum(flat @ rng.normal(size=(flat.shape[1], 16)), 0).astype(np.float16)
    folder.mkdir(parents=True, exist_ok=True)
    logits = (features @ rng.normal(size=(16, train.classes))).astype(np.float16)
    (folder / "features.npz").write_bytes(npz_bytes({"features": features, "logits": logits}))
    write_json(folder / FACTS, {"train_sha256": train.sha256})
    return folder


def trained_teacher_folder(folder: Path, train: ImageSet, seed: int) -> Path:
    """What ``teach`` writes, of a small network after a few steps."""
    from condensation.pytorch.teacher import TeacherParams, train_teacher

    quick = {**TREE["teach"], "network": {"width": 8}, "max_steps": 6, "batch_size": 16}
    train_teacher(train, params=check(quick, TeacherParams, "teach"), seed=seed, log=RunLog()).save(folder)
    return folder


def trajectories_folder(folder: Path, train: ImageSet, method: str, seed: int) -> Path:
    """What ``teach`` writes for a method of PyTorch that follows experts."""
    from condensation.pytorch.trajectories import record

    record(train, params=params_of(method).experts, seed=seed, folder=folder, log=RunLog())
    return folder


def params_of(method: str, **changes: Any) -> Any:
    """The method's section of params.yaml, made quick, with changes."""
    values = {**PARAMS[method], **QUICK.get(method, {}), **changes}
    return check(values, method_module(method).Params, f"methods.{method}")


def make(
    method: str, train: ImageSet, seed: int, folder: Path, *, images_per_class: int = 2, log: RunLog | None = None
) -> CondensedDataset:
    """Run a method as the condense stage does."""
    taught = trained_teacher_folder if method in methods_of("pytorch") else teacher_folder
    asked = {"teacher": taught(folder / str(seed), train, seed)} if METHODS[method].teacher else {}
    if METHODS[method].trajectories:
        asked["trajectories"] = trajectories_folder(folder / str(seed), train, method, seed)
    return method_module(method).condense(
        train,
        images_per_class=images_per_class,
        params=params_of(method),
        seed=seed,
        log=log or RunLog(),
        **asked,
    )


def check_shapes(method: str, folder: Path) -> None:
    """Counts, shape, type and provenance, on grey and colour images of unequal classes."""
    for train in (toy(), toy((12, 9, 3))):
        made = make(method, train, 0, folder / train.images.shape[1:].__repr__())
        assert made.images.dtype == np.float32
        assert made.images.shape == (2 * train.classes, *train.image_shape)
        assert np.bincount(made.labels).tolist() == [2] * train.classes
        told = made.provenance
        assert (told.method, told.dataset, told.images_per_class, told.seed) == (method, "toy", 2, 0)
        assert told.train_sha256 == train.sha256
        assert told.class_names == train.class_names


def check_seeds(method: str, folder: Path) -> None:
    """Same seed, same bytes; another seed, other images; the training images stay as they were."""
    train = toy()
    before = train.images.copy(), train.labels.copy()
    first, again, other = (make(method, train, seed, folder) for seed in (3, 3, 4))
    assert first.to_bytes() == again.to_bytes()
    assert not np.array_equal(first.images, other.images)
    np.testing.assert_array_equal(train.images, before[0])
    np.testing.assert_array_equal(train.labels, before[1])


def check_params(method: str) -> list[str]:
    """Messages of the refusals of an unknown key and of a mistyped value for each key."""
    values, kind = PARAMS[method], method_module(method).Params
    messages = []
    for bad in [{**values, "no_such_key": 1}, *({**values, key: {"no": "such"}} for key in values)]:
        try:
            check(bad, kind, f"methods.{method}")
        except ValueError as error:
            messages.append(str(error))
        else:
            messages.append(f"accepted {bad}")
    return messages


class Killed(BaseException):
    """Stands for the end of the process."""


class MortalLog(RunLog):
    """A log that saves at every chance and dies at the given one."""

    def __init__(self, path: Path, dies_at: int | None) -> None:
        super().__init__(checkpoint=path, checkpoint_seconds=0.0)
        self._left = dies_at

    def checkpoint(self, state: Any, *, now: bool = False) -> None:
        """Save; die when the time has come."""
        super().checkpoint(state, now=True)
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                raise Killed


def check_resume(method: str, folder: Path) -> int:
    """Die at checkpoints 1, 3, 7 and 15 of all, go on, and come to the same bytes; how often it died."""
    train = toy()
    whole_log = RunLog()
    whole = make(method, train, 5, folder, log=whole_log)
    deaths = 0
    path = folder / "checkpoint.npz"
    for dies_at in (1, 2, 4, 8, None):
        log = MortalLog(path, dies_at)
        try:
            resumed = make(method, train, 5, folder, log=log)
        except Killed:
            deaths += 1
            continue
        assert resumed.to_bytes() == whole.to_bytes()
        assert log.history == whole_log.history
        break
    return deaths


def suite(room: str) -> type:
    """The tests of a room's methods, as a class for its folder to collect."""

    @pytest.mark.parametrize("method", methods_of(room))
    class Suite:
        def test_shapes(self, method: str, tmp_path: Path) -> None:
            check_shapes(method, tmp_path)

        def test_seeds(self, method: str, tmp_path: Path) -> None:
            check_seeds(method, tmp_path)

        def test_params_are_refused(self, method: str) -> None:
            messages = check_params(method)
            assert all(f"methods.{method}." in message for message in messages), messages

        def test_killed_and_resumed_gives_the_same_bytes(self, method: str, tmp_path: Path) -> None:
            deaths = check_resume(method, tmp_path)
            assert deaths >= 1 or room == "selection", "it never took a checkpoint"

        def test_every_end_of_every_axis_is_taken(self, method: str) -> None:
            """What a search may try, by params.yaml, is refused by nobody."""
            plan = section(TREE, "tuning", TuningParams)
            axes, kind = plan.axes.get(method, {}), method_module(method).Params
            taken = [check(values, kind, f"methods.{method}") for values in extremes(PARAMS[method], axes, "mnist")]
            assert len(taken) == sum(len(axis.ends()) for axis in axes.values())
            assert all(isinstance(params, kind) for params in taken)

    return Suite
