"""What a method found out, as a table and a picture."""

from pathlib import Path

import numpy as np
from PIL import Image

from condensation.reporting.scores import write_table


def test_a_table_is_a_csv_and_a_picture_with_a_panel_for_each_column_of_fractions(tmp_path: Path) -> None:
    columns = {"label": np.arange(21), "nats": np.arange(21) / 3, "gain": np.ones(21)}
    text, picture = write_table(tmp_path, "found_out", columns)
    assert text.read_text().startswith("label,nats,gain\n0,0,1\n1,0.333333,1\n")
    with Image.open(picture) as image:
        two = image.size
    first = picture.read_bytes()
    _, again = write_table(tmp_path, "found_out", columns)
    assert again.read_bytes() == first
    write_table(tmp_path, "found_out", {"nats": columns["nats"]})
    with Image.open(picture) as image:
        one = image.size
    assert (one[0], 2 * one[1]) == two


def test_a_few_rows_are_bars_by_name(tmp_path: Path) -> None:
    scores = {"kind": np.array(["none", "all"]), "right": np.array([0.5, 0.75])}
    text, picture = write_table(tmp_path, "trials", scores)
    assert text.read_text() == "kind,right\nnone,0.5\nall,0.75\n"
    first = picture.read_bytes()
    write_table(tmp_path, "trials", {**scores, "right": np.array([0.5, 0.25])})
    assert picture.read_bytes() != first
    with Image.open(picture) as image:
        two = image.height
    write_table(tmp_path, "trials", {name: column.repeat(2) for name, column in scores.items()})
    with Image.open(picture) as image:
        assert image.height > two
