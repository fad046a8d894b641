"""Decoding PNG, JPEG and WebP files into one array, with nothing trusted that a file says of itself."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from condensation.core.errors import InputError
from condensation.core.runlog import RunLog

FORMATS = ("PNG", "JPEG", "WEBP")
GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
MAX_PIXELS = 89_478_485  # of one picture: where Pillow begins to suspect a bomb (a quarter of a gibibyte in RGB)
BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error)
PNG_END = b"IEND\xaeB`\x82"  # Pillow takes a file without it, and so one that lacks its last checksum
CHUNK = 64


def decode(content: bytes, name: str, image_size: int | None = None) -> np.ndarray:
    """One picture, upright, as uint8 (h, w, 1 or 3); transparency is laid on white.

    With ``image_size`` it is resized to (image_size, image_size, c): bilinear, antialiased. Raises InputError naming
    ``name`` when it is no PNG, JPEG or WebP, cut short, animated, too large or of another depth than 8 bits.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_header(image, name)
            if image.format == "PNG" and PNG_END not in content:
                raise EOFError("its last chunk is missing")
            ImageOps.exif_transpose(image, in_place=True)
            picture = _opaque(image)
    except BOMB:
        raise InputError(f"{name} unpacks to more than {MAX_PIXELS} pixels; make it smaller") from None
    except UnidentifiedImageError:
        raise InputError(f"{name} is not a picture; allowed: PNG, JPEG, WebP") from None
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{name} is damaged or cut short: {error}") from None
    if image_size is not None and picture.size != (image_size, image_size):
        picture = picture.resize((image_size, image_size), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _check_header(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError
    if image.mode not in GREY + COLOUR:
        raise InputError(f"{name} has pixels of kind {image.mode!r}; allowed: grey or colour of 8 bits a channel")
    if image.format != "MPO" and getattr(image, "is_animated", False):  # MPO: a photograph with a preview behind it
        raise InputError(f"{name} is animated; allowed: still pictures")


def _opaque(image: Image.Image) -> Image.Image:
    """``image`` in mode L or RGB."""
    mode = "L" if image.mode in GREY else "RGB"
    if not image.has_transparency_data:
        return image.convert(mode)
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert(mode)


def decode_all(
    source: str,
    entries: Sequence[str],
    read: Callable[[str], bytes],
    *,
    image_size: int | None,
    memory_limit: int,
    workers: int,
    log: RunLog,
) -> np.ndarray:
    """All pictures in order: uint8 (n, h, w, c), c is 1 where every picture is grey, else 3.

    Raises InputError at the first picture that cannot be used, that differs in size from the first one, or when the
    array would take more than ``memory_limit`` bytes.
    """

    def decode_chunk(chunk: Sequence[str]) -> list[np.ndarray]:
        return [decode(read(entry), f"{source}: {entry}", image_size) for entry in chunk]

    chunks = [entries[start : start + CHUNK] for start in range(0, len(entries), CHUNK)]
    pictures: list[np.ndarray] = []
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for decoded in pool.map(decode_chunk, chunks):
            pictures += decoded
            _check_sizes(source, entries, pictures, len(decoded), memory_limit)
            log.progress(len(pictures), len(entries), "pictures decoded")
    return _stack(pictures)


def _check_sizes(source: str, entries: Sequence[str], pictures: list[np.ndarray], new: int, memory_limit: int) -> None:
    """InputError unless the last ``new`` pictures are as large as the first, and all together fit."""
    height, width = pictures[0].shape[:2]
    for position in range(len(pictures) - new, len(pictures)):
        h, w, channels = pictures[position].shape
        if (h, w) != (height, width):
            raise InputError(
                f"{source}: {entries[0]} is {width}x{height} and {entries[position]} is {w}x{h} pixels; pictures must "
                "be of one size: set prepare.image_size to have them resized"
            )
        if (size := len(entries) * h * w * channels) > memory_limit:
            raise InputError(
                f"{source}: {len(entries)} pictures of {w}x{h} unpack to {size / 1e9:.3g} GB; "
                f"allowed by prepare.memory_limit_gb: {memory_limit / 1e9:g} GB"
            )


def _stack(pictures: list[np.ndarray]) -> np.ndarray:
    """uint8 (n, h, w, c); grey pictures among coloured ones get three equal channels."""
    channels = max(picture.shape[-1] for picture in pictures)
    stacked = np.empty((len(pictures), *pictures[0].shape[:2], channels), np.uint8)
    for position, picture in enumerate(pictures):
        stacked[position] = picture
    return stacked


def resize_all(images: np.ndarray, image_size: int) -> np.ndarray:
    """uint8 (n, h, w, c) to (n, image_size, image_size, c): bilinear, antialiased."""
    n, _, _, channels = images.shape
    resized = np.empty((n, image_size, image_size, channels), np.uint8)
    for position, image in enumerate(images):
        picture = Image.fromarray(image[..., 0] if channels == 1 else image)
        small = picture.resize((image_size, image_size), Image.Resampling.BILINEAR)
        resized[position] = np.asarray(small).reshape(image_size, image_size, channels)
    return resized
