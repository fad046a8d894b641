"""What an agent can do to a sample: keep it, put a candidate in its place, or turn, shift and zoom the image a little.

An edit is float (4,) in -1..1: turn, shift down, shift right, zoom, each as a share of its limit. It is applied to the
real image once, however many actions led to it, so nothing is blurred twice.
"""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch.nn import functional

from condensation.core.params import Section

EDITS = 4
CONTINUOUS = EDITS + 1
CHUNK = 512


class EditParams(Section):
    """How far an image may be moved; the defaults are the authors' augmentation, which has no zoom.

    rotation: degrees. shift: share of the side. zoom: share of the size. step: share of the limit that a discrete
    action moves.
    """

    rotation: float = Field(10.0, ge=0, le=180)
    shift: float = Field(0.1, ge=0, le=1)
    zoom: float = Field(ge=0, lt=1)
    step: float = Field(gt=0, le=1)


@dataclass(frozen=True)
class Move:
    """What a batch of actions asks for.

    edits: float (n, 4), added to the sample's where ``adds``, else in their place. ranks: float (n,), which candidate
    comes in, 0 for the most central of the cell and 1 for the outermost; not a number where the sample stays.
    """

    edits: np.ndarray
    ranks: np.ndarray
    adds: bool


def discrete_table(choices: int, step: float | None) -> list[tuple[str, Move]]:
    """The discrete actions, by name: keep, ``choices`` candidates of evenly spread ranks, each edit up and down.

    step: how far an edit goes; None for no edits.
    """
    still, stays = np.zeros((1, EDITS)), np.full(1, np.nan)
    table = [("keep", Move(still, stays, adds=True))]
    for rank in np.linspace(0, 1, choices):
        table.append((f"replace by rank {rank:.2f}", Move(still, np.array([rank]), adds=True)))
    if step is None:
        return table
    for index, name in enumerate(("turn", "shift down", "shift right", "zoom")):
        for sign in (-1, 1):
            change = np.zeros((1, EDITS))
            change[0, index] = sign * step
            table.append((f"{name} {sign:+d}", Move(change, stays, adds=True)))
    return table


def discrete_moves(table: list[tuple[str, Move]], actions: np.ndarray) -> Move:
    """The moves of actions int (n,)."""
    edits = np.concatenate([move.edits for _, move in table])
    return Move(edits[actions], np.concatenate([move.ranks for _, move in table])[actions], adds=True)


def continuous_moves(actions: np.ndarray) -> Move:
    """The moves of actions float (n, 5) in -1..1: the four edits themselves, and a choice.

    A choice above 0 puts a candidate in the sample's place, the more central the nearer to 1.
    """
    choice = actions[:, EDITS].astype(np.float64)
    return Move(actions[:, :EDITS].astype(np.float64), np.where(choice > 0, 1 - choice, np.nan), adds=False)


def edited(images: np.ndarray, edits: np.ndarray, params: EditParams) -> np.ndarray:
    """Images float32 (n, h, w, c) under edits (n, 4): float32 (n, h, w, c). What comes in repeats the border."""
    parts = range(0, len(images), CHUNK)
    return np.concatenate([_edited(images[i : i + CHUNK], edits[i : i + CHUNK], params) for i in parts])


def _edited(images: np.ndarray, edits: np.ndarray, params: EditParams) -> np.ndarray:
    turn, down, right, zoom = torch.from_numpy(edits.T.astype(np.float32))
    angle, scale = turn * np.float32(np.deg2rad(params.rotation)), 1 / (1 + params.zoom * zoom)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    _, h, w, _ = images.shape
    rows = [
        torch.stack([cos, -sin * h / w, -2 * params.shift * right], 1),
        torch.stack([sin * w / h, cos, -2 * params.shift * down], 1),
    ]
    tensor = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    grid = functional.affine_grid(torch.stack(rows, 1), list(tensor.shape), align_corners=False)
    moved = functional.grid_sample(tensor, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return np.ascontiguousarray(moved.numpy().transpose(0, 2, 3, 1))
