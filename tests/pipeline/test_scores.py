"""What a method found out, as a table and a picture."""

from pathlib import Path

import numpy as np
from PIL import Image

from condensation.reporting.scores import write_table


def test_a_table_is_a_csv_and_a_picture_with_a_panel_for_each_column_of_fractions(tmp_path: Path) -> None:
    columns = {"label": np.array([0, 1, 0]), "nats": np.array([0.5, -1.25, 1 / 3]), "gain": np.array([1.0, 2.0, 3.0])}
    text, picture = write_table(tmp_path, "found_out", columns)
    assert text.read_text() == "label,nats,gain\n0,0.5,1\n1,-1.25,2\n0,0.333333,3\n"
    with Image.open(picture) as image:
        two = image.size
    first = picture.read_bytes()
    _, again = write_table(tmp_path, "found_out", columns)
    assert again.read_bytes() == first
    write_table(tmp_path, "found_out", {"nats": columns["nats"]})
    with Image.open(picture) as image:
        one = image.size
    assert (one[0], 2 * one[1]) == two
