"""One picture file: decoded as a person sees it, or refused by name."""

import struct
import warnings
import zlib
from contextlib import suppress
from typing import Literal

import numpy as np
import pytest
from picture_files import colours, encoded
from PIL import Image

from condensation.core.errors import InputError
from condensation.core.runlog import RunLog
from condensation.data.pictures import MAX_PIXELS, decode, decode_all, resize_all

GREY = colours(1)[..., 0]


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_lossless_pictures_come_back_bit_for_bit(kind: str) -> None:
    np.testing.assert_array_equal(decode(encoded(colours(0), kind), "x"), colours(0))


def test_grey_pictures_have_one_channel_and_palettes_three() -> None:
    np.testing.assert_array_equal(decode(encoded(GREY), "x"), GREY[..., None])
    assert decode(encoded(GREY, "jpeg", quality=95), "x").shape == (4, 5, 1)
    two = Image.fromarray((GREY > 127).astype(np.uint8) * 255).convert("1")
    np.testing.assert_array_equal(decode(encoded(two), "x")[..., 0], (GREY > 127) * 255)
    palette = Image.fromarray(colours(0)).quantize(8)
    np.testing.assert_array_equal(decode(encoded(palette), "x"), np.asarray(palette.convert("RGB")))


def test_what_is_transparent_is_laid_on_white() -> None:
    pixels = np.array([[[200, 0, 0, 255], [200, 0, 0, 0], [200, 0, 100, 51]]], np.uint8)
    np.testing.assert_array_equal(decode(encoded(pixels), "x"), [[[200, 0, 0], [255, 255, 255], [244, 204, 224]]])
    grey = np.array([[[80, 255], [80, 0]]], np.uint8)
    np.testing.assert_array_equal(decode(encoded(grey), "x"), [[[80], [255]]])
    keyed = encoded(np.array([[7, 80]], np.uint8), transparency=7)
    np.testing.assert_array_equal(decode(keyed, "x"), [[[255], [80]]])


def test_photographs_stand_upright() -> None:
    exif = Image.Exif()
    exif[274] = 6  # the camera was turned: shown after a quarter turn clockwise
    np.testing.assert_array_equal(decode(encoded(colours(0), "png", exif=exif), "x"), np.rot90(colours(0), -1))


def test_resizing_is_bilinear_and_antialiased() -> None:
    """Against the triangle filter written out: 16 pixels to 2, so that each weighs neighbours up to 8 pixels away."""
    pixels = colours(3, 16, 16)[..., 0]
    weights = np.maximum(0, 1 - np.abs(np.arange(16) + 0.5 - np.array([[4], [12]])) / 8)
    weights /= weights.sum(1, keepdims=True)
    expected = weights @ pixels @ weights.T
    small = decode(encoded(pixels), "x", 2)[..., 0]
    assert np.abs(small - expected).max() <= 1
    np.testing.assert_array_equal(resize_all(pixels[None, ..., None], 2)[0, ..., 0], small)
    np.testing.assert_array_equal(resize_all(colours(0)[None], 3)[0], decode(encoded(colours(0)), "x", 3))


def png_of_size(width: int, height: int) -> bytes:
    """A few bytes that promise a picture of this size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("pixels", [MAX_PIXELS + 1, 2 * MAX_PIXELS + 3, 2**36])
@pytest.mark.parametrize("action", ["error", "ignore"])
def test_a_decompression_bomb_is_refused_from_its_header(pixels: int, action: Literal["error", "ignore"]) -> None:
    """Whatever is done with Pillow's own warning."""
    warnings.simplefilter(action)
    with pytest.raises(InputError, match=r"rose\.png unpacks to more than 89478485 pixels"):
        decode(png_of_size(1 << 12, -(-pixels // (1 << 12))), "rose.png")


def animated() -> bytes:
    frames = [Image.fromarray(colours(seed)) for seed in (0, 1)]
    return encoded(frames[0], "webp", save_all=True, append_images=frames[1:])


def as_gif() -> bytes:
    return encoded(colours(0), "gif")


def deep() -> bytes:
    return encoded(Image.fromarray(GREY.astype(np.uint16) * 257))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "rose.png is not a picture; allowed: PNG, JPEG, WebP"),
        (b"hello, I am text", "rose.png is not a picture"),
        (as_gif(), "rose.png is not a picture"),
        (animated(), "rose.png is animated"),
        (deep(), "rose.png has pixels of kind 'I;16'; allowed: grey or colour of 8 bits"),
        (encoded(colours(0))[:-30], "rose.png is damaged or cut short"),
        (png_of_size(100, 100), "rose.png is damaged or cut short"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode(content, "rose.png")


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_every_cut_is_refused_and_no_damage_raises_anything_else(kind: str) -> None:
    content = encoded(colours(0, 24, 24), kind)
    rng = np.random.default_rng(0)
    places = rng.integers(0, len(content), 300)
    for end in [*range(0, len(content), 7), len(content) - 1]:
        with pytest.raises(InputError, match=r"rose is (not a picture|damaged or cut short)"):
            decode(content[:end], "rose")
    for place in places:
        changed = content[:place] + bytes([content[place] ^ int(rng.integers(1, 256))]) + content[place + 1 :]
        with suppress(InputError):
            decode(changed, "rose")


def all_of(files: dict[str, bytes], workers: int = 1, memory_limit: int = 10**9, size: int | None = None) -> np.ndarray:
    return decode_all(
        "set.zip",
        list(files),
        files.__getitem__,
        image_size=size,
        memory_limit=memory_limit,
        workers=workers,
        log=RunLog(),
    )


def test_order_is_kept_whatever_the_number_of_threads() -> None:
    files = {f"{i}.png": encoded(colours(i)) for i in range(150)}
    for workers in (1, 3):
        np.testing.assert_array_equal(all_of(files, workers), np.stack([colours(i) for i in range(150)]))


def test_grey_pictures_among_coloured_ones_get_three_equal_channels() -> None:
    mixed = all_of({"a": encoded(GREY), "b": encoded(colours(2))})
    np.testing.assert_array_equal(mixed[0], np.repeat(GREY[..., None], 3, -1))
    np.testing.assert_array_equal(mixed[1], colours(2))
    assert all_of({"a": encoded(GREY), "b": encoded(GREY)}).shape == (2, 4, 5, 1)


def test_two_sizes_are_refused_naming_both_unless_resized() -> None:
    files = {"a.png": encoded(colours(0)), "b.png": encoded(colours(1)), "c.png": encoded(colours(2, 7, 3))}
    message = "set.zip: a.png is 5x4 and c.png is 3x7 pixels; .* set prepare.image_size"
    with pytest.raises(InputError, match=message):
        all_of(files)
    assert all_of(files, size=6).shape == (3, 6, 6, 3)


def test_more_pixels_than_memory_are_refused_at_the_first_chunk() -> None:
    read: list[str] = []
    content = encoded(colours(0))

    def reader(entry: str) -> bytes:
        read.append(entry)
        return content

    with pytest.raises(InputError, match=r"10000 pictures of 5x4 unpack to 0\.0006 GB; .* 0\.0005 GB"):
        decode_all(
            "set.zip",
            [str(i) for i in range(10_000)],
            reader,
            image_size=None,
            memory_limit=500_000,
            workers=1,
            log=RunLog(),
        )
    assert len(read) < 10_000


def test_the_first_bad_picture_is_named() -> None:
    files = {f"{i:03d}.png": encoded(colours(i)) for i in range(200)}
    files["150.png"] = files["170.png"] = b"text"
    with pytest.raises(InputError, match=r"set\.zip: 150\.png is not a picture"):
        all_of(files, 2)


def test_pillow_knows_no_other_format_here() -> None:
    """A format with a decoder that runs a program or reads other files must not be reachable by its content."""
    for kind in ("bmp", "tiff", "eps", "ppm", "ico", "pdf"):
        with pytest.raises(InputError, match="is not a picture"):
            decode(encoded(colours(0, 32, 32), kind), "x")
