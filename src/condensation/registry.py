"""Tables of strings: which module holds a method or a judge; imported on demand, so that two frameworks never meet."""

from importlib import import_module
from typing import Any, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import one_of
from condensation.core.results import Judgement


class Entry(NamedTuple):
    """Where a method lives and whether it asks the ``teach`` stage for its seed's teacher, or expert trajectories.

    libraries: distributions beside its framework that decide what it makes.
    """

    module: str
    teacher: bool = False
    trajectories: bool = False
    libraries: tuple[str, ...] = ()


AGENTS = ("torchvision", "stable-baselines3", "gymnasium", "optuna")

METHODS = {
    "random": Entry("condensation.selection.random"),
    "random_soft": Entry("condensation.selection.random_soft", teacher=True),
    "herding": Entry("condensation.selection.herding", teacher=True),
    "k_center": Entry("condensation.selection.k_center", teacher=True),
    "k_means": Entry("condensation.selection.k_means", teacher=True),
    "gradient_matching": Entry("condensation.pytorch.methods.gradient_matching"),
    "dsa": Entry("condensation.pytorch.methods.dsa"),
    "distribution_matching": Entry("condensation.pytorch.methods.distribution_matching"),
    "kernel_ridge": Entry("condensation.pytorch.methods.kernel_ridge"),
    "trajectory_matching": Entry("condensation.pytorch.methods.trajectory_matching", trajectories=True),
    "mps_o": Entry("condensation.pytorch.methods.mps_o", libraries=AGENTS),
    "mps_5o": Entry("condensation.pytorch.methods.mps_5o", libraries=AGENTS),
    "mps3": Entry("condensation.pytorch.methods.mps3", teacher=True, libraries=AGENTS),
    "mps1": Entry("condensation.tfkeras.methods.mps1"),
    "mps1_gan": Entry("condensation.tfkeras.methods.mps1_gan"),
    "mps2": Entry("condensation.tfkeras.methods.mps2"),
    "mps2u": Entry("condensation.tfkeras.methods.mps2u"),
    "mutual_information": Entry("condensation.tfkeras.methods.mutual_information"),
}


class Condense(Protocol):
    """The function of a method.

    ``(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset``, and
    ``teacher: Path`` or ``trajectories: Path``, the folder of its seed's teacher or expert trajectories, where the
    method's entry asks for them.
    """

    def __call__(self, *args: object, **kwargs: object) -> CondensedDataset:
        """A condensed set of ``images_per_class`` images for each class of ``train``."""
        ...


@runtime_checkable
class Method(Protocol):
    """What a method's module holds."""

    Params: type[BaseModel]
    condense: Condense


def entry(method: str) -> Entry:
    """The table's line of a method; InputError for an unknown one."""
    if method not in METHODS:
        raise one_of("method", method, METHODS)
    return METHODS[method]


LIBRARIES = {"pytorch": ["torch"], "tfkeras": ["tensorflow-cpu", "keras"], "selection": ["scikit-learn"]}
"""The distributions whose versions decide what comes out of a room."""


def libraries(method: str) -> list[str]:
    """The distributions whose versions decide what a method makes."""
    found = entry(method)
    return ["numpy", *LIBRARIES[found.module.split(".")[1]], *found.libraries]


def method_module(method: str) -> Method:
    """Import a method's module, and with it the one framework that it needs."""
    module = import_module(entry(method).module)
    assert isinstance(module, Method), f"{module} lacks Params or condense"
    return module


JUDGES = {
    "standard": "condensation.pytorch.judge",
    "paper": "condensation.pytorch.judge",
    "keras": "condensation.tfkeras.judge",
}
"""The judge of each protocol of params.yaml."""


class Judge(Protocol):
    """The function of a judge.

    ``(images, labels, soft_labels, test, *, mean, std, protocol, set_seed, seeds, log, pictures_per_image) ->
    list[Judgement]``, as ``pytorch/judge.py`` says.
    """

    def __call__(self, *args: object, **kwargs: object) -> list[Judgement]:
        """One judgement for each of ``seeds``."""
        ...


@runtime_checkable
class JudgeModule(Protocol):
    """What a judge's module holds; its ``Protocol`` has ``networks``, ``network`` with a ``name``, and its recipe."""

    Protocol: type[Any]
    judge: Judge


def judge_module(protocol: str) -> JudgeModule:
    """Import the judge of a protocol, and with it the one framework that it needs; InputError for an unknown one."""
    if protocol not in JUDGES:
        raise one_of("protocol of the judge", protocol, JUDGES)
    module = import_module(JUDGES[protocol])
    assert isinstance(module, JudgeModule), f"{module} lacks Protocol or judge"
    return module


def judge_libraries(protocol: str) -> list[str]:
    """The distributions whose versions decide what the judge of a protocol finds."""
    return ["numpy", *LIBRARIES[JUDGES[protocol].split(".")[1]]]
