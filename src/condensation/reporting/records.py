"""The metrics files that other stages wrote, read strictly: the report's only numbers."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from condensation.core.errors import InputError
from condensation.core.results import CondensedCell, JudgedCell, Record, folder_name, holds_variant
from condensation.reporting.display import RANDOMS, WHOLE, dataset_order, method_order
from condensation.reporting.unfinished import UnfinishedCell, read_absent_data, read_unfinished

Key = tuple[str, str, int]
"""Data set, method, images per class."""

RecordT = TypeVar("RecordT", bound=Record)


@dataclass(frozen=True)
class Records:
    """Everything that was measured: judged cells in reading order, condensed cells by their key.

    variants: methods judged with other parameters than their own. condensed_variants: as ``condensed``, of the
    variants, whose method goes by its folder's name. unfinished: cells that were begun and are not made; a result of
    an earlier making is none of theirs, so they are not among the judged. absent: data sets without images.
    """

    judged: tuple[JudgedCell, ...]
    condensed: Mapping[Key, CondensedCell]
    variants: tuple[JudgedCell, ...] = ()
    condensed_variants: Mapping[Key, CondensedCell] = field(default_factory=dict)
    unfinished: Mapping[Key, UnfinishedCell] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    def compared(self, expected: Collection[Key]) -> "Records":
        """What a comparison is made of: nothing where all that was judged as it is are the random images of a study."""
        floor = {cell.method for cell in self.judged} <= set(RANDOMS.values())
        return replace(self, judged=(), condensed={}) if self.variants and floor and not expected else self

    def judged_keys(self) -> set[Key]:
        """The cells that have an accuracy; whole training sets are not among them."""
        return {(c.dataset, c.method, c.images_per_class) for c in self.judged if c.images_per_class is not None}

    def making(self, cell: JudgedCell) -> CondensedCell | None:
        """What making the sets of a judged cell took, where that is recorded."""
        made = self.condensed_variants if cell.variant else self.condensed
        return made.get((cell.dataset, folder_name(cell.method, cell.variant), cell.images_per_class or 0))


def read_records(metrics: Path) -> Records:
    """The records under ``metrics/evaluate``, ``condense``, ``unfinished`` and ``absent``; any may be missing.

    Raises InputError naming the file when one is not such a record, lies in the wrong folder,
    holds an impossible accuracy or tells the same cell as another file.
    """
    judged: dict[tuple[object, ...], JudgedCell] = {}
    for path in sorted((metrics / "evaluate").rglob("*.json")):
        cell = _whole(read_record(path, JudgedCell))
        folders = (cell.dataset,) if cell.method == WHOLE else (cell.dataset, folder_name(cell.method, cell.variant))
        _check_folder(path, metrics / "evaluate", folders)
        _check_judgements(path, cell)
        names = (cell.dataset, folder_name(cell.method, cell.variant), cell.images_per_class)
        identity = (*names, cell.label_kind, cell.protocol, cell.network)
        if identity in judged:
            raise InputError(f"{path} tells {identity} a second time; each result lies in one file")
        judged[identity] = cell
    condensed: dict[Key, CondensedCell] = {}
    condensed_variants: dict[Key, CondensedCell] = {}
    for path in sorted((metrics / "condense").rglob("*.json")):
        made = read_record(path, CondensedCell)
        folder = folder_name(made.method, made.variant)
        _check_folder(path, metrics / "condense", (made.dataset, folder))
        (condensed_variants if made.variant else condensed)[made.dataset, folder, made.images_per_class] = made
    cells = sorted(judged.values(), key=_order)
    begun = {cell.key: cell for cell in read_unfinished(metrics, read_record)}
    own = [c for c in cells if not c.variant and (c.dataset, c.method, c.images_per_class) not in begun]
    variants = [c for c in cells if c.variant]
    costs = {key: cell for key, cell in condensed.items() if key not in begun}
    absent = read_absent_data(metrics, read_record)
    return Records(tuple(own), costs, tuple(variants), condensed_variants, begun, absent)


def cell_of(folder: Path) -> Key:
    """The cell of ``<dataset>/<method>/ipc-<k>``."""
    return folder.parts[-3], folder.parts[-2], int(folder.name.removeprefix("ipc-"))


def first_seeds(condensed: Path, ending: str) -> dict[Key, tuple[int, Path]]:
    """The first seed and its file ``<condensed>/<dataset>/<method>/ipc-<k>/seed-<s>.<ending>``, of every cell.

    Variants are left out.
    """
    found: dict[Key, tuple[int, Path]] = {}
    for path in condensed.glob(f"*/*/ipc-*/seed-*.{ending}"):
        key, seed = cell_of(path.parent), int(path.stem.removeprefix("seed-"))
        if not holds_variant(key[1]) and (key not in found or seed < found[key][0]):
            found[key] = seed, path
    return found


def _order(cell: JudgedCell) -> tuple[object, ...]:
    size = math.inf if cell.images_per_class is None else cell.images_per_class
    names = (cell.variant, cell.label_kind, cell.protocol, cell.network)
    return dataset_order(cell.dataset), size, method_order(cell.method), names


def read_record(path: Path, model: type[RecordT]) -> RecordT:
    """A record's file; InputError naming the file, and the field, when it is anything else."""
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{path} is not a {model.__name__}: {place or 'the file'}: {first['msg']}") from None


def _whole(cell: JudgedCell) -> JudgedCell:
    """The whole training set goes by one name, whatever the file calls it."""
    return cell.model_copy(update={"method": WHOLE}) if cell.images_per_class is None else cell


def _check_folder(path: Path, root: Path, folders: tuple[str, ...]) -> None:
    found = path.relative_to(root).parts[: len(folders)]
    if found != folders:
        raise InputError(f"{path} holds a result of {'/'.join(folders)}; it belongs in that folder")


def _check_judgements(path: Path, cell: JudgedCell) -> None:
    if not cell.judgements:
        raise InputError(f"{path} holds no judgement; each result needs at least one network")
    for judgement in cell.judgements:
        if not 0 <= judgement.accuracy <= 100:
            raise InputError(f"{path}: accuracy {judgement.accuracy} is not possible; allowed: 0..100 percent")
