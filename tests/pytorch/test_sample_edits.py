"""What actions do to images."""

import numpy as np
import pytest

from condensation.core.randomness import generator
from condensation.pytorch.sample_edits import EditParams, continuous_moves, discrete_moves, discrete_table, edited

IMAGES = generator(0, "images").random((3, 6, 8, 2)).astype(np.float32)


def edit(**shares: float) -> np.ndarray:
    names = ("turn", "down", "right", "zoom")
    return np.tile([shares.get(name, 0.0) for name in names], (3, 1))


def params(**limits: float) -> EditParams:
    return EditParams(**{"rotation": 0.0, "shift": 0.0, "zoom": 0.0, "step": 0.5, **limits})


def test_no_edit_changes_nothing() -> None:
    np.testing.assert_allclose(edited(IMAGES, edit(), params(rotation=10.0, shift=0.2, zoom=0.2)), IMAGES, atol=1e-6)


def test_a_shift_moves_by_its_share_of_the_side() -> None:
    moved = edited(IMAGES, edit(down=1, right=-1), params(shift=0.5))  # 3 rows down, 4 columns to the left
    np.testing.assert_allclose(moved[:, 3:, :4], IMAGES[:, :3, 4:], atol=1e-5)
    np.testing.assert_allclose(moved[:, 0, 0], IMAGES[:, 0, 4], atol=1e-5)  # the border comes in


def test_a_turn_is_a_turn_also_of_wide_images() -> None:
    square = IMAGES[:, :, :6]
    np.testing.assert_allclose(
        edited(square, edit(turn=1), params(rotation=90.0)), np.rot90(square, 1, (1, 2)), atol=1e-5
    )
    half = edited(IMAGES, edit(turn=1), params(rotation=180.0))
    np.testing.assert_allclose(half, IMAGES[:, ::-1, ::-1], atol=1e-5)
    quarter = edited(IMAGES, edit(turn=1), params(rotation=90.0))  # the middle six columns turn into themselves
    np.testing.assert_allclose(quarter[:, :, 1:7], np.rot90(IMAGES[:, :, 1:7], 1, (1, 2)), atol=1e-5)


def test_a_zoom_enlarges() -> None:
    wave = np.linspace(0, 1, 8, dtype=np.float32)[None, None, :, None].repeat(6, 1).repeat(3, 0)
    larger = edited(wave, edit(zoom=1), params(zoom=1 / 3))
    np.testing.assert_allclose(np.diff(larger[0, 0, 1:7, 0]), 0.75 / 7, atol=1e-5)


def test_the_table_and_its_moves() -> None:
    table = discrete_table(3, 0.5)
    assert [name for name, _ in table][:4] == ["keep", *(f"replace by rank {r}" for r in ("0.00", "0.50", "1.00"))]
    assert len(table) == 1 + 3 + 8
    move = discrete_moves(table, np.array([0, 2, 4, 11]))
    np.testing.assert_array_equal(np.isnan(move.ranks), [True, False, True, True])
    assert move.ranks[1] == 0.5
    np.testing.assert_array_equal(move.edits, [[0] * 4, [0] * 4, [-0.5, 0, 0, 0], [0, 0, 0, 0.5]])


def test_continuous_actions() -> None:
    move = continuous_moves(np.array([[1, -1, 0, 0.5, -0.2], [0, 0, 0, 0, 0.75]], np.float32))
    np.testing.assert_allclose(move.edits, [[1, -1, 0, 0.5], [0, 0, 0, 0]])
    assert not move.adds
    assert np.isnan(move.ranks[0])
    assert move.ranks[1] == pytest.approx(0.25)
