"""The judge's protocols: whether the fast one ranks as the published one, what that one gives, what rounding costs.

Run from the project's root:

``python benchmarks/protocols.py ranks --dataset mnist`` makes selections of every method and size named, judges each
under both protocols and tells Kendall's tau with its 95 % interval, over all sets and within each size. Other sets
take part with ``--sets FILE ...``.

``python benchmarks/protocols.py published --dataset fashionmnist`` judges random selections under the published
protocol and sets them beside what was published of random selections under it.

``python benchmarks/protocols.py precision --dataset cifar10 --methods random k_means --sizes 10 50`` judges selections
under the fast protocol in float32 and in bfloat16, the same networks, and tells what bfloat16 adds to accuracy.

Hours at full size. Each judged network is a row of ``<root>/<dataset>.csv`` at once; the same command goes on from
there. The last line is one JSON object, ``<root>/<what>-<dataset>.json``; the ranks' figure lies beside it.
Any parameter of params.yaml is set by ``--set judge.paper.networks=5``.
"""

import argparse
import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from condensation.core.condensed import CondensedDataset
from condensation.core.files import file_digest, read_json, write_bytes, write_json, write_text
from condensation.core.params import at, override, read_params, seeds
from condensation.core.results import Spread
from condensation.data.sources import dataset_name
from condensation.reporting.display import dataset_name as shown
from condensation.reporting.display import method_name
from condensation.reporting.published import Foreign, published
from condensation.reporting.style import FAINT, colour, legend, legend_height, marker, render
from condensation.stages.evaluate import Bench, Way
from condensation.stages.layout import Cell, Layout
from condensation.stages.process import keep_freed_memory
from condensation.stages.run import as_yaml, data_steps, step
from condensation.tuning.agreement import bounds, kendall

FAST, PUBLISHED = "standard", "paper"
JUDGED_ALIKE = "ConvNet-3 W128, 300 epochs, no augmentation"
"""How the published random selections were judged that the published protocol is compared with."""
RESAMPLES = 2000
SET = ("set", "sha256", "method", "images_per_class", "seed")
COLUMNS = (*SET, "protocol", "values", "network", "accuracy", "seconds")
Row = dict[str, str]


@dataclass(frozen=True)
class Book:
    """The judged networks of one data set, a row each, kept as a CSV that is whole after every set."""

    path: Path

    def rows(self) -> list[Row]:
        return list(csv.DictReader(self.path.read_text().splitlines())) if self.path.exists() else []

    def of(self, digest: str, protocol: str, values: str) -> list[Row]:
        """One set's networks under a protocol and its values; empty where it was not judged."""
        wanted = {"sha256": digest, "protocol": protocol, "values": values}
        return [row for row in self.rows() if {name: row[name] for name in wanted} == wanted]

    def add(self, rows: Iterable[Mapping[str, object]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*self.rows(), *rows])
        write_text(self.path, text.getvalue())


def make(layout: Layout, tree: Mapping[str, Any], source: str, methods: Sequence[str], sizes: list[int]) -> list[Path]:
    """The files of a set for each method, size and seed; what is there already is not made again."""
    files = []
    for method in methods:
        for size in sizes:
            cell = Cell(dataset_name(source), method, size)
            for words in data_steps(layout, tree, cell, source=source):
                step(layout, *words)
            made = [layout.condensed_set(cell, seed) for seed in seeds(tree)]
            if not all(file.exists() for file in made):
                square = ("--dataset", cell.dataset, "--method", method, "--images-per-class", str(size))
                step(layout, "condense", *square)
            files += made
    return files


@dataclass(frozen=True)
class Judged:
    """Mean accuracy in percent of a set's networks, how many there were, and the seconds that they took."""

    accuracy: float
    networks: int
    seconds: float


def judge(bench: Bench, book: Book, file: Path) -> Judged:
    """Train fresh networks on a set, unless the book has them."""
    digest, values = file_digest(file), json.dumps(bench.protocol.model_dump(mode="json"), sort_keys=True)
    if not book.of(digest, bench.name, values):
        made = CondensedDataset.load(file)
        told = made.provenance
        judged = bench.judge(
            f"{told.method}-{told.images_per_class}-{bench.name}",
            made.images,
            made.labels,
            told.seed,
            soft_labels=made.soft_labels,
            pictures_per_image=told.pictures_per_image,
        )
        about = dict(zip(SET, (file, digest, told.method, told.images_per_class, told.seed), strict=True))
        about |= {"protocol": bench.name, "values": values}
        book.add(
            {**about, "network": place, "accuracy": f"{one.accuracy:.4f}", "seconds": f"{one.seconds:.2f}"}
            for place, one in enumerate(judged.judgements)
        )
    rows = book.of(digest, bench.name, values)
    mean = float(np.mean([float(row["accuracy"]) for row in rows]))
    return Judged(mean, len(rows), sum(float(row["seconds"]) for row in rows))


def ranks(layout: Layout, tree: Mapping[str, Any], book: Book, files: Sequence[Path], dataset: str) -> dict[str, Any]:
    """Judge every set under both protocols; how alike they rank, and the figure of it."""
    judged, labels = {}, []
    for name in (FAST, PUBLISHED):
        bench = Bench.of(layout, tree, dataset, way=Way(protocol=name))
        judged[name] = [judge(bench, book, file) for file in files]
        plain = ", no augmentation" if name == FAST and bench.protocol.augmentation == "none" else ""
        labels.append(f"Test accuracy in %, protocol {name}{plain}")
    told = [CondensedDataset.load(file).provenance for file in files]
    sizes = np.array([one.images_per_class for one in told])
    x, y = (np.array([one.accuracy for one in judged[name]]) for name in (FAST, PUBLISHED))
    found = bounds(kendall, x, y, resamples=RESAMPLES, seed=0)
    figure = layout.root / f"ranks-{dataset}.png"
    title = f"{shown(dataset)}: {len(files)} sets, Kendall's tau {found.value:.2f}"
    write_bytes(figure, drawn(title, labels, [one.method for one in told], x, y))
    return {
        "kendall": found.model_dump(),
        "kendall_within_size": {int(size): kendall(x[sizes == size], y[sizes == size]) for size in np.unique(sizes)},
        "sets": len(files),
        "networks_a_set": {name: ones[0].networks for name, ones in judged.items()},
        "seconds": {name: round(sum(one.seconds for one in ones), 1) for name, ones in judged.items()},
        "accuracies": [
            {"method": one.method, "images_per_class": one.images_per_class, "seed": one.seed, FAST: a, PUBLISHED: b}
            for one, a, b in zip(told, x.tolist(), y.tolist(), strict=True)
        ],
        "figure": str(figure),
    }


def precisions(
    layout: Layout, tree: Mapping[str, Any], book: Book, files: Sequence[Path], dataset: str
) -> dict[str, Any]:
    """Every set by the same networks in both precisions: the difference over sets, the factor on the seconds."""
    changed = {name: override(tree, f"judge.{FAST}.precision", name) for name in ("float32", "bfloat16")}
    benches = [Bench.of(layout, values, dataset, way=Way(protocol=FAST)) for values in changed.values()]
    pairs = [[judge(bench, book, file) for bench in benches] for file in files]
    return {
        "bfloat16_less_float32": Spread.of(
            [rounded.accuracy - plain.accuracy for plain, rounded in pairs]
        ).model_dump(),
        "times_as_fast": sum(plain.seconds for plain, _ in pairs) / sum(rounded.seconds for _, rounded in pairs),
        "networks_a_set": benches[0].protocol.networks,
        "accuracies": [
            {"set": str(file), **dict(zip(changed, (one.accuracy for one in pair), strict=True))}
            for file, pair in zip(files, pairs, strict=True)
        ],
    }


def drawn(title: str, labels: Sequence[str], methods: Sequence[str], x: np.ndarray, y: np.ndarray) -> bytes:
    """One point for each set: its accuracy under both protocols, and the line of equality."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        axes.plot(ends, ends, color=FAINT, linewidth=1, linestyle=(0, (5, 4)), label="Equal")
        for method in dict.fromkeys(methods):
            mine = np.array([name == method for name in methods])
            style: dict[str, Any] = {"color": colour(method), "marker": marker(method), "linestyle": "none"}
            axes.plot(x[mine], y[mine], label=method_name(method), **style)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.set_title(title)
        legend(figure, axes)

    return render(draw, 3.4 + legend_height(len(set(methods)) + 1))


def beside_published(
    layout: Layout, tree: Mapping[str, Any], book: Book, files: Sequence[Path], dataset: str
) -> dict[str, Any]:
    """Random selections under the published protocol, beside what was published of such; see ``compared``."""
    bench, by_size = Bench.of(layout, tree, dataset, way=Way(protocol=PUBLISHED)), dict[int, list[float]]()
    for file in files:
        mean = judge(bench, book, file).accuracy
        by_size.setdefault(CondensedDataset.load(file).provenance.images_per_class, []).append(mean)
    rows = [compared(size, means, published(dataset, "random", size)) for size, means in sorted(by_size.items())]
    verdicts = [row["within"] for row in rows if row["within"] is not None]
    return {"within": all(verdicts) if verdicts else None, "networks": bench.protocol.networks, "sizes": rows}


def compared(size: int, means: Sequence[float], foreign: Sequence[Foreign]) -> dict[str, Any]:
    """Our mean over sets beside the published one.

    within: whether ours lies within its deviation; None where no number that may be shown was judged alike.
    """
    ours = Spread.of(means)
    same = next((row for row in foreign if row.judge == JUDGED_ALIKE and row.deviation is not None), None)
    within = None if same is None else abs(ours.mean - same.accuracy) <= (same.deviation or 0.0)
    theirs = None if same is None else {"accuracy": same.accuracy, "deviation": same.deviation, "source": same.source}
    return {"images_per_class": size, "ours": ours.model_dump(), "published": theirs, "within": within}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("ranks", "published", "precision"))
    parser.add_argument("--dataset", required=True, help="a data set's name, or the path of your own")
    parser.add_argument("--methods", nargs="*", default=["random", "k_center", "herding", "k_means"])
    parser.add_argument("--sizes", nargs="*", type=int, help="images per class; by default 1 2 5 10 20 50, or 1 10 50")
    parser.add_argument("--seeds", nargs="*", type=int, help="of the sets; by default 0, or 0 to 4")
    parser.add_argument("--sets", nargs="*", type=Path, default=[], help="other condensed sets to rank")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of params.yaml")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--root", type=Path, default=Path("runs/protocols"))
    return parser.parse_args()


def main() -> None:
    given = arguments()
    selections = given.what != "published"
    tree = read_params(given.params)
    for change in given.set:
        name, _, text = change.partition("=")
        tree = override(tree, name, text)
    tree["seeds"] = given.seeds or ([0] if selections else [0, 1, 2, 3, 4])
    sizes = given.sizes or ([1, 2, 5, 10, 20, 50] if selections else [1, 10, 50])
    layout, dataset = Layout(given.root), dataset_name(given.dataset)
    write_text(layout.root / "params.yaml", as_yaml(tree))
    keep_freed_memory()
    files = [*make(layout, tree, given.dataset, given.methods if selections else ["random"], sizes), *given.sets]
    work = {"ranks": ranks, "published": beside_published, "precision": precisions}
    found = work[given.what](layout, tree, Book(layout.root / f"{dataset}.csv"), files, dataset)
    facts = {"dataset": dataset, "judge_seed": at(tree, "judge.seed"), **found}
    write_json(layout.root / f"{given.what}-{dataset}.json", facts)
    print(json.dumps(read_json(layout.root / f"{given.what}-{dataset}.json")))


if __name__ == "__main__":
    main()
