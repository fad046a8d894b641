"""Throughput of the judge against the textbook: the same networks one after another, eager float32, default memory.

Run from the project's root: ``python benchmarks/judge.py``. In one run, both sides train the published ConvNet for the
same number of steps of the same recipe and score it on the same number of test images, turn about; each side in a
process of its own, because the judge's memory setting (``stages/process.py``) holds for a whole process.
The last line is one JSON object; ``speedup`` is the least of the cases.
"""

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog
from condensation.pytorch.augment import light_affine
from condensation.pytorch.judge import Protocol, judge
from condensation.pytorch.networks import NetworkSpec, build
from condensation.stages.process import keep_freed_memory

SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
EPOCHS = 4
TEST_PER_TRAIN = 3  # the standard protocol at 10 images per class: 10,000 test images after 3,000 of training
ROUNDS = 3


def protocol(networks: int) -> Protocol:
    return Protocol(
        network=NetworkSpec(),
        networks=networks,
        epochs=EPOCHS,
        min_steps=0,
        max_steps=10_000,
        batch_size=100,
        optimizer="adamw",
        learning_rate=0.001,
        momentum=0.9,
        weight_decay=0.01,
        schedule="one_cycle",
        augmentation="affine",
        label_smoothing=0.0,
    )


def noise(n: int, shape: tuple[int, int, int], seed: int) -> ImageSet:
    images = np.random.default_rng(seed).integers(0, 256, (n, *shape)).astype(np.uint8)
    return ImageSet(images, np.arange(n) % 10, tuple("0123456789"), "noise")


def by_judge(train: ImageSet, test: ImageSet, networks: int) -> None:
    seeds = range(networks)
    judge(
        train.pixels(),
        train.labels,
        None,
        test,
        mean=np.array([0.5]),
        std=np.array([0.3]),
        protocol=protocol(networks),
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


def side(name: str, shape: str, n: int, networks: int) -> None:
    """One side's process: time each round that the parent asks for."""
    work: Callable[[ImageSet, ImageSet, int], None] = by_judge if name == "judge" else by_textbook
    if name == "judge":
        keep_freed_memory()
    train, test = noise(n, SHAPES[shape], 0), noise(n * EPOCHS * TEST_PER_TRAIN, SHAPES[shape], 1)
    work(train, noise(10, SHAPES[shape], 1), 1)
    for _ in sys.stdin:
        begin = time.perf_counter()
        work(train, test, networks)
        print(time.perf_counter() - begin, flush=True)


def compare(shape: str, n: int, networks: int) -> dict[str, object]:
    """Best seconds of each side, the rounds taken turn about."""
    names = ("textbook", "judge")
    command = [sys.executable, __file__]
    sides = {
        name: subprocess.Popen(
            [*command, name, shape, str(n), str(networks)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in names
    }
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name, process in sides.items():
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            seconds[name].append(float(process.stdout.readline()))
    for process in sides.values():
        process.communicate()
    best = {name: min(values) for name, values in seconds.items()}
    ratio = best["textbook"] / best["judge"]
    print(f"{shape}, {n} images, {networks} networks: {best}, {ratio:.2f} times", flush=True)
    return {"shape": shape, "images": n, "networks": networks, "seconds": best, "speedup": round(ratio, 2)}


def main() -> None:
    cases = [compare(shape, n, 2) for shape in SHAPES for n in (100, 500)]
    report = {"speedup": min(case["speedup"] for case in cases), "threads": torch.get_num_threads(), "cases": cases}
    print(json.dumps(report))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        side(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
