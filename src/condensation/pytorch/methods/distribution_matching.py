"""Distribution matching: images whose mean features are those of the real data, in many networks.

Zhao, Bilen, "Dataset Condensation with Distribution Matching", WACV 2023 (arXiv 2110.04181). Each step minimises,
summed over classes, the squared distance between the mean features of real and of synthetic images, both augmented by
the same transform. Images are optimised at normalised scale (mean 0, deviation 1 over the training images; the
learning rate is meant for it) and come out at pixel scale, not clipped.

Two modes. ``exact`` is the published algorithm: a fresh untrained network and fresh real images at each step.
``cached`` takes the means of real features once, on a pool of networks trained for a short while on real data, for
some drawn transforms each.
"""

from collections.abc import Callable
from typing import Literal, Self

from pydantic import Field, model_validator

from condensation.core.condensed import CondensedDataset, check_request
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.pytorch.augment import Strategy
from condensation.pytorch.feature_matching import CachedSteps, Moving, RealMeans, Step
from condensation.pytorch.matching import freeze_statistics
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.pool import PoolParams
from condensation.pytorch.precision import Precision
from condensation.pytorch.synthetic import Initialisation, Scale, Storage, initialise, labels_of, statistics_batch


class Params(Section):
    """Defaults are the published values.

    precision: of the networks' products; bfloat16 is faster on processors that have it, and rounds.
    strategy: augmentation, operations joined by ``_``, of which one is drawn for each class and step; flips are left
    out where classes are digits. pictures_per_image: how many pictures an image holds, each a tile that is enlarged
    to the image's size when read. pool, pool_draws: needed by ``cached``; transforms drawn for each network and class.
    """

    mode: Literal["exact", "cached"] = "exact"
    network: NetworkSpec
    precision: Precision = "float32"
    initialisation: Initialisation = "real"
    pictures_per_image: int = Field(1, ge=1)
    strategy: Strategy = "colour_crop_cutout_flip_scale_rotate"
    iterations: int = Field(20000, ge=1)
    image_learning_rate: float = Field(1.0, gt=0)
    image_momentum: float = Field(0.5, ge=0, lt=1)
    batch_real: int = Field(256, ge=1)
    pool: PoolParams | None = None
    pool_draws: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _pool_where_needed(self) -> Self:
        if self.mode == "cached" and self.pool is None:
            raise ValueError("mode cached needs a pool")
        return self


def _steps(train: ImageSet, params: Params, seed: int, log: RunLog) -> Callable[[int], Step]:
    """From an iteration's number to what it matches; the same whenever it is asked."""
    real = RealMeans(train, params.network, params.strategy, params.precision)
    if params.mode == "cached":
        assert params.pool is not None
        return CachedSteps(real, params.pool, params.pool_draws, seed, log).step

    def exact(iteration: int) -> Step:
        own = derive(seed, "step", iteration)
        network = build(real.spec, image_shape=train.image_shape, classes=train.classes, seed=own)
        freeze_statistics(network, statistics_batch(train, real.scale, derive(own, "statistics")))
        return real.step(network, params.batch_real, own)

    return exact


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """Learn ``images_per_class`` images for each class; InputError when a class has fewer real ones."""
    check_request(train, images_per_class)
    scale, steps, pictures = Scale.of(train), _steps(train, params, seed, log), params.pictures_per_image
    start = initialise(
        params.initialisation,
        train,
        images_per_class=images_per_class,
        scale=scale,
        seed=seed,
        pictures_per_image=pictures,
    )
    rate, momentum = params.image_learning_rate, params.image_momentum
    moving = Moving(start, train.classes, learning_rate=rate, momentum=momentum)
    if kept := log.resume():
        moving.restore(kept)
    moving.run(params.iterations, steps, Storage(pictures, scale), log)
    return CondensedDataset.build(
        train,
        scale.pixels(moving.images),
        labels_of(train.classes, images_per_class).numpy(),
        method="distribution_matching",
        images_per_class=images_per_class,
        seed=seed,
        params=params,
        pictures_per_image=pictures,
    )
