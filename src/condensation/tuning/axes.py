"""Axes: which parameters a search may change, and between which values."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from pydantic import model_validator

from condensation.core.errors import InputError
from condensation.core.params import DEFAULT, Section, at, for_dataset

Values = dict[str, Any]
"""Values by the names of axes."""


class Axis(Section):
    """The values that a parameter may take.

    low, high: both ends of a range; whole numbers where both are whole. log: tried evenly by the logarithm.
    choices: words or numbers, in place of a range.
    """

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: list[bool | int | float | str] | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.choices is not None:
            if (self.low, self.high, self.log) != (None, None, False):
                raise ValueError("an axis has choices, or low and high, not both")
            if not self.choices or len(set(map(repr, self.choices))) < len(self.choices):
                raise ValueError("choices must be at least one, each once")
            return self
        if self.low is None or self.high is None:
            raise ValueError("an axis needs choices, or low and high")
        if self.low >= self.high:
            raise ValueError(f"the range from {self.low} to {self.high} is empty")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range starts above 0, not at {self.low}")
        return self

    @property
    def whole(self) -> bool:
        """Whether it is a range of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def ends(self) -> list[Any]:
        """The values that stand for all of them: every choice, or both ends."""
        return list(self.choices) if self.choices is not None else [self.low, self.high]

    def holds(self, value: Any) -> bool:
        """Whether the axis can take a value."""
        if self.choices is not None:
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float) or self.low is None or self.high is None:
            return False
        return self.low <= value <= self.high and (isinstance(value, int) or not self.whole)


Axes = Mapping[str, Axis]


def key_of(section: Mapping[str, Any], name: str, dataset: str) -> str:
    """The dotted key that an axis changes: of a parameter by data set, the entry of this one."""
    value = _walk(section, name)
    return f"{name}.{dataset}" if isinstance(value, Mapping) and DEFAULT in value else name


def value_of(section: Mapping[str, Any], name: str, dataset: str) -> Any:
    """What a parameter is for a data set."""
    value = _walk(section, name)
    return for_dataset(value, dataset) if isinstance(value, Mapping) and DEFAULT in value else value


def own_values(section: Mapping[str, Any], axes: Axes, dataset: str) -> Values | None:
    """The parameters as they are, by axis; None where one of them lies outside its axis."""
    own = {name: value_of(section, name, dataset) for name in axes}
    return own if all(axis.holds(own[name]) for name, axis in axes.items()) else None


def with_values(section: Mapping[str, Any], values: Values, dataset: str) -> dict[str, Any]:
    """A copy of a section with these values at the places of their axes."""
    changed = copy.deepcopy(dict(section))
    for name, value in values.items():
        *parents, last = key_of(section, name, dataset).split(".")
        _walk(changed, ".".join(parents))[last] = value
    return changed


def check_axes(tree: Mapping[str, Any], dotted: str, axes: Axes) -> None:
    """InputError when there is no axis, or one that names no parameter of the section under ``dotted``."""
    if not axes:
        raise InputError(f"{dotted} has no axes; name at least one in `tuning` of params.yaml")
    for name in axes:
        at(tree, f"{dotted}.{name}")


def extremes(section: Mapping[str, Any], axes: Axes, dataset: str) -> Iterator[dict[str, Any]]:
    """The section with one axis at a time at each of its ends: what must be possible before anything is tried."""
    for name, axis in axes.items():
        for value in axis.ends():
            yield with_values(section, {name: value}, dataset)


def without(section: Mapping[str, Any], axes: Iterable[str], dataset: str) -> dict[str, Any]:
    """The section with nothing at the places of the axes: what a search leaves as it is."""
    return with_values(section, dict.fromkeys(axes), dataset)


def _walk(section: Mapping[str, Any], dotted: str) -> Any:
    value: Any = section
    for key in filter(None, dotted.split(".")):
        value = value[key]
    return value
