"""What parts put into a whole comes out again, and a part is not taken for another whose name begins alike."""

import numpy as np

from condensation.core.parts import joined, part_of


def test_a_part_comes_out_as_it_went_in() -> None:
    one, ten = {"a": np.zeros(1), "inner/b": np.ones(2)}, {"a": np.full(3, 10.0)}
    whole = joined({1: one, 10: ten}) | {"1": np.array(7)}
    assert list(whole) == ["1/a", "1/inner/b", "10/a", "1"]
    assert part_of(whole, 1) == one
    assert part_of(whole, 10) == ten
    assert list(part_of(part_of(whole, 1), "inner")) == ["b"]
    assert part_of(whole, 2) == {}
