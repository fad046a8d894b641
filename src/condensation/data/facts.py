"""facts.json: what a person and the later stages want to know of a prepared data set without opening it."""

from typing import Any

from pydantic import BaseModel

from condensation.core.images import ImageSet, pixel_statistics
from condensation.core.results import Record


class SplitFacts(Record):
    """One split: number of images, of each class by its name, and the digest of pixels and labels (ImageSet.sha256)."""

    images: int
    counts: dict[str, int]
    sha256: str


class Facts(Record):
    """A prepared data set. mean, std: of the training split, per channel, over all its pixels in [0, 1].

    inputs: sha256 of the raw files. params: the section ``prepare`` that was used.
    """

    dataset: str
    class_names: list[str]
    shape: tuple[int, int, int]
    splits: dict[str, SplitFacts]
    mean: list[float]
    std: list[float]
    inputs: dict[str, str]
    params: dict[str, Any]

    @staticmethod
    def of(sets: dict[str, ImageSet], inputs: dict[str, str], params: BaseModel) -> "Facts":
        """The facts of the splits ``train``, ``validation`` and ``test`` made from ``inputs`` (sha256 by name)."""
        train = sets["train"]
        mean, std = pixel_statistics(train.images)
        return Facts(
            dataset=train.dataset,
            class_names=list(train.class_names),
            shape=train.image_shape,
            splits={name: _split_facts(images) for name, images in sets.items()},
            mean=mean,
            std=std,
            inputs=inputs,
            params=params.model_dump(mode="json"),
        )


def _split_facts(images: ImageSet) -> SplitFacts:
    counts = {name: int(count) for name, count in zip(images.class_names, images.counts(), strict=True)}
    return SplitFacts(images=len(images), counts=counts, sha256=images.sha256)
