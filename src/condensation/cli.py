"""The command line: parses and calls a stage, nothing else."""

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from condensation import benchmark_cli
from condensation.core.errors import InputError, one_of
from condensation.core.params import override, read_params, seeds, with_preset
from condensation.stages.layout import Cell, Layout

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Condense data sets, judge what comes out, compare. Any parameter of params.yaml can be set by its name: "
    "--seeds '[0]', --judge.standard.epochs 20; in `run`, a method's own by its bare name: --iterations 20.",
)
app.add_typer(benchmark_cli.app, name="benchmark")
OPEN = {"allow_extra_args": True, "ignore_unknown_options": True}


def whole_number(text: str) -> int:
    """A count given on the command line."""
    if not text.isdecimal():
        raise typer.BadParameter(f"{text!r} is not a whole number; allowed: 1 or more")
    return int(text)


Dataset = Annotated[str, typer.Option(help="digits, mnist, fashionmnist, svhn, cifar10, cifar100, or your own")]
Source = Annotated[str, typer.Option("--dataset", help="a data set's name, or the path of your own folder, zip or npz")]
MethodName = Annotated[str, typer.Option("--method", help="a method of the table in registry.py")]
ImagesPerClass = Annotated[int, typer.Option(parser=whole_number, help="condensed images of each class")]
Variant = Annotated[str, typer.Option(help="a name for other parameters than the method's own, kept apart")]
Preset = Annotated[str, typer.Option(help="changes the method's parameters as `presets` in params.yaml says")]
ParamsFile = Annotated[Path, typer.Option("--params", help="the parameters' file")]
Root = Annotated[Path, typer.Option(help="the folder that holds data/, models/ and reports/")]
DEFAULT, HERE = Path("params.yaml"), Path()


def overrides(arguments: list[str]) -> Iterator[tuple[str, str]]:
    """(name, value text) of ``--name value`` and ``--name=value``."""
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("--"):
            raise InputError(f"{argument!r} belongs to no option; parameters are given as --name value")
        name, equals, text = argument[2:].partition("=")
        value = text if equals else next(rest, None)
        if value is None:
            raise InputError(f"--{name} needs a value")
        yield name, value


def spelled(tree: Mapping[str, Any], dotted: str) -> str:
    """A dotted name with each key as the tree spells it: as it is given, or with underscores for dashes."""
    keys, place = list[str](), tree
    for given in dotted.split("."):
        key = given if given in place else given.replace("-", "_")
        keys.append(key)
        below = place.get(key)
        place = below if isinstance(below, Mapping) else {}
    return ".".join(keys)


def parameters(
    ctx: typer.Context, path: Path, method: str | None = None, preset: str = "", dataset: str = ""
) -> dict[str, Any]:
    """params.yaml, changed by a preset and then by the overrides of the command line.

    A bare name is looked for in the method's section first.
    """
    tree = read_params(path)
    if preset:
        tree = with_preset(tree, preset, method, dataset)
    for name, value in overrides(ctx.args):
        own = tree.get("methods", {}).get(method) or {}
        in_own, in_tree = spelled(own, name), spelled(tree, name)
        if in_own.split(".")[0] in own:
            tree = override(tree, f"methods.{method}.{in_own}", value)
        elif in_tree.split(".")[0] in tree:
            tree = override(tree, in_tree, value)
        else:
            raise one_of("parameter", name, {*own, *tree})
    return tree


@app.command(context_settings=OPEN)
def fetch(ctx: typer.Context, dataset: Source, params: ParamsFile = DEFAULT, root: Root = HERE) -> None:
    """Bring a data set to data/raw: embedded, from CONDENSATION_DATA, or downloaded with checksums."""
    from condensation.data.sources import data_root, dataset_name
    from condensation.stages.fetch import fetch

    parameters(ctx, params)
    fetch(dataset, data_root=data_root(), raw=Layout(root).raw(dataset_name(dataset)))


@app.command(context_settings=OPEN)
def prepare(ctx: typer.Context, dataset: Dataset, params: ParamsFile = DEFAULT, root: Root = HERE) -> None:
    """Split a raw data set into train, validation and test."""
    from condensation.core.params import section
    from condensation.stages.prepare import PrepareParams, prepare

    layout = Layout(root)
    chosen = section(parameters(ctx, params), "prepare", PrepareParams)
    prepare(dataset, raw=layout.raw(dataset), out=layout.prepared(dataset), params=chosen)


@app.command(context_settings=OPEN)
def teach(
    ctx: typer.Context,
    dataset: Dataset,
    method: Annotated[str | None, typer.Option(help="a method whose expert trajectories are recorded too")] = None,
    preset: Preset = "",
    params: ParamsFile = DEFAULT,
    root: Root = HERE,
) -> None:
    """Train the teachers that methods ask for, one for each seed."""
    from condensation.stages.teach import teach

    tree = parameters(ctx, params, method, preset, dataset)
    teach(Layout(root), tree, dataset, seeds(tree), method)


@app.command(context_settings=OPEN)
def condense(
    ctx: typer.Context,
    dataset: Dataset,
    method: MethodName,
    images_per_class: ImagesPerClass,
    variant: Variant = "",
    preset: Preset = "",
    params: ParamsFile = DEFAULT,
    root: Root = HERE,
) -> None:
    """Run a method on prepared data, once for each seed."""
    from condensation.stages.condense import condense
    from condensation.tracking import tracker

    tree = parameters(ctx, params, method, preset, dataset)
    layout = Layout(root)
    condense(layout, tree, Cell(dataset, method, images_per_class, variant), seeds(tree), tracker(HERE))


@app.command(context_settings=OPEN)
def prefix(
    ctx: typer.Context,
    dataset: Dataset,
    method: MethodName,
    images_per_class: ImagesPerClass,
    first: Annotated[int, typer.Option(parser=whole_number, help="how many images of each class, from the first on")],
    variant: Variant = "",
    params: ParamsFile = DEFAULT,
    root: Root = HERE,
) -> None:
    """Take the first images of each class of a method's sets as smaller sets, to be judged as their own variant."""
    from condensation.stages.prefix import prefix, prefix_cell

    cell = Cell(dataset, method, images_per_class, variant)
    prefix(Layout(root), cell, first, seeds(parameters(ctx, params, method)))
    made = prefix_cell(cell, first)
    words = ["--dataset", dataset, "--method", method, "--images-per-class", str(first), "--variant", made.variant]
    print(shlex.join(["condense", "evaluate", *words, *(["--root", str(root)] if root != HERE else [])]))


@app.command(context_settings=OPEN)
def evaluate(
    ctx: typer.Context,
    dataset: Dataset,
    method: Annotated[str | None, typer.Option(help="a method; leave out for the whole training set")] = None,
    images_per_class: Annotated[
        int | None, typer.Option(parser=whole_number, help="condensed images of each class")
    ] = None,
    variant: Variant = "",
    judge: Annotated[str, typer.Option(help="judge under this protocol of params.yaml: paper, keras")] = "",
    judge_network: Annotated[str, typer.Option(help="judge by this network, not the protocol's")] = "",
    condition: Annotated[str, typer.Option(help="judge under this change of the protocol: no_augmentation")] = "",
    hard_labels: Annotated[bool, typer.Option("--hard-labels", help="judge a set by its hard labels")] = False,
    params: ParamsFile = DEFAULT,
    root: Root = HERE,
) -> None:
    """Judge condensed sets, or the whole training set: fresh networks, scored on test data.

    What is judged otherwise than as params.yaml says is kept apart, and shown in columns of its own.
    """
    from condensation.stages.evaluate import Way, evaluate, evaluate_whole

    tree = parameters(ctx, params, method)
    layout, way = Layout(root), Way(judge, judge_network, condition, hard_labels)
    if method is None:
        evaluate_whole(layout, tree, dataset, way)
    elif images_per_class is None:
        raise InputError("--images-per-class is missing; with --method it says which sets to judge")
    else:
        evaluate(layout, tree, Cell(dataset, method, images_per_class, variant), seeds(tree), way)


@app.command(context_settings=OPEN)
def transfer(
    ctx: typer.Context,
    dataset: Dataset,
    to: Annotated[str, typer.Option(help="a prepared data set that the method never saw")],
    method: MethodName,
    images_per_class: ImagesPerClass,
    variant: Variant = "",
    params: ParamsFile = DEFAULT,
    root: Root = HERE,
) -> None:
    """Judge condensed sets on another data set: pre-train on the set, then a linear probe on a few labelled samples."""
    from condensation.stages.transfer import told, transfer

    tree = parameters(ctx, params, method)
    cell = Cell(dataset, method, images_per_class, variant)
    print(told(transfer(Layout(root), tree, cell, seeds(tree), to)))


@app.command(context_settings=OPEN)
def report(
    ctx: typer.Context,
    params: ParamsFile = DEFAULT,
    root: Root = HERE,
) -> None:
    """Build reports/comparison.md, .html, .csv and figures from the metrics files alone; tell MLflow the accuracies."""
    from condensation.stages.report import planned, report
    from condensation.tracking import tracker

    tree = parameters(ctx, params)
    report(root, planned(tree) if root == HERE else [], tracker(HERE))


@app.command()
def comparison(root: Root = HERE) -> None:
    """Print the comparison and where its page lies."""
    from condensation.stages.report import show

    show(root)


@app.command(context_settings=OPEN)
def run(
    ctx: typer.Context,
    dataset: Source,
    method: MethodName,
    images_per_class: ImagesPerClass,
    judge: Annotated[bool, typer.Option(help="judge the sets, and random sets of the same size")] = True,
    preset: Preset = "",
    params: ParamsFile = DEFAULT,
    root: Root = Path("runs"),
) -> None:
    """Everything for one method outside the pipeline: fetch, prepare, teach, condense, evaluate, compare."""
    from condensation.data.sources import dataset_name
    from condensation.stages.run import run

    if (root / "params.yaml").resolve() == params.resolve():
        raise InputError(f"--root {root} holds the parameters' file, which a run writes; allowed: another folder")
    cell = Cell(dataset_name(dataset), method, images_per_class)
    tree = parameters(ctx, params, method, preset, cell.dataset)
    run(Layout(root), tree, cell, source=dataset, judged=judge)


@app.command(context_settings=OPEN)
def study(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="a study of params.yaml")],
    dataset: Annotated[list[str] | None, typer.Option(help="a data set; those of params.yaml otherwise")] = None,
    images_per_class: Annotated[
        list[int] | None, typer.Option(parser=whole_number, help="a size; those of params.yaml otherwise")
    ] = None,
    method: Annotated[list[str] | None, typer.Option(help="a method; those of params.yaml otherwise")] = None,
    params: ParamsFile = DEFAULT,
    root: Annotated[Path | None, typer.Option(help="the folder of everything; runs/NAME otherwise")] = None,
) -> None:
    """Methods under named changes of their parameters (an agent that is off, other networks), judged alike."""
    from condensation.stages.study import study

    given: dict[str, list[Any]] = {"datasets": dataset or [], "methods": method or []}
    given["images_per_class"] = images_per_class or []
    study(Layout(root or Path("runs", name)), parameters(ctx, params), name, given)


@app.command(context_settings=OPEN)
def tune(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Option("--dataset", help="a data set's name, or the path of your own")] = "",
    method: Annotated[str, typer.Option("--method", help="a method with axes in `tuning` of params.yaml")] = "",
    images_per_class: Annotated[
        int | None, typer.Option(parser=whole_number, help="condensed images of each class")
    ] = None,
    trials: Annotated[int | None, typer.Option(parser=whole_number, help="of the whole study")] = None,
    storage: Annotated[str, typer.Option(help="journal, or postgresql://user:password@host/database")] = "journal",
    restart: Annotated[bool, typer.Option("--restart", help="throw away a study that was begun otherwise")] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="write the best values into params.yaml, after asking")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    test: Annotated[
        bool, typer.Option("--test", help="then judge the best values and those as they are on the test set, once")
    ] = False,
    proxy: Annotated[Path | None, typer.Option(help="search a network's parameters on this condensed set")] = None,
    check: Annotated[bool, typer.Option("--check", help="with --proxy: compare with the whole training set")] = False,
    params: ParamsFile = DEFAULT,
    root: Root = HERE,
) -> None:
    """Search a method's parameters, or with --proxy a network's, on validation images; several may run at a time."""
    from condensation.stages.apply import apply as write
    from condensation.stages.confirm import confirm
    from condensation.stages.proxy import tune_proxy
    from condensation.stages.tune import Order, told, tune
    from condensation.tracking import tracker

    source, cell = searched(dataset, method, images_per_class, proxy)
    if check and proxy is None:
        raise InputError("--check needs --proxy; it compares configurations of a network")
    if (apply or test) and proxy is not None:
        does = "--apply writes" if apply else "--test judges"
        raise InputError(f"{does} a method's values; with --proxy there are none")
    layout, order, tree = Layout(root), Order(storage, trials, restart), parameters(ctx, params, method or None)
    if proxy is not None:
        print(told(tune_proxy(layout, tree, proxy, order, checked=check, tracker=tracker(HERE))))
        return
    found = tune(layout, tree, cell, order, source=source, tracker=tracker(HERE))
    print(told(found))
    if test:
        folder = confirm(layout, tree, cell, found, source=source)
        print(f"the comparison is {folder / 'reports'}" if folder else "nothing is better than the values as they are")
    if apply:
        write(params, method, found.best, cell.dataset, partial(agreed, yes))


def searched(dataset: str, method: str, images_per_class: int | None, proxy: Path | None) -> tuple[str, Cell]:
    """The data set as a person named it, and the cell: named by options, or all by the file of --proxy."""
    from condensation.data.sources import dataset_name

    given = {"--dataset": dataset, "--method": method, "--images-per-class": images_per_class}
    if proxy is not None:
        if named := [name for name, value in given.items() if value]:
            raise InputError(f"--proxy names a set, which says what it is of; leave out {' and '.join(named)}")
        return "", Cell("", "", 0)
    if absent := [name for name, value in given.items() if value in ("", None)]:
        raise InputError(f"{' and '.join(absent)} must be given, or --proxy with the file of a condensed set")
    return dataset, Cell(dataset_name(dataset), method, images_per_class or 0)


def agreed(yes: bool, difference: str) -> bool:
    """Show what would be written; whether a person says yes, or said so before."""
    print(difference)
    return yes or typer.confirm("Write it?")


@app.command()
def show(file: Annotated[Path, typer.Argument(help="a condensed set")]) -> None:
    """Print where a condensed set comes from and what it holds."""
    from condensation.core.condensed import CondensedDataset

    condensed = CondensedDataset.load(file)
    names = condensed.provenance.class_names
    counts = {names[label]: int((condensed.labels == label).sum()) for label in range(len(names))}
    low, high = float(condensed.images.min()), float(condensed.images.max())
    print(json.dumps(condensed.provenance.model_dump(mode="json"), indent=2))
    print(json.dumps({"images": list(condensed.images.shape), "pixels": [low, high], "counts": counts}, indent=2))


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="a condensed set")],
    to: Annotated[str, typer.Option(help="folder or npz")] = "folder",
    out: Annotated[Path | None, typer.Option(help="where to; by default a new place here, named after the set")] = None,
) -> None:
    """Write what ImageFolder, Keras or numpy read without a line of our code."""
    from condensation import load

    if to not in ("folder", "npz"):
        raise one_of("export form", to, ["folder", "npz"])
    condensed = load(file)
    told = condensed.provenance
    name = f"{told.dataset}-{told.method}-{told.images_per_class}-seed-{told.seed}"
    if to == "folder":
        print(condensed.export_folder(out or Path(name)))
    else:
        print(condensed.export_npz(out or Path(f"{name}.npz")))


@app.command()
def init() -> None:
    """Create the tracking database, before anything runs in parallel; mark runs whose process is gone as killed."""
    from condensation.tracking import tracker

    tracker(HERE)


def main() -> None:
    """Exit status: 0 done, 1 a failure, 2 a person's mistake, 130 stopped; a traceback only with --debug."""
    from condensation.stages.process import keep_freed_memory, stop_on_sigterm

    keep_freed_memory()
    stop_on_sigterm()
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        sys.exit(app(args=arguments, prog_name="condense", standalone_mode=False))
    except typer.Exit as error:
        sys.exit(error.exit_code)
    except TyperException as error:
        fail(f"{error.format_message()} (--help shows what is allowed)", 2, error, debug=debug)
    except InputError as error:
        fail(str(error), 2, error, debug=debug)
    except (KeyboardInterrupt, typer.Abort) as error:
        fail("stopped; the same command goes on from here", 130, error, debug=False)
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        fail(f"failed: {type(error).__name__}: {reason} (--debug shows where)", 1, error, debug=debug)


def fail(message: str, status: int, error: BaseException, *, debug: bool) -> None:
    """One sentence on stderr and the exit status."""
    if debug:
        raise error
    print(f"condense: {message}", file=sys.stderr)
    sys.exit(status)
