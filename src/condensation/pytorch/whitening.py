"""ZCA whitening: images whose pixels are uncorrelated, and learned images brought back from there to pixel scale."""

from dataclasses import dataclass

import numpy as np
import torch

from condensation.core.images import ImageSet
from condensation.pytorch.synthetic import Scale

CHUNK = 4096
SMALL_VARIANCE = 0.1  # added to each variance, at normalised scale: directions in which images hardly differ stay small


@dataclass(frozen=True)
class Whitening(Scale):
    """A scale of normalised images that are also whitened, each as near to itself as that allows.

    centre: float32 (d,), the mean normalised image. whiten, colour: float32 (d, d), symmetric, inverse to each other.
    """

    centre: torch.Tensor
    whiten: torch.Tensor
    colour: torch.Tensor

    @staticmethod
    def of(train: ImageSet) -> "Whitening":
        """That of a training set: d values of an image take d^2 of memory and d^3 of time."""
        scale = Scale.of(train)
        centre, covariance = _moments(train, scale)
        variance, directions = torch.linalg.eigh(covariance)
        deviation = (variance.clamp_min(0) + SMALL_VARIANCE).sqrt()
        whiten, colour = ((directions * by) @ directions.t() for by in (1 / deviation, deviation))
        return Whitening(scale.mean, scale.deviation, centre.float(), whiten.float(), colour.float())

    def normalise(self, images: np.ndarray) -> torch.Tensor:
        """Pixel scale float32 (n, h, w, c) to whitened float32 (n, c, h, w)."""
        plain = super().normalise(images)
        return ((plain.flatten(1) - self.centre) @ self.whiten).view(plain.shape)

    def pixels(self, images: torch.Tensor) -> np.ndarray:
        """Whitened float32 (n, c, h, w) to pixel scale float32 (n, h, w, c); nothing is clipped."""
        plain = images.detach().flatten(1) @ self.colour + self.centre
        return super().pixels(plain.view(images.shape))


def _moments(train: ImageSet, scale: Scale) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean (d,) and covariance (d, d) of the normalised images, float64."""
    total, product = torch.zeros(()), torch.zeros(())
    for start in range(0, len(train), CHUNK):
        x = scale.normalise(train.pixels(slice(start, start + CHUNK))).flatten(1).double()
        total, product = total + x.sum(0), product + x.t() @ x
    mean = total / len(train)
    return mean, product / len(train) - torch.outer(mean, mean)
