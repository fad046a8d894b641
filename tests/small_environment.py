"""A set of four samples in an environment whose CNN can be worked out by hand; imported where PyTorch is."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from condensation.core.randomness import generator
from condensation.pytorch.candidates import Eyes, Pool
from condensation.pytorch.networks import Network
from condensation.pytorch.ridge import RidgeLayer
from condensation.pytorch.sample_environment import EnvironmentParams, SampleEnvironment
from condensation.pytorch.untrained import UntrainedFeatures, UntrainedParams

SIDE = 8


class Halves(torch.nn.Module):
    """Features: mean brightness of the left and of the right half; counts its calls."""

    calls = 0

    def forward(self, images: Tensor) -> Tensor:
        Halves.calls += 1
        return torch.stack([images[..., : SIDE // 2].mean((1, 2, 3)), images[..., SIDE // 2 :].mean((1, 2, 3))], 1)


def pool_and_eyes() -> tuple[Pool, Eyes, RidgeLayer]:
    rng = generator(0, "pool")
    labels = np.repeat([0, 1], 10)
    pixels = 0.4 * rng.random((20, SIDE, SIDE, 1))
    bright = np.linspace(0.05, 0.55, 10)
    pixels[:10, :, : SIDE // 2] += bright[:, None, None, None]
    pixels[10:, :, SIDE // 2 :] += bright[:, None, None, None]
    pixels = pixels.astype(np.float32)
    network = Network(torch.nn.Sequential(torch.nn.Identity(), Halves(), torch.nn.Flatten()), 2, 2)
    with torch.no_grad():
        network.classifier.weight.copy_(10 * torch.eye(2))
        network.classifier.bias.zero_()
    scale = (np.zeros(1, np.float32), np.ones(1, np.float32))
    params = UntrainedParams(networks=1, width=4, dimensions=6, views=1, precision="float32")
    inputs = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())
    untrained = UntrainedFeatures((SIDE, SIDE, 1), params, 0).fit(inputs)
    eyes = Eyes(network, untrained, scale, 2, 0, precision="float32")
    pool = Pool(pixels, labels, eyes.fit(pixels, labels, untrained.of(inputs)))
    ridge = RidgeLayer(pool.views.untrained, pool.views.untrained[::3], labels[::3], classes=2, penalty=0.01)
    return pool, eyes, ridge


def environment(discrete: bool = True, state: str = "features", **reward: Any) -> SampleEnvironment:
    pool, eyes, ridge = pool_and_eyes()
    edits = {"rotation": 20.0, "shift": 0.25, "zoom": 0.2, "step": 0.5}
    values = {"state": state, "steps": 3, "choices": 2, "edits": edits, "reward": reward}
    start = np.array([2, 7, 12, 17])
    return SampleEnvironment(pool, eyes, ridge, EnvironmentParams.model_validate(values), start, discrete=discrete)
