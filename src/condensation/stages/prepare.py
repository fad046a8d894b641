"""prepare: from raw files to the three splits that every method, teacher and judge reads."""

from pathlib import Path

from pydantic import Field

from condensation.core.files import write_json
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.data.facts import Facts
from condensation.data.manifest import verified_manifest
from condensation.data.reading import read_splits
from condensation.data.sources import dataset_name
from condensation.data.splits import Splits
from condensation.data.whole_folder import whole_folder

FACTS = "facts.json"


class PrepareParams(Section):
    """The section ``prepare`` of params.yaml."""

    validation_fraction: float = Field(gt=0, lt=1, description="of the training images of each class, held out")
    test_fraction: float = Field(gt=0, lt=1, description="of each class, held out where there is no test split")
    seed: int = Field(ge=0)
    image_size: int | None = Field(ge=1, le=4096, description="resize every image to this height and width")
    memory_limit_gb: float = Field(gt=0, description="refuse data that unpacks to more than so many 10^9 bytes")


def prepare(dataset: str, *, raw: Path, out: Path, params: PrepareParams) -> Facts:
    """Write train.npz, validation.npz, test.npz and facts.json into the folder ``out`` (data/prepared/<name>).

    raw: what ``fetch`` wrote; each file is checked against its manifest. ``out`` is replaced as a whole: on any error
    the old folder stays. Raises InputError naming the file, and the entry in it, that cannot be used.
    """
    label, limit = f"prepare {dataset_name(dataset)}", int(params.memory_limit_gb * 1e9)
    manifest = verified_manifest(raw, RunLog(label, show=True))
    log = RunLog(label, show=True)
    splits = read_splits(raw, manifest, image_size=params.image_size, memory_limit=limit, log=log)
    sets = hold_out(splits, params)
    facts = Facts.of(sets, manifest.inputs(), params)
    with whole_folder(out, mark=FACTS) as folder:
        for name, images in sets.items():
            images.save(folder / f"{name}.npz")
        write_json(folder / FACTS, facts.model_dump(mode="json"))
    return facts


def hold_out(splits: Splits, params: PrepareParams) -> dict[str, ImageSet]:
    """``train``, ``validation`` and ``test``, stratified and by seed; a test split that came with the data is kept."""
    train, test = splits.train, splits.test
    if test is None:
        train, test = train.split(params.test_fraction, derive(params.seed, "test"))
    train, validation = train.split(params.validation_fraction, derive(params.seed, "validation"))
    return {"train": train, "validation": validation, "test": test}
