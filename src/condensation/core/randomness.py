"""Randomness is passed in: one seed per purpose, derived and never ambient."""

import zlib

import numpy as np


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose of one seed, e.g. ``derive(seed, "network", 3)``.

    Different purposes give independent streams (numpy.random.SeedSequence); the same arguments
    give the same number on every machine.
    """
    keys = [zlib.crc32(p.encode()) if isinstance(p, str) else p for p in purpose]
    # The length comes first because SeedSequence takes [a] and [a, 0] for the same.
    high, low = np.random.SeedSequence([len(keys), seed, *keys]).generate_state(2)
    return ((int(high) << 32) | int(low)) >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A numpy generator for one purpose of one seed."""
    return np.random.default_rng(derive(seed, *purpose))
