"""random_soft: the images that ``random`` draws, labelled by the teacher of their seed: the floor of soft labels.

A teacher's labels alone lift a random selection far (Qin et al., "A label is worth a thousand images in dataset
distillation", NeurIPS 2024), so a set with soft labels is compared with this one. The temperature is that of
knowledge distillation (Hinton et al. 2015, section 2).
"""

from pathlib import Path

from pydantic import Field

from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.runlog import RunLog
from condensation.core.taught import Taught, soft_labels
from condensation.selection.random import draw


class Params(Section):
    """temperature: what the teacher's logits are divided by; the higher, the softer the labels."""

    temperature: float = Field(gt=0)


def condense(
    train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog, teacher: Path
) -> CondensedDataset:
    """Draw as ``random`` does and ask the teacher that belongs to ``seed`` for the labels.

    Raises InputError when the teacher was trained on other data than ``train``.
    """
    logits = Taught.load(teacher, train).logits
    chosen = draw(train, images_per_class, seed)
    return CondensedDataset.build(
        train,
        train.pixels(chosen),
        train.labels[chosen],
        method="random_soft",
        images_per_class=images_per_class,
        seed=seed,
        params=params,
        soft_labels=soft_labels(logits[chosen], params.temperature),
    )
