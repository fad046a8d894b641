"""Distribution matching against the textbook: one step on the images of all classes.

Run from the project's root: ``python benchmarks/distribution_matching.py [--shapes mnist] [--sizes 1 10]``.
The textbook is the published loop written plainly: a fresh network at each step, one class after another, whole
batches, float32, eager, memory as the system gives it. ``exact`` and ``cached`` are the method's two modes as
``condense`` runs them. All draw the same augmentations; the network is the published one, width 128.
"""

from functools import partial

import torch
from turn_about import CLASSES, Paced, benchmark, noise

from condensation.pytorch.augment import draw
from condensation.pytorch.methods import distribution_matching
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.pool import PoolParams
from condensation.stages.process import keep_freed_memory

REAL = 256
STRATEGY = "colour_crop_cutout_scale_rotate"


def textbook(shape: str, images_per_class: int, pace: Paced) -> None:
    """The published loop."""
    train = noise(REAL + 44, shape)
    labels = torch.from_numpy(train.labels)
    pixels = (torch.from_numpy(train.pixels()).permute(0, 3, 1, 2).contiguous() - 0.5) / 0.3
    learned = torch.randn(CLASSES * images_per_class, *pixels.shape[1:], requires_grad=True)
    own = torch.arange(CLASSES).repeat_interleave(images_per_class)
    mover = torch.optim.SGD([learned], lr=1.0, momentum=0.5)
    step = 0
    while True:
        network = build(NetworkSpec(), image_shape=train.image_shape, classes=CLASSES, seed=step)
        network.requires_grad_(False)
        loss = torch.zeros(())
        for label in range(CLASSES):
            seen = draw(STRATEGY, image_shape=train.image_shape, generator=torch.Generator().manual_seed(step))
            members = torch.nonzero(labels == label).flatten()
            real = pixels[members[torch.randperm(len(members))[:REAL]]]
            wanted = network.features(seen(real)).detach().mean(0)
            given = network.features(seen(learned[own == label])).mean(0)
            loss = loss + (wanted - given).square().sum()
        mover.zero_grad()
        loss.backward()
        mover.step()
        step += 1
        pace.checkpoint()


def method(mode: str, shape: str, images_per_class: int, pace: Paced) -> None:
    """The method."""
    keep_freed_memory()
    pool = PoolParams(runs=2, steps=(0,), real_per_class=16, batch_size=16, learning_rate=0.01)
    params = distribution_matching.Params(
        mode=mode, network=NetworkSpec(), strategy=STRATEGY, batch_real=REAL, iterations=10**6, pool=pool
    )
    train = noise(REAL + 44, shape)
    distribution_matching.condense(train, images_per_class=images_per_class, params=params, seed=0, log=pace)


if __name__ == "__main__":
    modes = {mode: partial(method, mode) for mode in ("exact", "cached")}
    benchmark(__file__, __doc__ or "", {"textbook": textbook, **modes})
