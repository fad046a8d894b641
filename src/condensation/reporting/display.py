"""How things are called and how numbers are written, the same on the page, in Markdown and in the figures."""

import math
from collections.abc import Iterable

from condensation.core.judges import parted

WHOLE = "whole"
RANDOMS = {"hard": "random", "soft": "random_soft"}
"""The random selection that a set is compared with, by the kind of its labels."""

DATASETS = {
    "mnist": "MNIST",
    "fashionmnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "svhn": "SVHN",
    "digits": "Digits",
}

METHODS = {
    "random": "Random",
    "random_soft": "Random, teacher's labels",
    "herding": "Herding",
    "k_center": "k-center",
    "k_means": "k-means",
    "mps1": "MPS1",
    "mps1_gan": "MPS1 with GAN",
    "mps2": "MPS2",
    "mps2u": "MPS2U",
    "mutual_information": "Mutual information",
    "mps_o": "MPS-o",
    "mps_5o": "MPS-5o",
    "mps3": "MPS3",
    "gradient_matching": "Gradient matching",
    "dsa": "DSA",
    "distribution_matching": "Distribution matching",
    "trajectory_matching": "Trajectory matching",
    "kernel_ridge": "Kernel ridge",
    "kip": "KIP",
    "frepo": "FRePo",
    WHOLE: "Whole training set",
}


def dataset_name(dataset: str) -> str:
    """``fashionmnist`` as people write it."""
    return DATASETS.get(dataset, dataset)


def method_name(method: str) -> str:
    """``gradient_matching`` as people write it."""
    return METHODS.get(method, method.replace("_", " "))


def dataset_order(dataset: str) -> tuple[int, str]:
    """Sorts data sets: the known ones as listed here, then the others by name."""
    return list(DATASETS).index(dataset) if dataset in DATASETS else len(DATASETS), dataset


def method_order(method: str) -> tuple[int, str]:
    """Sorts methods: the known ones as listed here, others by name, the whole training set last."""
    known = list(METHODS).index(method) if method in METHODS else len(METHODS)
    return (len(METHODS) + 1 if method == WHOLE else known), method


def size_name(images_per_class: int | None) -> str:
    """``10`` as ``10 per class``; None is the whole training set."""
    return "all" if images_per_class is None else f"{images_per_class} per class"


def known(value: float | None) -> bool:
    """Whether there is a number (neither None nor NaN)."""
    return value is not None and not math.isnan(value)


def percent(value: float) -> str:
    """``97.314`` as ``97.3``."""
    return f"{value:.1f}"


def signed(value: float) -> str:
    """``3.14`` as ``+3.1``, with a true minus sign."""
    return f"{value:+.1f}".replace("-", "−").replace("+0.0", "±0.0").replace("−0.0", "±0.0")


def interval(low: float, high: float) -> str:
    """Both ends of an interval of accuracies in percent, cut at 0 and 100: ``89.4 to 100``."""
    return f"{'0' if low < 0 else percent(low)} to {'100' if high > 100 else percent(high)}"


def sets_and_networks(sets: int, networks: int) -> str:
    """``3 sets x 3 networks`` of 9 networks; ``3 sets, 8 networks`` where sets have unequal numbers of them."""
    plural = "set" if sets == 1 else "sets"
    if networks % sets:
        return f"{sets} {plural}, {networks} networks"
    each = networks // sets
    return f"{sets} {plural} x {each} {'network' if each == 1 else 'networks'}"


def signed_interval(low: float, high: float) -> str:
    """Both ends of an interval of differences."""
    return f"{signed(low)} to {signed(high)}"


CONDITIONS = {"no_augmentation": "without augmentation", "learned_step_size": "with the learned step size"}


def protocol_name(name: str) -> str:
    """``standard.no_augmentation`` as ``standard without augmentation``."""
    protocol, condition = parted(name)
    return f"{protocol} {CONDITIONS.get(condition, condition.replace('_', ' '))}" if condition else protocol


def fraction(value: float) -> str:
    """``0.26894`` as ``0.269``, with a true minus sign."""
    return f"{value:.3f}".replace("-", "−")


def byte_count(value: float) -> str:
    """``31360`` as ``30.6 KiB``."""
    if value < 1024:
        return f"{value:.0f} B"
    return f"{value / 1024:.1f} KiB" if value < 1024**2 else f"{value / 1024**2:.1f} MiB"


def share(value: float) -> str:
    """``0.943`` as ``94 %``."""
    return f"{100 * value:.0f} %"


def duration(seconds: float) -> str:
    """Seconds with the unit that keeps the number short: ``0.02 s``, ``41 s``, ``5.3 min``, ``4.0 h``."""
    if seconds < 0.01:
        return "< 0.01 s"
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 3597:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def memory(mebibytes: float) -> str:
    """``812.4`` as ``812 MiB``, ``20480`` as ``20.0 GiB``."""
    return f"{mebibytes:.0f} MiB" if mebibytes < 10_000 else f"{mebibytes / 1024:.1f} GiB"


def listed(words: Iterable[str]) -> str:
    """``a, b and c``."""
    *first, last = list(words) or ["none"]
    return f"{', '.join(first)} and {last}" if first else last
