"""Features of ConvNets that have learned nothing: what a fresh network sees of an image at its first step.

A set is judged by networks that start anew, so a layer on such features says more of what they will learn from it than
one on the features of a network that has seen all the data.
"""

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from condensation.core.params import Section
from condensation.core.randomness import derive, generator
from condensation.pytorch.fused import fused_features
from condensation.pytorch.networks import NetworkSpec, build

CHUNK = 256  # what keeps the maps in cache
ROWS = 8192


class UntrainedParams(Section):
    """Which untrained ConvNets, and how many numbers are kept of an image."""

    networks: int = Field(ge=1)
    width: int = Field(ge=1)
    dimensions: int = Field(ge=1)


class UntrainedFeatures:
    """One map for all images: the networks' outputs side by side, standardised, then directions of most variance.

    examples: normalised float32 (n, c, h, w), over at most 8192 of which outputs are standardised and the directions
    found. ``of`` gives float32 (k, dimensions or fewer).
    """

    def __init__(self, examples: Tensor, params: UntrainedParams, seed: int) -> None:
        _, c, h, w = examples.shape
        spec = NetworkSpec.model_validate({"name": "convnet", "width": params.width})
        seeds = [derive(seed, "untrained", i) for i in range(params.networks)]
        networks = [build(spec, image_shape=(h, w, c), classes=1, seed=s).requires_grad_(False) for s in seeds]
        self._features = [fused_features(network.eval()) for network in networks]
        some = examples[generator(seed, "rows").permutation(len(examples))[:ROWS]]
        outputs = self._outputs(some)
        self._mean, self._spread = outputs.mean(0), outputs.std(0) + 1e-3
        outputs = (outputs - self._mean) / self._spread
        covariance = (outputs.T @ outputs).double() / len(outputs)
        self._directions = torch.linalg.eigh(covariance)[1].flip(1)[:, : params.dimensions].float()

    def of(self, images: Tensor) -> np.ndarray:
        """Features float32 (k, dimensions) of normalised images (k, c, h, w)."""
        return torch.cat(
            [(self._outputs(part) - self._mean) / self._spread @ self._directions for part in images.split(CHUNK)]
        ).numpy()

    def _outputs(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            parts = [torch.cat([function(part) for function in self._features], 1) for part in images.split(CHUNK)]
        return torch.cat(parts)
