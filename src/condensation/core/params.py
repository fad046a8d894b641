"""params.yaml, the only place where a number is chosen, read strictly."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from condensation.core.errors import InputError, one_of


class Section(BaseModel):
    """A part of params.yaml: frozen, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


SectionT = TypeVar("SectionT", bound=BaseModel)
T = TypeVar("T")
DEFAULT = "default"


def _with_default(values: dict[str, T]) -> dict[str, T]:
    if DEFAULT not in values:
        raise ValueError(f"values by data set need one under {DEFAULT!r} for all others")
    return values


ByDataset = Annotated[dict[str, T], AfterValidator(_with_default)]
"""Values by the names of data sets, one of them for all that are not named; read by ``for_dataset``."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def for_dataset(values: Mapping[str, T], dataset: str) -> T:
    """The value of a data set, or the one for all that are not named."""
    return values.get(dataset, values[DEFAULT])


def read_params(path: Path) -> dict[str, Any]:
    """The file as plain values (YAML 1.2, DVC's dialect: ``5e-4`` is a number and ``no`` a word)."""
    try:
        tree = YAML(typ="safe", pure=True).load(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run from the project's root or name it with --params") from None
    except YAMLError as error:
        raise InputError(f"{path} is not YAML: {error}") from None
    if not isinstance(tree, dict):
        raise InputError(f"{path} must hold sections, got {type(tree).__name__}")
    return tree


def at(tree: Mapping[str, Any], dotted: str) -> Any:
    """The value under a dotted key; InputError naming the key and what lies there instead."""
    value: Any = tree
    walked: list[str] = []
    for key in dotted.split("."):
        if not isinstance(value, Mapping) or key not in value:
            place = ".".join(walked) or "params.yaml"
            known = map(str, value) if isinstance(value, Mapping) else []
            raise one_of(f"key {key!r} in {place}; parameter", dotted, known)
        value = value[key]
        walked.append(key)
    return value


def override(tree: Mapping[str, Any], dotted: str, text: str) -> dict[str, Any]:
    """A copy of ``tree`` with the value under ``dotted`` replaced by ``text`` read as YAML; the key must exist."""
    at(tree, dotted)
    try:
        value = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        raise InputError(f"{dotted}: {text!r} is not a YAML value") from None
    copy: dict[str, Any] = json.loads(json.dumps(tree))
    *parents, last = dotted.split(".")
    target = copy
    for key in parents:
        target = target[key]
    target[last] = value
    return copy


def with_preset(tree: Mapping[str, Any], name: str, method: str | None, dataset: str = "") -> dict[str, Any]:
    """A copy of ``tree`` with a method's section changed by what ``presets`` says of it under ``name``.

    ``datasets`` within the preset holds, by data set, what is different there.
    """
    presets = at(tree, "presets")
    known = [each for each, methods in presets.items() if method in methods]
    if name not in known:
        raise one_of(f"preset of {method}", name, known)
    changes = dict(presets[name][method])
    here = changes.pop("datasets", {}).get(dataset, {})
    section = {**at(tree, f"methods.{method}"), **changes, **here}
    return {**tree, "methods": {**tree["methods"], method: section}}


def section(tree: Mapping[str, Any], dotted: str, model: type[SectionT]) -> SectionT:
    """The section under a dotted key as a checked model; InputError names the key, the value and what is allowed."""
    checked: SectionT = check(at(tree, dotted), model, dotted)
    return checked


def seeds(tree: Mapping[str, Any]) -> list[int]:
    """The seeds of the condensed sets, one set for each."""
    found: list[int] = check(at(tree, "seeds"), list[Seed], "seeds")
    if len(set(found)) != len(found) or not found:
        raise InputError(f"seeds are {found}: name at least one, each once")
    return found


def check(values: Any, kind: Any, name: str) -> Any:
    """``values`` as ``kind``, strictly; unknown, missing and mistyped keys make one InputError."""
    try:
        return TypeAdapter(kind).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise InputError("; ".join(_explain(dict(e), kind, name) for e in error.errors())) from None


def _explain(error: dict[str, Any], kind: Any, name: str) -> str:
    *parents, last = [name, *map(str, error["loc"])]
    key = ".".join([*parents, last])
    if error["type"] == "extra_forbidden":
        fields = getattr(kind, "model_fields", {}) if len(parents) == 1 else {}
        known = f"; allowed in {name}: {', '.join(sorted(fields)) or 'nothing'}" if len(parents) == 1 else ""
        return f"{key} is unknown{known}"
    if error["type"] == "missing":
        return f"{key} is missing"
    return f"{key} is {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"
