"""What each trick gives gradient matching on its own: an outer step and its inner epoch with all, and without one.

Run from the project's root: ``python benchmarks/matching_tricks.py [--shapes mnist] [--sizes 10] [--rounds 3]``.
A ``speedup`` below 1 is what leaving that trick out costs: 0.5 means that the step takes twice as long without it.
"""

from collections.abc import Callable
from functools import partial
from unittest.mock import patch

from gradient_matching import method
from turn_about import Paced, benchmark

from condensation.pytorch.networks import Network

MODE = "exact"


def everything(shape: str, images_per_class: int, pace: Paced) -> None:
    """The method as it is."""
    method(MODE, shape, images_per_class, pace)


def without(changes: dict[str, object], shape: str, images_per_class: int, pace: Paced) -> None:
    """The method with names replaced."""
    patches = [patch(f"condensation.pytorch.{name}", value) for name, value in changes.items()]
    for each in patches:
        each.start()
    method(MODE, shape, images_per_class, pace)


def memory_as_given(shape: str, images_per_class: int, pace: Paced) -> None:
    """The method with memory as the system gives it."""
    with patch("gradient_matching.keep_freed_memory"):
        method(MODE, shape, images_per_class, pace)


def modules(network: Network) -> Network:
    """In place of the fused network."""
    return network


def in_turn(function: Callable[[int], object], items: range) -> list[object]:
    """In place of classes side by side: one after another, every core on each."""
    return [function(item) for item in items]


MATCHING, LOSS, METHOD = "matching", "loss", "methods.gradient_matching"
SIDES = {
    "everything": everything,
    "without fused": partial(without, {f"{MATCHING}.fused": modules, f"{LOSS}.fused": modules}),
    "without classes side by side": partial(without, {f"{METHOD}.side_by_side": in_turn}),
    "without parts of a batch side by side": partial(without, {f"{LOSS}.side_by_side": in_turn}),
    "without chunks of real images": partial(without, {f"{MATCHING}.CHUNK_PIXELS": 10**9}),
    "without kept memory": memory_as_given,
}

if __name__ == "__main__":
    benchmark(__file__, __doc__ or "", SIDES)
