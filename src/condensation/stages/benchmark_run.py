"""The benchmark as a whole: fetch what is not here, let DVC make the cells in their order, compare."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from condensation.core.errors import InputError
from condensation.core.files import write_json
from condensation.data.manifest import MANIFEST
from condensation.data.sources import data_root
from condensation.reporting.display import WHOLE, duration, listed, method_name
from condensation.reporting.records import Records, read_records
from condensation.reporting.unfinished import AbsentData
from condensation.stages.benchmark import PIPELINE, BenchmarkLayout, BenchmarkParams, Place, Square, chosen, targets
from condensation.stages.budget import OWNER
from condensation.stages.fetch import fetch
from condensation.stages.report import compare, print_comparison
from condensation.tracking import Tracker

PATIENCE = 60.0
"""Seconds in which stages that were told to stop may do so."""


def run_benchmark(
    layout: BenchmarkLayout, params: BenchmarkParams, tree: Mapping[str, Any], only: Sequence[Place], tracker: Tracker
) -> int:
    """Make the cells of the places ``only`` that are not made, then compare all that is there; the exit status.

    0 when every cell is made or ran out of its budget, 1 when one failed. A cell that is not made stops no other. DVC
    says what is to be made, so a benchmark that was interrupted goes on where it was.
    """
    if not PIPELINE.exists():
        raise InputError(f"{PIPELINE} does not exist; run from the project's root")
    parts = chosen(params, only)
    here = {
        dataset
        for dataset in dict.fromkeys(d for part in parts for d, _, _ in part)
        if _has_images(layout, params, dataset)
    }
    parts = [[cell for cell in part if cell[0] in here] for part in parts]
    for part in filter(None, parts):
        _repro(targets(params, part))
        report_benchmark(layout, params, tree, tracker)
    if not any(parts):
        report_benchmark(layout, params, tree, tracker)
    print_comparison(layout.reports)
    return _told(read_records(layout.reports / "metrics"), [cell for part in parts for cell in part])


def _has_images(layout: BenchmarkLayout, params: BenchmarkParams, dataset: str) -> bool:
    """Fetch a data set that is not here; False, said and recorded, for an optional one that cannot be downloaded."""
    record = layout.absent_data(dataset)
    if not (layout.raw(dataset) / MANIFEST).exists():
        try:
            fetch(dataset, data_root=data_root(), raw=layout.raw(dataset))
        except OSError as error:
            if dataset not in params.optional:
                raise
            print(f"benchmark: {dataset} is left out: {error}", file=sys.stderr)
            write_json(record, AbsentData(dataset=dataset).model_dump())
            return False
    record.unlink(missing_ok=True)
    return True


def _repro(names: Sequence[str]) -> None:
    """Let DVC make the stages ``names`` in this order; one that fails stops no other.

    DVC and what it starts are a group of processes, which ends with this one: see ``budget.end_with_the_benchmark``.
    """
    here = {OWNER: str(os.getpid()), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--keep-going", *names]
    process = subprocess.Popen(command, env={**os.environ, **here}, start_new_session=True)
    try:
        status = process.wait()
    except BaseException:
        _stop(process)
        raise
    if status < 0:
        raise RuntimeError(f"DVC was ended by signal {-status}; the same command goes on from here")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Tell a group of processes to stop, wait, and kill what is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal(process, number)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            process.poll()
            if not _signal(process, 0):
                return
            time.sleep(0.2)


def _signal(process: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to a group of processes; whether there is any left."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def report_benchmark(
    layout: BenchmarkLayout, params: BenchmarkParams, tree: Mapping[str, Any], tracker: Tracker
) -> Path:
    """Write the comparison in ``reports/benchmark`` from the metrics there; its page."""
    preset = listed(method_name(m) for m in params.pipeline.judged if params.preset_of(tree, m))
    told = [
        ("Preset", f"{params.preset}, of {preset}"),
        ("Budget", f"{duration(params.budget_seconds)} for the sets of a cell, in one run"),
    ]
    condensed = layout.root / "data" / "benchmark" / "condensed"
    return compare(layout.reports, condensed, params.expected(), tracker, told, layout.reports / "sets")


def _told(records: Records, cells: Sequence[Square]) -> int:
    """Say what became of the cells that were to be made; the exit status."""
    wholes = {cell.dataset for cell in records.judged if cell.method == WHOLE}
    judged = records.judged_keys()
    made = [c for c in cells if (c[0] in wholes if c[2] is None else c in judged)]
    late = [
        c
        for c in cells
        if (found := records.unfinished.get((c[0], c[1], c[2] or 0))) and found.state == "out of budget"
    ]
    lost = len(cells) - len(made) - len(late)
    print(f"Of {len(cells)} cells {len(made)} are made, {len(late)} ran out of their budget, {lost} failed.")
    if late or lost:
        print("The same command goes on with those that are not made.")
    return 1 if lost else 0
