"""Tables of strings: which module holds a method; imported on demand, so that two frameworks never meet."""

from importlib import import_module
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import one_of
from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog

METHODS = {
    "random": "condensation.selection.random",
    "herding": "condensation.selection.herding",
    "k_center": "condensation.selection.k_center",
    "gradient_matching": "condensation.pytorch.methods.gradient_matching",
    "mps2u": "condensation.tfkeras.methods.mps2u",
}


@runtime_checkable
class Method(Protocol):
    """What a method's module holds."""

    Params: type[BaseModel]

    def condense(
        self, train: ImageSet, *, images_per_class: int, params: BaseModel, seed: int, log: RunLog
    ) -> CondensedDataset:
        """A condensed set of ``images_per_class`` images for each class of ``train``."""
        ...


def module_name(method: str) -> str:
    """The module of a method; InputError for an unknown one."""
    if method not in METHODS:
        raise one_of("method", method, METHODS)
    return METHODS[method]


def method_module(method: str) -> Method:
    """Import a method's module, and with it the one framework that it needs."""
    module = import_module(module_name(method))
    assert isinstance(module, Method), f"{module} lacks Params or condense"
    return module
