"""How much of what a condensed set teaches is of use on a data set that the method never saw.

A fresh network is trained on the set, then frozen, and a linear layer on its features learns the other data set from a
few labelled samples of it (a linear probe). The same network before its training is probed beside it: the difference is
what the set gave.

The network's own accuracy on the other data set would mean nothing. Its outputs are the classes of the first one: that
an image of a shoe is "a seven" is neither right nor wrong, and pairing classes by number gives chance, whatever was
learned. Only the features can be of use elsewhere.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from pydantic import Field
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn import functional

from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.pictures import pictures
from condensation.core.randomness import derive, generator
from condensation.core.results import Record
from condensation.pytorch.exchange import targets
from condensation.pytorch.fused import fused_features
from condensation.pytorch.judge import Protocol
from condensation.pytorch.networks import Network, build
from condensation.pytorch.teacher import normalisation
from condensation.pytorch.training import Training, to_input

CHUNK = 64


class TransferParams(Section):
    """labelled_per_class: samples of each class of the other data set. penalties: of the probe, chosen on them alone.

    networks: fresh ones for each set.
    """

    labelled_per_class: int = Field(ge=1)
    penalties: list[float] = Field(min_length=1)
    networks: int = Field(ge=1)


class Probe(Record):
    """Test accuracies on the other data set, in percent, of probes on one network: trained on a set, and untrained."""

    set_seed: int
    network_seed: int
    accuracy: float
    untrained: float


class Transfer:
    """The other data set: what probes learn from and what they are asked. ``train`` and ``test`` are its splits.

    Its images are brought to ``shape`` (h, w, c), that of the condensed sets, and normalised by its own statistics.
    """

    def __init__(
        self, train: ImageSet, test: ImageSet, shape: tuple[int, int, int], params: TransferParams, protocol: Protocol
    ) -> None:
        self.params, self.protocol, self._shape = params, protocol, shape
        scale = normalisation(train)
        self._train = train
        self._inputs, self._test_inputs = (shaped(to_input(s.pixels(), *scale), shape) for s in (train, test))
        self._test_labels = test.labels

    def training(self, made: CondensedDataset, scale: tuple[np.ndarray, np.ndarray], seed: int) -> Training:
        """A fresh network before its training on a set, whose images are normalised by ``scale``."""
        count = made.provenance.pictures_per_image
        images = to_input(pictures(made.images, count), *scale)
        answers = targets(made.labels, made.soft_labels, count)
        classes = len(made.provenance.class_names)
        network = build(
            self.protocol.network, image_shape=self._shape, classes=classes, seed=derive(seed, "transfer network")
        )
        return Training(network, images, answers, recipe=self.protocol, seed=derive(seed, "transfer training"))

    def accuracy(self, network: Network, seed: int) -> float:
        """Percent of the test images that a linear layer names rightly, learned from labelled samples drawn by seed."""
        rng, count = generator(seed, "labelled"), self.params.labelled_per_class
        train = self._train
        rows = np.concatenate([rng.permutation(train.indices_of(c))[:count] for c in range(train.classes)])
        probe = make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=self.params.penalties))
        probe.fit(np.concatenate(list(_features(network, self._inputs[rows]))), train.labels[rows])
        named = np.concatenate([probe.predict(part) for part in _features(network, self._test_inputs)])
        return 100 * float((named == self._test_labels).mean())


def shaped(images: Tensor, shape: Sequence[int]) -> Tensor:
    """Images (n, c, h, w) as (n, *shape): resized bilinearly, colours averaged to grey, grey repeated as colours."""
    h, w, channels = shape
    if images.shape[1] > channels:
        images = images.mean(1, keepdim=True)
    if images.shape[2:] != (h, w):
        images = functional.interpolate(images, size=(h, w), mode="bilinear", align_corners=False)
    return images.expand(-1, channels, -1, -1) if images.shape[1] < channels else images


def _features(network: Network, images: Tensor) -> Iterator[np.ndarray]:
    """Of the images, a part at a time, in evaluation mode; the network's mode is put back."""
    training, function = network.training, fused_features(network.eval())
    with torch.no_grad():
        for part in images.split(CHUNK):
            yield function(part.contiguous()).double().numpy()
    network.train(training)
