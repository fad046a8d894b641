"""``condense benchmark``: the whole of it, its report, and the stages that benchmark/dvc.yaml runs."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from condensation.core.errors import InputError
from condensation.core.params import read_params
from condensation.stages.layout import Cell

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
HERE, PARAMS, README = Path(), Path("params.yaml"), Path("README.md")
BEYOND_BUDGET = 3

Dataset = Annotated[str, typer.Option(help="a data set of benchmark/params.yaml")]
Method = Annotated[str, typer.Option(help="a method of benchmark/params.yaml")]
ImagesPerClass = Annotated[int, typer.Option(help="condensed images of each class")]


@app.callback(invoke_without_command=True)
def benchmark(
    ctx: typer.Context,
    only: Annotated[str, typer.Option(help="a part: cifar10, mps2u, 50, mnist/mps2u/50; several with commas")] = "",
    budget: Annotated[str, typer.Option(help="seconds for the sets of a cell, instead of the parameters' own")] = "",
) -> None:
    """All methods on real data, in reports/benchmark; goes on where it was interrupted."""
    if ctx.invoked_subcommand:
        return
    from condensation.stages.benchmark import BUDGET, BenchmarkLayout, BenchmarkParams, places
    from condensation.stages.benchmark_run import run_benchmark
    from condensation.tracking import tracker

    if budget:
        os.environ[BUDGET] = budget
    params = BenchmarkParams.read()
    wanted = places(only, params)
    raise typer.Exit(run_benchmark(BenchmarkLayout(), params, read_params(PARAMS), wanted, tracker(HERE)))


@app.command()
def prepare(dataset: Dataset) -> None:
    """Split a raw data set into train, validation and test."""
    from condensation.core.params import section
    from condensation.stages.benchmark import BenchmarkLayout
    from condensation.stages.budget import alone, end_with_the_benchmark
    from condensation.stages.prepare import PrepareParams
    from condensation.stages.prepare import prepare as stage

    end_with_the_benchmark()
    layout = BenchmarkLayout()
    chosen = section(read_params(PARAMS), "prepare", PrepareParams)
    with alone(layout, "prepare", dataset):
        stage(dataset, raw=layout.raw(dataset), out=layout.prepared(dataset), params=chosen)


@app.command()
def teach(dataset: Dataset) -> None:
    """Train the teachers that methods ask for, one for each seed."""
    from condensation.stages.benchmark import BenchmarkLayout, BenchmarkParams
    from condensation.stages.budget import alone, end_with_the_benchmark
    from condensation.stages.teach import teach as stage

    end_with_the_benchmark()
    layout, params = BenchmarkLayout(), BenchmarkParams.read()
    with alone(layout, "teach", dataset):
        stage(layout, params.applied(read_params(PARAMS)), dataset, params.seeds)


@app.command()
def condense(dataset: Dataset, method: Method, images_per_class: ImagesPerClass) -> None:
    """Make the sets of a cell within its budget; exit status 3 when that does not suffice."""
    from condensation.stages.benchmark import BenchmarkLayout, BenchmarkParams
    from condensation.stages.budget import (
        OutOfBudget,
        alone,
        condense_within,
        end_with_the_benchmark,
        save_within,
        write_parameters,
    )
    from condensation.tracking import tracker

    end_with_the_benchmark()
    layout, params, tree = BenchmarkLayout(), BenchmarkParams.read(), read_params(PARAMS)
    save_within(params.budget_seconds)
    cell = Cell(dataset, method, images_per_class)
    with alone(layout, *cell.path.parts):
        changed, told = params.applied(tree, method, dataset), tracker(HERE)
        try:
            condense_within(layout, changed, cell, params.seeds, told, params.budget_seconds)
        except OutOfBudget:
            print(f"{cell}: out of its budget of {params.budget_seconds:g} s; the next run goes on", file=sys.stderr)
            raise typer.Exit(BEYOND_BUDGET) from None
        write_parameters(layout, cell, params.seeds[0], params.preset_of(tree, method))


@app.command()
def evaluate(
    dataset: Dataset,
    method: Annotated[str, typer.Option(help="a method; leave out for the whole training set")] = "",
    images_per_class: Annotated[int, typer.Option(help="condensed images of each class")] = 0,
) -> None:
    """Judge the sets of a cell, or the whole training set."""
    from condensation.stages.benchmark import BenchmarkLayout, BenchmarkParams
    from condensation.stages.budget import alone, end_with_the_benchmark
    from condensation.stages.evaluate import evaluate as stage
    from condensation.stages.evaluate import evaluate_whole

    if bool(method) != bool(images_per_class):
        raise InputError("--method and --images-per-class belong together; leave out both for the whole training set")
    end_with_the_benchmark()
    layout, params = BenchmarkLayout(), BenchmarkParams.read()
    tree, cell = params.applied(read_params(PARAMS), method, dataset), Cell(dataset, method, images_per_class)
    with alone(layout, "evaluate", *(cell.path.parts if method else (dataset, "whole"))):
        if method:
            stage(layout, tree, cell, params.seeds)
        else:
            evaluate_whole(layout, tree, dataset)


@app.command()
def report() -> None:
    """Write reports/benchmark/comparison.md, .html, .csv and figures from the metrics there, and print it."""
    from condensation.stages.benchmark import BenchmarkLayout, BenchmarkParams
    from condensation.stages.benchmark_run import report_benchmark
    from condensation.stages.report import print_comparison
    from condensation.tracking import tracker

    layout = BenchmarkLayout()
    report_benchmark(layout, BenchmarkParams.read(), read_params(PARAMS), tracker(HERE))
    print_comparison(layout.reports)


@app.command()
def readme() -> None:
    """Write the results between the marks in README.md anew, from the metrics in reports/benchmark."""
    from condensation.stages.benchmark import BenchmarkLayout, BenchmarkParams
    from condensation.stages.readme import write_readme

    write_readme(README, BenchmarkLayout().reports / "metrics", BenchmarkParams.read().expected())
