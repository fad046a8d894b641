"""Arrays of parts among those of a whole, as checkpoints hold them: their names begin with the part's and a slash."""

from collections.abc import Mapping
from typing import TypeVar

V = TypeVar("V")


def joined(parts: Mapping[str, Mapping[str, V]] | Mapping[int, Mapping[str, V]]) -> dict[str, V]:
    """The arrays of all parts, each named ``part/name``."""
    return {f"{part}/{name}": array for part, arrays in parts.items() for name, array in arrays.items()}


def part_of(arrays: Mapping[str, V], part: str | int) -> dict[str, V]:
    """What ``joined`` named after a part, by its own names again; nothing where there is no such part."""
    prefix = f"{part}/"
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
