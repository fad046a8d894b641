"""Downloads of the official data sets through torchvision, which checks digests; the only use of torch in data/."""

import shutil
from pathlib import Path
from urllib.error import URLError

from torchvision import datasets

from condensation.data.sources import OFFICIAL, VARIABLE

FAILURES = (RuntimeError, URLError, OSError, EOFError)


def download(name: str, folder: Path) -> None:
    """Download an official data set into ``folder`` (empty) as the files that ``sources.OFFICIAL`` lists.

    Raises OSError, naming where files may be put by hand, when the network or a digest fails; what came is in
    ``folder`` then, which the caller discards.
    """
    official = OFFICIAL[name]
    work = folder / "download"
    try:
        _fetch(name, work)
    except FAILURES as error:
        reason = str(error).strip().replace("\n", " ") or type(error).__name__
        raise OSError(
            f"download of {name} failed: {reason}; without a network put {', '.join(official.files)} into "
            f"{official.folders[0]} under a folder named by {VARIABLE}"
        ) from error
    for file in official.files:
        found = next(path for path in sorted(work.rglob(file)) if path.is_file())
        found.rename(folder / file)
    shutil.rmtree(work)


def _fetch(name: str, work: Path) -> None:
    """What torchvision downloads, under ``work``, archives and all."""
    if name == "svhn":
        for split in ("train", "test"):
            datasets.SVHN(work, split=split, download=True)
        return
    makers = {
        "mnist": datasets.MNIST,
        "fashionmnist": datasets.FashionMNIST,
        "cifar10": datasets.CIFAR10,
        "cifar100": datasets.CIFAR100,
    }
    makers[name](work, train=False, download=True)
