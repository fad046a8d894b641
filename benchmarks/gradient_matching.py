"""Gradient matching against the textbook: one outer step (all classes) and one epoch of its inner loop.

Run from the project's root: ``python benchmarks/gradient_matching.py [--shapes mnist] [--sizes 1 10] [--rounds 3]``.
The textbook is the published loop written plainly: one class after another, whole batches, float32, eager, double
backward, memory as the system gives it. ``exact`` and ``cached`` are the method's two modes as ``condense`` runs them;
cached has no inner loop. ``exact_bfloat16`` takes the real gradients in that precision, which pays on processors that
have it. The network is the published one, width 128.
"""

from functools import partial

import torch
from torch.nn import functional
from turn_about import CLASSES, Paced, benchmark, noise

from condensation.pytorch.methods import gradient_matching
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.pool import PoolParams
from condensation.pytorch.precision import Precision
from condensation.stages.process import keep_freed_memory

REAL = 256


def textbook(shape: str, images_per_class: int, pace: Paced) -> None:
    """The published loop."""
    train = noise(REAL + 44, shape)
    labels = torch.from_numpy(train.labels)
    pixels = (torch.from_numpy(train.pixels()).permute(0, 3, 1, 2).contiguous() - 0.5) / 0.3
    learned = torch.randn(CLASSES * images_per_class, *pixels.shape[1:], requires_grad=True)
    own = torch.arange(CLASSES).repeat_interleave(images_per_class)
    mover = torch.optim.SGD([learned], lr=0.1, momentum=0.5)
    network = build(NetworkSpec(), image_shape=train.image_shape, classes=CLASSES, seed=0)
    parameters = list(network.parameters())
    trainer = torch.optim.SGD(parameters, lr=0.01)
    while True:
        loss = torch.zeros(())
        for label in range(CLASSES):
            members = torch.nonzero(labels == label).flatten()
            real = pixels[members[torch.randperm(len(members))[:REAL]]]
            wanted = torch.autograd.grad(
                functional.cross_entropy(network(real), torch.full((len(real),), label)), parameters
            )
            mine = own == label
            given = torch.autograd.grad(
                functional.cross_entropy(network(learned[mine]), own[mine]), parameters, create_graph=True
            )
            loss = loss + sum(_by_unit(a, b) for a, b in zip(wanted, given, strict=True) if a.ndim > 1)
        mover.zero_grad()
        loss.backward()
        mover.step()
        for batch in torch.randperm(len(own)).split(256):
            trainer.zero_grad()
            functional.cross_entropy(network(learned.detach()[batch]), own[batch]).backward()
            trainer.step()
        pace.checkpoint()


def _by_unit(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    a, b = a.flatten(1), b.flatten(1)
    return (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).sum()


def method(mode: str, shape: str, images_per_class: int, pace: Paced, precision: Precision = "float32") -> None:
    """The method, in exact mode with one inner epoch to each outer step as the textbook above."""
    keep_freed_memory()
    pool = PoolParams(runs=2, steps=(0,), real_per_class=16, batch_size=16, learning_rate=0.01)
    params = gradient_matching.Params(
        mode=mode,
        network=NetworkSpec(),
        real_precision=precision,
        batch_real=REAL,
        iterations=1,
        outer_loops=10**6,
        inner_loops=1,
        pool=pool,
    )
    train = noise(REAL + 44, shape)
    gradient_matching.condense(train, images_per_class=images_per_class, params=params, seed=0, log=pace)


if __name__ == "__main__":
    modes = {mode: partial(method, mode) for mode in ("exact", "cached")}
    modes["exact_bfloat16"] = partial(method, "exact", precision="bfloat16")
    benchmark(__file__, __doc__ or "", {"textbook": textbook, **modes})
