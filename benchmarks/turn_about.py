"""Timing sides against each other: each in a process of its own, one step at a time, turn about.

A side is a benchmark's script started again with the side's name and a case; it works through a run log that holds it
up at each checkpoint until the parent asks for the next step. What else happens on the machine then hits all sides
alike; the best of the rounds counts.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog

SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
SIZES = (1, 10, 50)
CLASSES = 10


def noise(per_class: int, shape: str) -> ImageSet:
    """A data set of noise in the shape of a real one: times do not depend on what is in the pixels."""
    images = np.random.default_rng(0).integers(0, 256, (per_class * CLASSES, *SHAPES[shape])).astype(np.uint8)
    return ImageSet(images, np.arange(len(images)) % CLASSES, tuple("0123456789"), "noise")


class Done(Exception):
    """The parent asks for no more steps."""


class Paced(RunLog):
    """In a side's process: tells the seconds since the last step at each checkpoint and waits for the parent.

    The first checkpoint passes: what is compiled or allocated once is done by then.
    """

    def __init__(self) -> None:
        super().__init__()
        self._warm, self._begin = False, time.perf_counter()

    def checkpoint(self, state: object = None, *, now: bool = False) -> None:
        seconds = time.perf_counter() - self._begin
        if self._warm:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(json.dumps({"seconds": seconds, "memory_mb": memory}), flush=True)
            if not sys.stdin.readline():
                raise Done
        self._warm, self._begin = True, time.perf_counter()


Side = Callable[[str, int, Paced], None]
"""Works for ever on (shape, images per class), with a checkpoint after each step."""


def benchmark(script: str, description: str, sides: Mapping[str, Side]) -> None:
    """The whole script: every shape and number of images per class, each side against the first.

    The last line printed is one JSON object: for each other side the least speedup and the highest ratio of peak
    memories, and all cases.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--shapes", nargs="*", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--sizes", nargs="*", type=int, default=list(SIZES), help="images per class")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side:
        name, shape, size = chosen.side
        try:
            sides[name](shape, int(size), Paced())
        except Done:
            return
    cases = [_case(script, list(sides), shape, n, chosen.rounds) for shape in chosen.shapes for n in chosen.sizes]
    _, *others = sides
    summary = {
        "speedup": {name: min(case["speedup"][name] for case in cases) for name in others},
        "memory_ratio": {name: max(case["memory_ratio"][name] for case in cases) for name in others},
    }
    print(json.dumps({**summary, "n": chosen.rounds, "cases": cases}))


def _case(script: str, names: Sequence[str], shape: str, images_per_class: int, rounds: int) -> dict[str, object]:
    told = _compare(script, names, (shape, str(images_per_class)), rounds)
    first, *others = names
    base = told[first]
    result: dict[str, object] = {"shape": shape, "images_per_class": images_per_class}
    for kind, ratio in (
        ("speedup", lambda side: base["seconds"] / side["seconds"]),
        ("memory_ratio", lambda side: side["memory_mb"] / base["memory_mb"]),
    ):
        result[kind] = {name: round(ratio(told[name]), 2) for name in others}
    result["sides"] = told
    print(json.dumps(result), flush=True)
    return result


def _compare(script: str, names: Sequence[str], case: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    """Best seconds of a step and peak memory in MiB of each side."""
    sides: dict[str, subprocess.Popen[str]] = {}
    told: dict[str, list[dict[str, float]]] = {}
    for name in names:  # each warms up alone
        command = [sys.executable, script, "--side", name, *case]
        sides[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        told[name] = [_hear(sides[name])]
    for _ in range(rounds - 1):
        for name, process in sides.items():
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            told[name].append(_hear(process))
    for process in sides.values():
        process.communicate()
    return {
        name: {"seconds": round(min(t["seconds"] for t in each), 4), "memory_mb": round(each[-1]["memory_mb"])}
        for name, each in told.items()
    }


def _hear(process: "subprocess.Popen[str]") -> dict[str, float]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args} ended without an answer")
    answer: dict[str, float] = json.loads(line)
    return answer
