"""MPS-5o: MPS-o whose images are resized to what the CNN expects, with a picture of what was done to the samples.

The MPS family's seventh system, which its authors left under development. It adds to MPS-o: the published networks at
their own input size (32 for LeNet, 224, for InceptionV3 299), a picture of samples for each class, and a judgement on
a data set that the method never saw (`condense transfer`, see transfer.py).

Images are resized inside the network, a batch at a time; the resized training set is never held. What the training
needs is worked out and said before it starts, and what would not fit is refused.
"""

import numpy as np

from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog
from condensation.pytorch.sample_system import Made, SystemParams, condense_by

COLUMNS, GAP = 10, 2


class Params(SystemParams):
    """Those of both systems."""


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """``images_per_class`` images of each class, chosen and edited by the agent; hard labels.

    Raises InputError when a class has too few images for the set beside the hold-out, or when memory would not do.
    """
    condensed, made = condense_by(
        train, method="mps_5o", images_per_class=images_per_class, params=params, seed=seed, log=log, adapted=False
    )
    log.figure("samples", samples_picture(made))
    return condensed


def samples_picture(made: Made) -> np.ndarray:
    """Up to ten samples of each class: the start's image above, the one in its place below; uint8 (h, w, 1 or 3).

    A row of pairs for each class, in the order of the labels, on white; grey pictures come as (h, w).
    """
    before, after = (made.environment.images(chosen.base, chosen.edits) for chosen in (made.start, made.best))
    labels = made.environment.labels
    rows = [np.flatnonzero(labels == label)[:COLUMNS] for label in np.unique(labels)]
    pairs = [np.concatenate([_strip(images[row]) for images in (before, after)]) for row in rows]
    space = np.ones((3 * GAP, *pairs[0].shape[1:]), np.float32)
    picture = np.concatenate([part for pair in pairs for part in (pair, space)][:-1])
    pixels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def _strip(images: np.ndarray) -> np.ndarray:
    """Images (k, h, w, c) beside each other, with white between and below them: (h + gap, k * (w + gap), c)."""
    framed = np.pad(images, ((0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=1.0)
    return np.concatenate(list(framed), 1)
