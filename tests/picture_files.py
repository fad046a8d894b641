"""Small picture files, and zips and folders of them, for the tests of the data rooms."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Files = dict[str, bytes]


def encoded(pixels: np.ndarray | Image.Image, kind: str = "png", **options: Any) -> bytes:
    """The bytes of a picture file of uint8 (h, w) or (h, w, c) pixels; WebP is lossless."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **({"lossless": True} if kind == "webp" else {}), **options)
    return buffer.getvalue()


def colours(seed: int, height: int = 4, width: int = 5) -> np.ndarray:
    """Random uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def flowers(counts: Mapping[str, int], start: int = 0) -> Files:
    """Files by name: so many pictures in each of folders such as ``train/rose``; PNG and WebP by turns."""
    files: Files = {}
    for folder, count in counts.items():
        for _ in range(count):
            kind = ("png", "webp")[len(files) % 2]
            files[f"{folder}/{len(files):03d}.{kind}"] = encoded(colours(start + len(files)), kind)
    return files


BOTH = {"train/rose": 4, "train/aster": 3, "test/rose": 1, "test/aster": 2}


def write_zip(path: Path, files: Mapping[str, bytes], wrapper: str = "") -> Path:
    """A zip with these entries, in this order."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{wrapper}{name}", content)
    return path


def write_folder(path: Path, files: Mapping[str, bytes], wrapper: str = "") -> Path:
    """A folder with these files."""
    for name, content in files.items():
        target = path / f"{wrapper}{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return path
