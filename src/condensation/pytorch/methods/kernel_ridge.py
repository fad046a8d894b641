"""Kernel ridge regression: images, and labels, from which a kernel machine predicts the real data.

Each step regresses the labels of the synthetic set on a kernel, predicts a batch of real images from it, and moves
the set against the squared error of the prediction, through the solve. Which kernel is a parameter. ``ntk`` and
``nngp`` are those of an infinitely wide fully connected network, in closed form (KIP: Nguyen, Chen, Lee, "Dataset
Meta-Learning from Kernel Ridge-Regression", ICLR 2021). ``features`` is the inner product of a network's features
(FRePo: Zhou, Nezhadarya, Ba, "Dataset Distillation using Neural Feature Regression", NeurIPS 2022, algorithm 1): of a
pool of networks one is drawn, used, trained for one step on the synthetic set as it now is, and replaced by a fresh
one at the end of its life.

Learned labels are probabilities at every moment, the softmax of what is learned, and are stored as the set's soft
labels; what a regression sees is their distance from even odds. Images are learned at normalised scale (mean 0,
deviation 1 over the training images) and come out at pixel scale, not clipped. Adam in place of the authors' LAMB.
"""

from functools import partial
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from condensation.core.condensed import CondensedDataset, check_request
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.parts import joined, part_of
from condensation.core.randomness import derive, generator
from condensation.core.runlog import RunLog
from condensation.pytorch.augment import light_affine
from condensation.pytorch.descent import Descent
from condensation.pytorch.feature_regression import real_features
from condensation.pytorch.fused import fused_features
from condensation.pytorch.kernels import Ridge, fully_connected, linear, ridge
from condensation.pytorch.living_pool import MOMENTUM, LivingPool
from condensation.pytorch.matching import freeze_statistics, matchable
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.precision import Precision
from condensation.pytorch.synthetic import Initialisation, Scale, initialise, labels_of
from condensation.pytorch.training import rate

LOGGED_EVERY = 10


class Params(Section):
    """Defaults are the published values of FRePo, as far as Adam has the same.

    depth: hidden layers of the closed-form kernels. network, networks, lifetime: of ``features``: which networks, how
    many, and the steps that each is trained for; network_learning_rate, batch_train: of these steps (Adam).
    precision: of the products that give features of the real images; bfloat16 is faster on processors that have it.
    label_start: how far, in logits, the own class of a learned label starts above the others.
    augmentation: what the synthetic images go through before the kernel and in the networks' training; "affine" is
    the judge's, drawn anew for each image and step. The real images are seen as they are.
    image_learning_rate, label_learning_rate: at their highest; they rise for a quarter of the iterations and fall to
    zero as a cosine. jitter: added to the kernel's diagonal, relative to its mean, and more where that is too little.
    """

    kernel: Literal["ntk", "nngp", "features"] = "features"
    depth: int = Field(3, ge=1)
    network: NetworkSpec
    networks: int = Field(10, ge=1)
    lifetime: int = Field(100, ge=1)
    network_learning_rate: float = Field(3e-4, gt=0)
    batch_train: int = Field(500, ge=1)
    precision: Precision = "float32"
    labels: Literal["hard", "learned"] = "learned"
    label_start: float = Field(5.0, gt=0)
    initialisation: Initialisation = "real"
    augmentation: Literal["none", "affine"] = "none"
    iterations: int = Field(ge=1)
    image_learning_rate: float = Field(gt=0)
    label_learning_rate: float = Field(gt=0)
    batch_real: int = Field(1024, ge=1)
    jitter: float = Field(1e-6, gt=0, le=1)


def pool_of(train: ImageSet, params: Params, seed: int) -> LivingPool:
    """The networks whose features are the kernel."""
    spec = matchable(params.network, train.image_shape)
    return LivingPool(
        lambda start: build(spec, image_shape=train.image_shape, classes=train.classes, seed=start),
        networks=params.networks,
        lifetime=params.lifetime,
        learning_rate=params.network_learning_rate,
        seed=seed,
    )


class Learning:
    """The set on its way: images, labels, and the pool that belongs to them."""

    def __init__(self, train: ImageSet, images_per_class: int, params: Params, seed: int) -> None:
        self.train, self.params, self.seed = train, params, seed
        self.scale, self.done = Scale.of(train), 0
        self.labels = labels_of(train.classes, images_per_class)
        self.images = initialise(
            params.initialisation, train, images_per_class=images_per_class, seed=seed, scale=self.scale
        )
        self.logits = params.label_start * functional.one_hot(self.labels, train.classes).float()
        self.learned = params.labels == "learned"
        self.pool = pool_of(train, params, seed) if params.kernel == "features" else None
        self._image_descent, self._label_descent = (
            Descent([leaf], optimizer="adamw", momentum=MOMENTUM, weight_decay=0.0)
            for leaf in (self.images, self.logits)
        )

    def targets(self) -> Tensor:
        """What each image is to be called, as probabilities: float32 (n, classes)."""
        return self.logits.softmax(1) if self.learned else functional.one_hot(self.labels, self.train.classes).float()

    def step(self) -> tuple[float, float, Ridge]:
        """(squared error, percent of the real batch named rightly, the regression) before one step of the set."""
        seed = derive(self.seed, "step", self.done)
        number = int(generator(seed, "member").integers(self.params.networks))
        real, labels = self._real(seed)
        self.images.requires_grad_()
        self.logits.requires_grad_(self.learned)
        own, cross = self._kernels(number, self._seen(self.images, derive(seed, "kernel augmentation")), real)
        solved = ridge(own, self.targets().double() - 1 / self.train.classes, jitter=self.params.jitter)
        predicted = solved.predict(cross)
        wanted = functional.one_hot(labels, self.train.classes).double() - 1 / self.train.classes
        loss = (predicted - wanted).square().sum(1).mean() / 2
        self._move(loss)
        if self.pool:
            self._train_member(number, seed)
        self.done += 1
        return float(loss.detach()), 100 * float((predicted.argmax(1) == labels).double().mean()), solved

    def _real(self, seed: int) -> tuple[Tensor, Tensor]:
        """Distinct random images, normalised float32 (m, c, h, w), and their labels, int64 (m,)."""
        count = min(self.params.batch_real, len(self.train))
        taken = generator(seed, "real").choice(len(self.train), count, replace=False)
        return self.scale.normalise(self.train.pixels(taken)), torch.from_numpy(self.train.labels[taken])

    def _kernels(self, number: int, images: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Kernel of the synthetic images (n, n), and of the real with them (m, n), float64."""
        if self.params.kernel == "features":
            assert self.pool is not None
            network = self.pool.members[number].network.requires_grad_(False)
            freeze_statistics(network, real)
            seen = fused_features(network)(images)
            return linear(seen, seen), linear(real_features(network, real, self.params.precision), seen)
        x, depth = images.flatten(1), self.params.depth
        kernel = partial(fully_connected, self.params.kernel, depth=depth)
        return kernel(x, x), kernel(real.flatten(1), x)

    def _seen(self, images: Tensor, seed: int) -> Tensor:
        if self.params.augmentation == "none":
            return images
        return light_affine(images, torch.Generator().manual_seed(seed))

    def _move(self, loss: Tensor) -> None:
        loss.backward()
        share = rate("one_cycle", self.done, self.params.iterations)
        self._image_descent.step(share * self.params.image_learning_rate)
        if self.learned:
            self._label_descent.step(share * self.params.label_learning_rate)

    def _train_member(self, number: int, seed: int) -> None:
        assert self.pool is not None
        batch = torch.from_numpy(generator(seed, "batch").permutation(len(self.images))[: self.params.batch_train])
        with torch.no_grad():
            images = self._seen(self.images[batch], derive(seed, "training augmentation"))
            targets = self.targets()[batch]
        self.pool.train(number, images, targets)

    def state(self) -> dict[str, np.ndarray]:
        """What a checkpoint holds between two steps: whole."""
        arrays = {"images": self.images.detach().numpy(), "logits": self.logits.detach().numpy()}
        parts = {"image_descent": self._image_descent.state(), "label_descent": self._label_descent.state()}
        if self.pool:
            parts["pool"] = self.pool.state()
        return arrays | joined(parts) | {"done": np.array(self.done)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave."""
        self.images.copy_(torch.from_numpy(arrays["images"]))
        self.logits.copy_(torch.from_numpy(arrays["logits"]))
        self._image_descent.restore(part_of(arrays, "image_descent"))
        self._label_descent.restore(part_of(arrays, "label_descent"))
        if self.pool:
            self.pool.restore(part_of(arrays, "pool"))
        self.done = int(arrays["done"])


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """Learn ``images_per_class`` images for each class; InputError when a class has fewer real ones."""
    check_request(train, images_per_class)
    learning = Learning(train, images_per_class, params, seed)
    if kept := log.resume():
        learning.restore(kept)
    while learning.done < params.iterations:
        loss, accuracy, solved = learning.step()
        if learning.done % LOGGED_EVERY == 1:
            told = {"jitter": solved.jitter, "condition": solved.condition()}
            log.metrics(learning.done - 1, loss=loss, real_accuracy=accuracy, **told)
        log.progress(learning.done, params.iterations)
        log.checkpoint(learning.state)
    soft = learning.targets().detach().numpy().astype(np.float16)[:, None] if learning.learned else None
    return CondensedDataset.build(
        train,
        learning.scale.pixels(learning.images),
        learning.labels.numpy(),
        method="kernel_ridge",
        images_per_class=images_per_class,
        seed=seed,
        params=params,
        soft_labels=soft,
    )
