"""What the page shows of a set, kept beside the metrics: a set is not on every machine that has its numbers.

A picture and a record lie in ``<folder>/<dataset>/<method>/ipc-<k>.{png,json}``, of the set that the metrics name by
its digest and of no other.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from condensation.core.errors import InputError
from condensation.core.files import file_digest, write_bytes, write_json
from condensation.core.results import CondensedCell, Record
from condensation.reporting.gallery import Picture, in_order
from condensation.reporting.records import Key, cell_of, read_record
from condensation.reporting.storage import Sizes


class KeptSet(Record):
    """One set: its seed and digest, bytes of its arrays; columns, rows, classes: of its picture (see Picture)."""

    seed: int
    sha256: str
    stored: Sizes
    columns: int
    rows: int
    classes: int


Made = Mapping[Key, CondensedCell]
"""What the metrics say of each cell."""


def keep(
    folder: Path, condensed: Path, pictures: Sequence[Picture], sizes: Mapping[Key, Sizes], made: Made
) -> tuple[list[Picture], dict[Key, Sizes]]:
    """Keep what is shown of the sets under ``condensed``; give it beside what was kept of those that are not there.

    What is kept of a set that the metrics no longer name is removed. Raises InputError naming a file that cannot be
    used.
    """
    for picture in pictures:
        path = condensed / _cell(picture.key) / f"seed-{picture.seed}.npz"
        digest = _digest(made, picture.key, picture.seed)
        if digest is not None and path.exists() and file_digest(path) == digest:
            _write(folder / _cell(picture.key), picture, digest, sizes[picture.key])
    shown, stored = {picture.key: picture for picture in pictures}, dict(sizes)
    for path in sorted(folder.glob("*/*/ipc-*.json")):
        told, key = read_record(path, KeptSet), cell_of(path.with_suffix(""))
        image = path.with_suffix(".png")
        if told.sha256 != _digest(made, key, told.seed):
            path.unlink()
            image.unlink(missing_ok=True)
        elif key not in shown:
            shown[key], stored[key] = _read(image, key, told), told.stored
    return in_order(shown.values()), stored


def _cell(key: Key) -> Path:
    dataset, method, size = key
    return Path(dataset, method, f"ipc-{size}")


def _digest(made: Made, key: Key, seed: int) -> str | None:
    """The digest of the set that the metrics are of."""
    seeds = made[key].seeds if key in made else []
    return next((one.sha256 for one in seeds if one.seed == seed), None)


def _write(place: Path, picture: Picture, digest: str, stored: Sizes) -> None:
    layout = {"columns": picture.columns, "rows": picture.rows, "classes": picture.classes}
    told = KeptSet(seed=picture.seed, sha256=digest, stored=stored, **layout)
    write_json(place.with_suffix(".json"), told.model_dump(mode="json"))
    write_bytes(place.with_suffix(".png"), picture.png)


def _read(image: Path, key: Key, told: KeptSet) -> Picture:
    try:
        return Picture(key, told.seed, image.read_bytes(), told.columns, told.rows, told.classes)
    except FileNotFoundError:
        raise InputError(f"{image} does not exist; remove the record beside it") from None
