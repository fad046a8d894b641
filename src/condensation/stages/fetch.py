"""fetch: bring a data set's files into data/raw, from this machine first, from the network where it must be."""

import sys
from pathlib import Path

from condensation.core.errors import InputError
from condensation.core.runlog import RunLog
from condensation.data.digits import write_digits
from condensation.data.manifest import MANIFEST, FileLayout, copy_file, verified_manifest, write_manifest
from condensation.data.sources import EMBEDDED, OFFICIAL, Local, dataset_name, find_local
from condensation.data.whole_folder import whole_folder


def fetch(dataset: str, *, data_root: Path | None, raw: Path) -> None:
    """Fill the folder ``raw`` (data/raw/<name>) with a data set's files as they are, and a manifest of their digests.

    dataset: a name or a path, see data/sources.py. data_root: the folder of local files, ``sources.data_root()``.
    ``raw`` is replaced as a whole: on any error, the old folder stays. An official data set that was downloaded before
    and is whole is kept. Raises InputError for an unknown data set or unfit local files, OSError when a download fails.
    """
    name = dataset_name(dataset)
    local = None if dataset == EMBEDDED else find_local(dataset, data_root)
    if local is None and name != EMBEDDED and _is_whole(raw):
        print(f"fetch {name}: {raw} is there and whole", file=sys.stderr)
        return
    with whole_folder(raw, mark=MANIFEST) as folder:
        layout = _fill(name, local, folder)
        write_manifest(folder, name, layout, _log(name))


def _log(name: str) -> RunLog:
    return RunLog(f"fetch {name}", show=True)


def _is_whole(raw: Path) -> bool:
    try:
        verified_manifest(raw, _log(raw.name))
    except InputError:
        return False
    return True


def _fill(name: str, local: Local | None, folder: Path) -> FileLayout:
    """Copy, write or download a data set's files into ``folder``; their layout."""
    if local is not None:
        log = _log(name)
        for done, (file, source) in enumerate(local.files.items(), 1):
            copy_file(source, folder / file)
            log.progress(done, len(local.files), f"copied from {local.found}")
        return local.layout
    if name == EMBEDDED:
        write_digits(folder)
        return "arrays"
    from condensation.data.downloads import download  # imports torch: only where it has to be

    print(f"fetch {name}: no local files, downloading", file=sys.stderr)
    download(name, folder)
    return OFFICIAL[name].layout
