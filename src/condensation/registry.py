"""Tables of strings: which module holds a method; imported on demand, so that two frameworks never meet."""

from importlib import import_module
from typing import NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import one_of


class Entry(NamedTuple):
    """Where a method lives and whether it asks the ``teach`` stage for its seed's teacher, or expert trajectories."""

    module: str
    teacher: bool = False
    trajectories: bool = False


METHODS = {
    "random": Entry("condensation.selection.random"),
    "herding": Entry("condensation.selection.herding", teacher=True),
    "k_center": Entry("condensation.selection.k_center", teacher=True),
    "k_means": Entry("condensation.selection.k_means", teacher=True),
    "gradient_matching": Entry("condensation.pytorch.methods.gradient_matching"),
    "dsa": Entry("condensation.pytorch.methods.dsa"),
    "distribution_matching": Entry("condensation.pytorch.methods.distribution_matching"),
    "kernel_ridge": Entry("condensation.pytorch.methods.kernel_ridge"),
    "trajectory_matching": Entry("condensation.pytorch.methods.trajectory_matching", trajectories=True),
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


def libraries(method: str) -> list[str]:
    """The distributions whose versions decide what a method makes."""
    framework = {"pytorch": ["torch"], "tfkeras": ["tensorflow-cpu", "keras"], "selection": ["scikit-learn"]}
    return ["numpy", *framework[entry(method).module.split(".")[1]]]


def method_module(method: str) -> Method:
    """Import a method's module, and with it the one framework that it needs."""
    module = import_module(entry(method).module)
    assert isinstance(module, Method), f"{module} lacks Params or condense"
    return module
