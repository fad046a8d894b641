"""Searches: what was found, against the parameters as they were, and how a condensed set ranks configurations."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from condensation.core.results import Spread
from condensation.core.tuned import Agreement, Bounds, ProxySearch, Search
from condensation.reporting.cells import Cell, Table, head, missing, nothing
from condensation.reporting.display import (
    dataset_name,
    dataset_order,
    duration,
    interval,
    listed,
    method_name,
    method_order,
    percent,
    signed,
    signed_interval,
    size_name,
)
from condensation.reporting.figures import Drawing, Plan, draw
from condensation.reporting.records import read_record
from condensation.reporting.tuning_charts import against_cost, agreement_chart, history, importance

PART = "searching"
"""The part of the page that holds the figures of searches."""

PROXY = "proxy-"
"""How the name of a record of a network's search begins."""


def read_tuned(folder: Path) -> list[Search]:
    """Every search's record in a folder, methods before networks; InputError naming a file that is none."""
    kinds = {path: ProxySearch if path.name.startswith(PROXY) else Search for path in folder.glob("*.json")}
    found = [read_record(path, kind) for path, kind in sorted(kinds.items())]
    return sorted(found, key=_order)


def _order(search: Search) -> tuple[object, ...]:
    names = dataset_order(search.dataset), method_order(search.method), search.images_per_class
    return isinstance(search, ProxySearch), *names, search.set_seed if isinstance(search, ProxySearch) else 0


def tables(searches: Sequence[Search]) -> list[Table]:
    """How well condensed sets ranked, what searches of methods found, and what those of networks found."""
    networks = [search for search in searches if isinstance(search, ProxySearch)]
    methods = [search for search in searches if not isinstance(search, ProxySearch)]
    agreed = [(search, search.agreement) for search in networks if search.agreement]
    found = []
    if agreed:
        rows = tuple(_agreement(*pair) for pair in agreed)
        found.append(Table(_AGREEMENT, rows, "How a condensed set ranks configurations of a network"))
    if methods:
        found.append(Table(_COLUMNS, tuple(map(_row, methods)), "Parameters of methods"))
    if networks:
        found.append(Table(_COLUMNS, tuple(map(_row, networks)), "Parameters of a network, on a condensed set"))
    return found


_COLUMNS = ("Search", "Best, validation %", "As it was, validation %", "Gain", "Trials", "Took", "Best values")
_AGREEMENT = ("Set", "Spearman", "Kendall", "Regret", "Time saved", "Configurations")


def _row(search: Search) -> tuple[Cell, ...]:
    pruned, lost = search.count("pruned"), search.count("failed") + search.count("killed")
    note = "; ".join(f"{n} {word}" for n, word in ((pruned, "pruned"), (lost, "failed or killed")) if n)
    return (
        head(_name(search)),
        _spread(search.score),
        _spread(search.own) if search.own else missing("not tried"),
        _gain(search.gain),
        Cell(str(search.count("complete") + pruned), search.count("complete") + pruned, note),
        Cell(duration(search.seconds), search.seconds),
        Cell("; ".join(f"{name} {_value(value)}" for name, value in search.best.items()), mark="none"),
    )


def _agreement(search: ProxySearch, found: Agreement) -> tuple[Cell, ...]:
    count = len(found.configurations)
    return (
        head(_name(search)),
        _bounds(found.spearman),
        _bounds(found.kendall),
        Cell(percent(found.regret), found.regret, "points on the whole set"),
        Cell(f"{found.time_ratio:.1f} times", found.time_ratio, _saved(found.seconds_saved)),
        Cell(str(count), count),
    )


def _saved(seconds: float) -> str:
    return f"{duration(seconds)} saved" if seconds >= 0 else f"{duration(-seconds)} more than the whole set"


def _name(search: Search) -> str:
    name = f"{dataset_name(search.dataset)}, {method_name(search.method)}, {size_name(search.images_per_class)}"
    return f"{name}, seed {search.set_seed}" if isinstance(search, ProxySearch) else name


def _spread(spread: Spread) -> Cell:
    if spread.ci_low is None or spread.ci_high is None:
        return Cell(percent(spread.mean), spread.mean, "no interval; 1 seed")
    return Cell(percent(spread.mean), spread.mean, f"{interval(spread.ci_low, spread.ci_high)}; {spread.n} seeds")


def _gain(gain: Spread | None) -> Cell:
    if gain is None:
        return nothing("not tried as it was")
    if gain.ci_low is None or gain.ci_high is None:
        return Cell(signed(gain.mean), gain.mean, "no interval; 1 seed")
    return Cell(signed(gain.mean), gain.mean, signed_interval(gain.ci_low, gain.ci_high))


def _bounds(bounds: Bounds) -> Cell:
    return Cell(f"{bounds.value:.2f}", bounds.value, f"{bounds.ci_low:.2f} to {bounds.ci_high:.2f}")


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def drawings(search: Search) -> list[Drawing]:
    """The figures of one search."""
    return [draw(*plan) for plan in _plans(search)]


def _plans(search: Search) -> Iterator[Plan]:
    place, file = _name(search), _file(search)
    states = listed(f"{search.count(state)} {state}" for state in ("complete", "pruned"))
    caption = f"{place}: the trials of the search, {states}."
    yield f"{file}-history", PART, search.dataset, caption, history(place, search)
    if search.importance:
        caption = f"{place}: which parameters the score depends on (fANOVA)."
        yield f"{file}-importance", PART, search.dataset, caption, importance(place, search.importance)
    if len(search.goals) > 1:
        caption = f"{place}: both goals. Trials on the line are beaten by no other in both."
        yield f"{file}-front", PART, search.dataset, caption, against_cost(place, search)
    if isinstance(search, ProxySearch) and search.agreement:
        caption = f"{place}: configurations on the condensed set and on the whole training set."
        yield f"{file}-agreement", PART, search.dataset, caption, agreement_chart(place, search.agreement)


def _file(search: Search) -> str:
    plain = f"{search.dataset}-{search.method}"
    if isinstance(search, ProxySearch):
        return f"{PROXY}{plain}-{search.images_per_class}-seed-{search.set_seed}"
    return f"tuning-{plain}"
