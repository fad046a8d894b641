"""The page: one file without references to anything outside, pictures that are what they say, and a real browser."""

import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_files import RANDOM, judged, save

from condensation.core.condensed import CondensedDataset, Provenance
from condensation.reporting.dark import DARK_INK, DARK_PAPER, darkened
from condensation.reporting.gallery import Frame, excerpt
from condensation.reporting.style import INK, PAPER, colour, compact_png
from condensation.stages import grid
from condensation.stages.report import report
from condensation.tracking import NullTracker

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def test_the_page_refers_to_nothing_outside(finished: Path) -> None:
    page = (finished / "reports/comparison.html").read_text()
    targets = re.findall(r"""\b(?:src|href|srcset|action|data)\s*=\s*["']([^"']*)""", page)
    assert len(targets) > 20
    assert [target for target in targets if not target.startswith(("data:", "#"))] == []
    without_pictures = re.sub(r"data:image/png;base64,[^\"]*", "", page)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|\bfetch\(|XMLHttp|<iframe|<object|<embed", without_pictures)


def test_every_link_of_the_page_has_its_place(finished: Path) -> None:
    page = (finished / "reports/comparison.html").read_text()
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))


def test_names_are_escaped(tmp_path: Path) -> None:
    save(tmp_path, judged("random", RANDOM, dataset="cats & <dogs>"))
    page = report(tmp_path, [], NullTracker()).read_text()
    assert "cats &amp; &lt;dogs&gt;" in page
    assert "<dogs>" not in page


def condensed(per_class: int, classes: int, channels: int) -> CondensedDataset:
    rng = np.random.default_rng(per_class)
    images = (rng.integers(0, 256, (per_class * classes, 8, 8, channels)) / 255).astype(np.float32)
    provenance = Provenance(
        method="random",
        dataset="digits",
        images_per_class=per_class,
        seed=0,
        params={},
        class_names=tuple(f"class {i}" for i in range(classes)),
        train_sha256="0" * 64,
    )
    return CondensedDataset(images, np.repeat(np.arange(classes), per_class), provenance)


FRAME = Frame(grid.NAMES, grid.GAP, grid.COLUMNS)


@pytest.mark.parametrize(("per_class", "columns", "channels"), [(1, 1, 3), (4, 4, 1), (10, 5, 3), (50, 5, 1)])
def test_the_gallery_shows_the_first_images_of_each_class(per_class: int, columns: int, channels: int) -> None:
    """Read back from the grid that the condense stage writes, whatever its number of lines a class."""
    made = condensed(per_class, 12, channels)
    part = excerpt(grid.grid(made), per_class, 12, FRAME, columns, 10)
    assert part is not None
    pixels = np.asarray(part)
    side = 40
    for label in range(10):
        for column in range(columns):
            top, left = label * (side + 2), column * (side + 2)
            tile = pixels[top : top + side : 5, left : left + side : 5]
            wanted = np.rint(made.images[made.labels == label][column] * 255)
            np.testing.assert_array_equal(tile[..., :3], np.broadcast_to(wanted, (8, 8, 3)))
            assert (tile[..., 3] == 255).all()
    assert part.size == (columns * 42 - 2, 10 * 42 - 2)
    assert columns == 1 or (pixels[:, side : side + 2, 3] == 0).all()  # the gap lets the page's colour through


def test_pictures_that_share_colours_are_shown_as_they_are_read() -> None:
    """Two of them in the cell of one, in the upper half; their brightnesses and colours as stored look like nothing."""
    made = condensed(1, 2, 3)
    provenance = made.provenance.model_copy(update={"pictures_per_image": 2})
    image = np.zeros((8, 8, 3), np.float32)
    image[..., 0], image[..., 1] = 0.5, 0.25
    image[:4, :4, 2], image[:4, 4:, 2] = 0.3, -0.1  # the colours of the first, red and blue
    two = CondensedDataset(np.stack([image, image]), made.labels, provenance)
    cell = np.asarray(excerpt(grid.grid(two), 1, 2, FRAME, 1, 2))[:40, :40, :3] / 255
    green = 0.5 - (0.299 * 0.3 - 0.114 * 0.1) / 0.587
    np.testing.assert_allclose(cell[:20, :20], np.broadcast_to([0.8, green, 0.4], (20, 20, 3)), atol=0.003)
    np.testing.assert_allclose(cell[:20, 20:], 0.25, atol=0.003)
    assert (cell[20:] == 1).all()


def test_a_set_without_a_picture_is_named_and_the_report_goes_on(tmp_path: Path) -> None:
    """A method may make unequal classes, and then its picture has no row and column for each of them."""
    save(tmp_path, judged("random", RANDOM))
    picture = tmp_path / "data/condensed/digits/random/ipc-10/seed-0.png"
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (300, 301)).save(picture)
    text = report(tmp_path, [], NullTracker()).with_suffix(".md").read_text()
    assert "- **Gallery: no picture of Digits Random 10 per class.**" in text


def test_figures_for_dark_paper_keep_hues_and_turn_lightness() -> None:
    names = [PAPER, INK, colour("dsa"), colour("mps2u")]
    strip = Image.new("RGB", (4, 1))
    for place, name in enumerate(names):
        strip.putpixel((place, 0), tuple(int(name[i : i + 2], 16) for i in (1, 3, 5)))
    with Image.open(io.BytesIO(darkened(compact_png(strip.quantize(4))))) as image:
        found = [image.convert("RGB").getpixel((place, 0)) for place in range(4)]
    wanted = [tuple(int(name[i : i + 2], 16) for i in (1, 3, 5)) for name in (DARK_PAPER, DARK_INK)]
    assert np.abs(np.subtract(found[:2], wanted)).max() <= 12  # ink keeps its tinge
    for dark in found[2:]:
        assert max(dark) > 200  # lines stay bright on dark paper
    assert found[2][0] > found[2][2] + 60  # orange stays orange
    assert found[3][2] > found[3][1] + 60  # violet stays violet


PROBE = """
<script>
window.seen = {errors: []};
addEventListener("error", (event) => seen.errors.push(event.message || event.target.outerHTML.slice(0, 80)), true);
addEventListener("unhandledrejection", (event) => seen.errors.push(String(event.reason)));
console.error = (...words) => seen.errors.push(words.join(" "));
addEventListener("load", () => {
  const table = document.querySelector("#results table.sortable");
  const column = [...table.tHead.rows[0].cells].findIndex((head) => head.textContent.startsWith("Accuracy"));
  const names = () => [...table.tBodies[0].rows].map((row) => row.cells[0].innerText.trim());
  seen.orders = [names()];
  for (const place of [column, column, 0]) {
    table.tHead.rows[0].cells[place].querySelector("button").click();
    seen.orders.push(names());
  }
  seen.sorted = table.tHead.querySelector("[aria-sort]").textContent;
  seen.images = [...document.images].map((image) => image.complete && image.naturalWidth > 0);
  seen.shown = [...document.querySelectorAll(".figures img")].filter((image) => image.getClientRects().length).length;
  seen.width = [document.documentElement.scrollWidth, innerWidth];
  const result = document.createElement("pre");
  result.id = "seen";
  result.textContent = JSON.stringify(seen);
  document.body.append(result);
});
</script>
"""


@pytest.fixture(scope="module")
def seen(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a browser without a network finds on the page, 500 points wide, as on a phone."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the page was not opened in a browser")
    folder = tmp_path_factory.mktemp("browser")
    page = (finished / "reports/comparison.html").read_text().replace("<head>", f"<head>{PROBE}", 1)
    (folder / "page.html").write_text(page)
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    more = "--disable-component-update --disable-sync --enable-logging=stderr --window-size=500,900 --dump-dom"
    nowhere = "--host-resolver-rules=MAP * ~NOTFOUND"
    command = [CHROMIUM, *flags.split(), *more.split(), nowhere, f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [*command, f"file://{folder / 'page.html'}"], capture_output=True, text=True, check=True, timeout=120
    )
    assert ":CONSOLE" not in done.stderr
    found: dict[str, object] = json.loads(re.search(r'<pre id="seen">(.*?)</pre>', done.stdout).group(1))
    return found


def test_a_browser_reports_no_error(seen: dict[str, object]) -> None:
    assert seen["errors"] == []


def test_a_browser_loads_every_image(seen: dict[str, object]) -> None:
    figures, pictures = 5, 2
    assert seen["images"] == [True] * (2 * figures + pictures)
    assert seen["shown"] == figures  # of the two drawings of each figure, the one for light or for dark paper


def test_a_click_sorts_a_table_and_leaves_what_is_missing_last(seen: dict[str, object]) -> None:
    assert seen["orders"] == [
        ["Random", "Herding", "MPS2U", "Whole training set"],
        ["Whole training set", "Herding", "Random", "MPS2U"],
        ["Random", "Herding", "Whole training set", "MPS2U"],
        ["Random", "Herding", "MPS2U", "Whole training set"],
    ]
    assert str(seen["sorted"]).startswith("Method")


def test_the_page_fits_a_narrow_screen(seen: dict[str, object]) -> None:
    wide, screen = seen["width"]
    assert wide <= screen
