"""Condensed sets as they are judged: made from the training images that are prepared, and from no others."""

from pathlib import Path

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.files import read_json
from condensation.stages.layout import Layout


def read_set(layout: Layout, dataset: str, path: Path) -> CondensedDataset:
    """A set of this data set; InputError when it was made from another split, whose images may be test images here."""
    made, prepared = CondensedDataset.load(path), layout.prepared(dataset)
    if made.provenance.train_sha256 != read_json(prepared / "facts.json")["splits"]["train"]["sha256"]:
        raise InputError(
            f"{path} was made from other training images than those in {prepared}; condense it again, or prepare "
            f"{dataset} as it was then"
        )
    return made
