"""The precision of a network's products: float32, or bfloat16 where the processor multiplies in it."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Precision = Literal["float32", "bfloat16"]


def available(precision: Precision, device: torch.device) -> Precision:
    """The precision, or float32 where the device has no products of bfloat16 (a CPU: AVX512-BF16 or AMX)."""
    if device.type == "cpu":
        has = torch.cpu.get_capabilities()
        return precision if has.get("avx512_bf16") or has.get("amx_bf16") else "float32"
    return precision if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"


def in_precision(function: Callable[[Tensor], Tensor], precision: Precision) -> Callable[[Tensor], Tensor]:
    """``function`` of images, its products in that precision; weights and result keep the type that they have.

    bfloat16 nearly halves the time of convolutions, rounds to 8 bits, and is float32 where the device has no such
    products.
    """

    def computed(images: Tensor) -> Tensor:
        device = images.device
        rounded = available(precision, device) == "bfloat16"
        # the cache of rounded weights belongs to all threads, and they share networks
        with torch.autocast(device.type, torch.bfloat16, rounded, cache_enabled=False):
            return function(images).to(images.dtype)

    return computed
