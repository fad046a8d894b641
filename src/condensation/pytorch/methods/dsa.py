"""Differentiable siamese augmentation: gradient matching on images that real and synthetic go through alike.

Zhao, Bilen, "Dataset Condensation with Differentiable Siamese Augmentation", ICML 2021. At each outer step one
transform is drawn for each class and applied to its real and its synthetic images; the gradient of the match goes
through it. Inside an iteration the network is trained on synthetic images that are augmented one by one. Everything
else, the modes too, is ``gradient_matching``.
"""

from pydantic import Field

from condensation.core.condensed import CondensedDataset, check_request
from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog
from condensation.pytorch.augment import Strategy
from condensation.pytorch.matching import siamese
from condensation.pytorch.methods import gradient_matching


class Params(gradient_matching.Params):
    """Those of gradient matching, and the augmentation.

    strategy: operations joined by ``_``, of which one is drawn each time; flips are left out where classes are digits.
    pool_draws: transforms drawn for each network of the pool and each class (``cached``).
    """

    strategy: Strategy = "colour_crop_cutout_flip_scale_rotate"
    pool_draws: int = Field(ge=1)


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """Learn ``images_per_class`` images for each class; InputError when a class has fewer real ones."""
    check_request(train, images_per_class)
    task = gradient_matching.Task(
        train, images_per_class, params, seed, siamese(params.strategy, train.class_names), params.pool_draws
    )
    return gradient_matching.learn(task, log, method="dsa")
