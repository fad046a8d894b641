"""Features of ConvNets that have learned nothing: what a fresh network sees of an image at its first step.

A set is judged by networks that start anew, so a layer on such features says more of what they will learn from it than
one on the features of a network that has seen all the data. The judge trains on images turned, stretched and shifted a
little; so a feature is the mean over such views, the same for all images. Without them a layer takes a random set of
digits for as good as one of k-means, four points of accuracy apart.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from condensation.core.params import Section
from condensation.core.randomness import derive, generator
from condensation.pytorch.augment import light_affine
from condensation.pytorch.cores import one_core_each, side_by_side
from condensation.pytorch.fused import fused_features
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.precision import Precision, in_precision

CHUNK = 32  # what keeps the maps in cache, and gives each core of the few images of a set
ROWS = 8192


class UntrainedParams(Section):
    """Which untrained ConvNets, and how many numbers are kept of an image.

    views: light affine transforms of an image, beside itself, over which its features are averaged. precision: of the
    networks' products.
    """

    networks: int = Field(ge=1)
    width: int = Field(ge=1)
    dimensions: int = Field(ge=1)
    views: int = Field(ge=0)
    precision: Precision


class UntrainedFeatures:
    """One map for all images: the networks' outputs side by side, standardised, then directions of most variance.

    ``of`` gives float32 (k, dimensions or fewer), once ``fit`` has found them or ``restore`` put them back.
    """

    def __init__(self, image_shape: tuple[int, int, int], params: UntrainedParams, seed: int) -> None:
        self._params, self._seed = params, seed
        spec = NetworkSpec.model_validate({"name": "convnet", "width": params.width})
        seeds = [derive(seed, "untrained", i) for i in range(params.networks)]
        networks = [build(spec, image_shape=image_shape, classes=1, seed=s).requires_grad_(False) for s in seeds]
        self._features = [in_precision(fused_features(network.eval()), params.precision) for network in networks]
        self._views = [derive(seed, "view", i) for i in range(params.views)]

    def fit(self, examples: Tensor) -> Self:
        """Standardise the outputs over at most 8192 of normalised float32 (n, c, h, w), and find the directions."""
        some = examples[generator(self._seed, "rows").permutation(len(examples))[:ROWS]]
        outputs = torch.cat(side_by_side(self._mean_of_views, some.split(CHUNK)))
        self._mean, self._spread = outputs.mean(0), outputs.std(0) + 1e-3
        outputs = (outputs - self._mean) / self._spread
        with one_core_each(1):
            covariance = (outputs.T @ outputs).double() / len(outputs)
            directions = torch.linalg.eigh(covariance)[1].flip(1)[:, : self._params.dimensions]
        self._directions = directions.float().contiguous()  # as ``restore`` has it: products round by the layout
        return self

    def of(self, images: Tensor) -> np.ndarray:
        """Features float32 (k, dimensions) of normalised images (k, c, h, w)."""

        def seen(part: Tensor) -> Tensor:
            return (self._mean_of_views(part) - self._mean) / self._spread @ self._directions

        return torch.cat(side_by_side(seen, images.split(CHUNK))).numpy()

    def state(self) -> dict[str, np.ndarray]:
        """What ``fit`` found."""
        return {"mean": self._mean.numpy(), "spread": self._spread.numpy(), "directions": self._directions.numpy()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> Self:
        """Go on from what ``state`` gave."""
        self._mean, self._spread, self._directions = (
            torch.from_numpy(arrays[name]) for name in ("mean", "spread", "directions")
        )
        return self

    @torch.no_grad()
    def _mean_of_views(self, images: Tensor) -> Tensor:
        n, c, h, w = images.shape
        total = torch.cat([function(images) for function in self._features], 1)
        for seed in self._views:
            together = images.reshape(1, n * c, h, w)  # as the channels of one image: one transform for all
            moved = light_affine(together, torch.Generator().manual_seed(seed)).view(n, c, h, w)
            total += torch.cat([function(moved) for function in self._features], 1)
        return total / (1 + len(self._views))
