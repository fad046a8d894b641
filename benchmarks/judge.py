"""Throughput of the judge against the textbook: the same networks one after another, eager float32, default memory.

Run from the project's root: ``python benchmarks/judge.py [--shapes mnist] [--images 100] [--rounds 3]``. In one run,
all sides train the published ConvNet for the same number of steps of the same recipe and score it on the same number
of test images, turn about; each side in a process of its own, because the judge's memory setting
(``stages/process.py``) holds for a whole process. The judge takes part as params.yaml has it and in float32.

The last side, ``stacked``, trains the networks at once, their weights stacked (torch.func.vmap, under which
convolutions become grouped ones), with the judge's memory setting: ``stacked_wins`` names the cases, if any, in which
that is faster than the judge's networks side by side.
The last line is one JSON object; ``speedup`` is the least of the cases, the judge against the textbook.
"""

import argparse
import copy
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from condensation.core.images import ImageSet
from condensation.core.params import at, check, read_params
from condensation.core.runlog import RunLog
from condensation.pytorch.augment import light_affine
from condensation.pytorch.judge import Protocol, judge
from condensation.pytorch.networks import build
from condensation.stages.process import keep_freed_memory

Weights = dict[str, Tensor]

SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
EPOCHS = 4
TEST_PER_TRAIN = 3  # the standard protocol at 10 images per class: 10,000 test images after 3,000 of training


def protocol(networks: int, **changes: str) -> Protocol:
    """The standard protocol, shortened."""
    standard = at(read_params(Path("params.yaml")), "judge.standard")
    short = {"networks": networks, "epochs": EPOCHS, "min_steps": 0}
    found: Protocol = check({**standard, **short, **changes}, Protocol, "judge.standard")
    return found


def noise(n: int, shape: tuple[int, int, int], seed: int) -> ImageSet:
    images = np.random.default_rng(seed).integers(0, 256, (n, *shape)).astype(np.uint8)
    return ImageSet(images, np.arange(n) % 10, tuple("0123456789"), "noise")


def by_judge(train: ImageSet, test: ImageSet, networks: int, **changes: str) -> None:
    seeds = range(networks)
    judge(
        train.pixels(),
        train.labels,
        None,
        test,
        mean=np.array([0.5]),
        std=np.array([0.3]),
        protocol=protocol(networks, **changes),
        set_seed=0,
        seeds=seeds,
        log=RunLog(),
    )


def by_textbook(train: ImageSet, test: ImageSet, networks: int) -> None:
    recipe = protocol(networks)
    ready = [torch.from_numpy((s.pixels() - 0.5) / 0.3).permute(0, 3, 1, 2).contiguous() for s in (train, test)]
    labels = torch.from_numpy(train.labels)
    for seed in range(networks):
        network = build(recipe.network, image_shape=train.image_shape, classes=10, seed=seed)
        optimizer = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
        steps = math.ceil(EPOCHS * len(train) / recipe.batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps)
        draws = torch.Generator().manual_seed(seed)
        for _ in range(steps):
            batch = torch.randperm(len(train), generator=draws)[: recipe.batch_size]
            loss = functional.cross_entropy(network(light_affine(ready[0][batch], draws)), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            torch.cat([network(part) for part in ready[1].split(256)]).argmax(1)


def stacked(train: ImageSet, test: ImageSet, networks: int) -> None:
    recipe = protocol(networks)
    ready = [torch.from_numpy((s.pixels() - 0.5) / 0.3).permute(0, 3, 1, 2).contiguous() for s in (train, test)]
    labels = torch.from_numpy(train.labels)
    fresh = [build(recipe.network, image_shape=train.image_shape, classes=10, seed=s) for s in range(networks)]
    weights, buffers = torch.func.stack_module_state(fresh)
    shell = copy.deepcopy(fresh[0]).to("meta")

    def logits(weights: Weights, buffers: Weights, images: Tensor) -> Tensor:
        return torch.func.functional_call(shell, (weights, buffers), (images,))

    optimizer = torch.optim.AdamW(weights.values(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = math.ceil(EPOCHS * len(train) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps)
    draws = torch.Generator().manual_seed(0)
    for _ in range(steps):
        rows = [torch.randperm(len(train), generator=draws)[: recipe.batch_size] for _ in range(networks)]
        batches = torch.stack([light_affine(ready[0][batch], draws) for batch in rows])
        answers = torch.stack([labels[batch] for batch in rows])
        found = torch.vmap(logits)(weights, buffers, batches)
        loss = functional.cross_entropy(found.flatten(0, 1), answers.flatten()) * networks  # the sum of their means
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        of_all = torch.vmap(logits, (0, 0, None))
        torch.cat([of_all(weights, buffers, part) for part in ready[1].split(256)], 1).argmax(2)


SIDES: dict[str, Callable[[ImageSet, ImageSet, int], None]] = {
    "textbook": by_textbook,
    "judge": by_judge,
    "judge in float32": partial(by_judge, precision="float32"),
    "stacked": stacked,
}


def side(name: str, shape: str, n: int, networks: int) -> None:
    """One side's process: time each round that the parent asks for."""
    work = SIDES[name]
    if name != "textbook":
        keep_freed_memory()
    train, test = noise(n, SHAPES[shape], 0), noise(n * EPOCHS * TEST_PER_TRAIN, SHAPES[shape], 1)
    work(train, noise(10, SHAPES[shape], 1), 1)
    for _ in sys.stdin:
        begin = time.perf_counter()
        work(train, test, networks)
        print(time.perf_counter() - begin, flush=True)


def compare(shape: str, n: int, networks: int, rounds: int) -> dict[str, Any]:
    """Best seconds of each side, the rounds taken turn about."""
    command = [sys.executable, __file__, "--side"]
    sides = {
        name: subprocess.Popen(
            [*command, name, shape, str(n), str(networks)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in SIDES
    }
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    for _ in range(rounds):
        for name, process in sides.items():
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            seconds[name].append(float(process.stdout.readline()))
    for process in sides.values():
        process.communicate()
    best = {name: round(min(values), 3) for name, values in seconds.items()}
    speedups = {name: round(best["textbook"] / best[name], 2) for name in SIDES if name != "textbook"}
    print(f"{shape}, {n} images, {networks} networks: {best} s, times faster: {speedups}", flush=True)
    return {"shape": shape, "images": n, "networks": networks, "seconds": best, "speedups": speedups}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", nargs="*", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--images", nargs="*", type=int, default=[100, 500], help="in the condensed set")
    parser.add_argument("--networks", type=int, default=2, help="fresh ones of a set")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        name, shape, n, networks = given.side
        side(name, shape, int(n), int(networks))
        return
    cases = [compare(shape, n, given.networks, given.rounds) for shape in given.shapes for n in given.images]
    wins = [case for case in cases if case["speedups"]["stacked"] > case["speedups"]["judge"]]
    report = {
        "speedup": min(case["speedups"]["judge"] for case in cases),
        "stacked_wins": [{name: case[name] for name in ("shape", "images", "networks")} for case in wins],
        "threads": torch.get_num_threads(),
        "rounds": given.rounds,
        "cases": cases,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
