"""Features of ConvNets that have learned nothing: what a fresh network sees of an image at its first step.

A set is judged by networks that start anew, so a layer on such features says more of what they will learn from it than
one on the features of a network that has seen all the data. The judge trains on images turned, stretched and shifted a
little; so a feature is the mean over such views, the same for all images. Without them a layer takes a random set of
digits for as good as one of k-means, four points of accuracy apart.
"""

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from condensation.core.params import Section
from condensation.core.randomness import derive, generator
from condensation.pytorch.augment import light_affine
from condensation.pytorch.cores import one_core_each
from condensation.pytorch.fused import fused_features
from condensation.pytorch.networks import NetworkSpec, build

CHUNK = 256  # what keeps the maps in cache
ROWS = 8192


class UntrainedParams(Section):
    """Which untrained ConvNets, and how many numbers are kept of an image.

    views: light affine transforms of an image, beside itself, over which its features are averaged.
    """

    networks: int = Field(ge=1)
    width: int = Field(ge=1)
    dimensions: int = Field(ge=1)
    views: int = Field(ge=0)


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
        self._views = [derive(seed, "view", i) for i in range(params.views)]
        some = examples[generator(seed, "rows").permutation(len(examples))[:ROWS]]
        outputs = self._outputs(some)
        self._mean, self._spread = outputs.mean(0), outputs.std(0) + 1e-3
        outputs = (outputs - self._mean) / self._spread
        with one_core_each(1):
            covariance = (outputs.T @ outputs).double() / len(outputs)
            self._directions = torch.linalg.eigh(covariance)[1].flip(1)[:, : params.dimensions].float()

    def of(self, images: Tensor) -> np.ndarray:
        """Features float32 (k, dimensions) of normalised images (k, c, h, w)."""
        return torch.cat(
            [(self._outputs(part) - self._mean) / self._spread @ self._directions for part in images.split(CHUNK)]
        ).numpy()

    def _outputs(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([self._mean_of_views(part) for part in images.split(CHUNK)])

    def _mean_of_views(self, images: Tensor) -> Tensor:
        n, c, h, w = images.shape
        total = torch.cat([function(images) for function in self._features], 1)
        for seed in self._views:
            together = images.reshape(1, n * c, h, w)  # as the channels of one image: one transform for all
            moved = light_affine(together, torch.Generator().manual_seed(seed)).view(n, c, h, w)
            total += torch.cat([function(moved) for function in self._features], 1)
        return total / (1 + len(self._views))
