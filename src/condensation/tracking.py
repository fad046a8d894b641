"""Experiment tracking: the only file that imports mlflow, and a null object for when tracking is off."""

import hashlib
import logging
import os
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import psutil

from condensation.core.files import turn

EXPERIMENT = "condensation"
PARENT = "mlflow.parentRunId"
SOURCES = ("src", "params.yaml", "dvc.yaml", "benchmark/params.yaml", "pyproject.toml", "requirements.lock")
"""An edit of any of these makes a run dirty."""


class Run(Protocol):
    """One tracked run; its id is empty when nothing is kept."""

    id: str

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Values of one step."""

    def artifact(self, path: Path) -> None:
        """Keep a file with the run."""

    def dataset(self, images: np.ndarray, labels: np.ndarray, *, name: str, digest: str) -> None:
        """Fill the data set tab: images (n, h, w, c), labels (n,), the md5 of the file."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Add tags."""


class Tracker(Protocol):
    """Where runs are kept."""

    @contextmanager
    def run(self, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> Iterator[Run]:
        """A run; it ends FINISHED, FAILED on an exception or KILLED on Ctrl-C and SIGTERM."""

    def judged(self, digest: str, values: Mapping[str, float]) -> None:
        """Add final metrics to the newest run that made the set with this sha256, if it is here."""

    def parent(self, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """The run with these tags, begun where there is none, which holds others and goes on in this process; its id.

        Those that it holds carry the id as the tag ``PARENT``.
        """

    def keep(self, run_id: str, folder: str, files: Sequence[Path]) -> None:
        """Keep files with a run, in a folder of its artifacts."""

    def end(self, run_id: str, status: str, tags: Mapping[str, str]) -> None:
        """End a run from outside, if it is here: FINISHED, FAILED or KILLED; tags are added."""


class NullRun:
    """Keeps nothing."""

    id = ""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Nothing."""

    def artifact(self, path: Path) -> None:
        """Nothing."""

    def dataset(self, images: np.ndarray, labels: np.ndarray, *, name: str, digest: str) -> None:
        """Nothing."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Nothing."""


class NullTracker:
    """Tracking is off."""

    @contextmanager
    def run(self, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> Iterator[Run]:
        """A run that keeps nothing."""
        yield NullRun()

    def judged(self, digest: str, values: Mapping[str, float]) -> None:
        """Nothing."""

    def parent(self, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """No run."""
        return ""

    def keep(self, run_id: str, folder: str, files: Sequence[Path]) -> None:
        """Nothing."""

    def end(self, run_id: str, status: str, tags: Mapping[str, str]) -> None:
        """Nothing."""


def tracker(root: Path) -> Tracker:
    """MLflow in ``root``, or the null object where ``CONDENSATION_TRACKING`` is ``off``."""
    return NullTracker() if os.environ.get("CONDENSATION_TRACKING") == "off" else MlflowTracker(root)


class MlflowRun:
    """A run in MLflow; metrics are sent in batches, so that a fast loop does not wait for the database."""

    def __init__(self, client: Any, run_id: str) -> None:
        self._client, self.id = client, run_id
        self._waiting: list[Any] = []
        self._sent = time.monotonic()

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Queue values of one step; sent every two seconds."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._waiting += [Metric(name, value, now, step) for name, value in values.items() if np.isfinite(value)]
        if time.monotonic() - self._sent > 2:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        for start in range(0, len(self._waiting), 900):
            self._client.log_batch(self.id, metrics=self._waiting[start : start + 900])
        self._waiting, self._sent = [], time.monotonic()

    def artifact(self, path: Path) -> None:
        """Keep a file with the run."""
        self._client.log_artifact(self.id, str(path))

    def dataset(self, images: np.ndarray, labels: np.ndarray, *, name: str, digest: str) -> None:
        """Fill the data set tab with the file's own md5 (MLflow's digest sees 10,000 numbers only)."""
        import mlflow

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = mlflow.data.from_numpy(images, targets=labels, name=name, digest=digest[:36])
            mlflow.log_input(data, context="training")

    def tags(self, values: Mapping[str, str]) -> None:
        """Add tags."""
        for name, value in values.items():
            self._client.set_tag(self.id, name, value)


class MlflowTracker:
    """Runs in an SQLite database and a folder under ``root``, unless MLFLOW_TRACKING_URI says otherwise."""

    def __init__(self, root: Path) -> None:
        os.environ.setdefault("DO_NOT_TRACK", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
        warnings.filterwarnings("ignore", module="sqlalchemy.*|alembic.*|mlflow.*")
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        home = Path(os.environ.get("DVC_ROOT", root)).resolve()
        mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}"))
        self._home = home
        with turn(home / "mlflow.db"):  # else two that come at once both make the tables of a new database
            self._client = mlflow.MlflowClient()
            self.experiment = self._experiment()
        self.reap()

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        if found:
            return str(found.experiment_id)
        artifacts = (self._home / "mlartifacts").as_uri()
        kind = {"mlflow.experimentKind": "custom_model_development"}  # the UI opens on runs, not on chats
        return str(self._client.create_experiment(EXPERIMENT, artifacts, kind))

    def reap(self) -> int:
        """Mark runs KILLED whose process on this host is gone (SIGKILL leaves them RUNNING); how many there were."""
        dead = 0
        for run in self._client.search_runs([self.experiment], "attributes.status = 'RUNNING'"):
            pid, host = run.data.tags.get("process"), run.data.tags.get("host")
            if host == socket.gethostname() and pid and not psutil.pid_exists(int(pid)):
                self._client.set_terminated(run.info.run_id, "KILLED")
                dead += 1
        return dead

    @contextmanager
    def run(self, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> Iterator[Run]:
        """A run with system metrics and the tags that say which code and data made it."""
        import mlflow

        mlflow.set_system_metrics_sampling_interval(1)
        mlflow.set_system_metrics_samples_before_logging(1)
        everything = {**tags, **_origin(self._home), **_process()}
        active = mlflow.start_run(
            experiment_id=self.experiment, run_name=name, tags=everything, log_system_metrics=True
        )
        run, status = MlflowRun(self._client, active.info.run_id), "FAILED"
        try:
            mlflow.log_params(_flat(params))
            yield run
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            run.flush()
            mlflow.end_run(status)

    def judged(self, digest: str, values: Mapping[str, float]) -> None:
        """Add final metrics to the newest run that made the set with this sha256, if it is here."""
        found = self._client.search_runs([self.experiment], f"tags.condensed_sha256 = '{digest}'", max_results=1)
        for run in found:
            for name, value in values.items():
                if run.data.metrics.get(name) != value:
                    self._client.log_metric(run.info.run_id, name, value)

    def parent(self, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """The run with these tags, begun where there is none; its id."""
        spoken = " and ".join(f"tags.{key} = '{value}'" for key, value in tags.items())
        found = self._client.search_runs([self.experiment], spoken, max_results=1)
        run_id: str = found[0].info.run_id if found else self._begin(name, params, tags)
        self._client.update_run(run_id, status="RUNNING")
        for key, value in _process().items():
            self._client.set_tag(run_id, key, value)
        return run_id

    def _begin(self, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        everything = {**tags, **_origin(self._home)}
        run_id: str = self._client.create_run(self.experiment, tags=everything, run_name=name).info.run_id
        for key, value in _flat(params).items():
            self._client.log_param(run_id, key, value)
        return run_id

    def keep(self, run_id: str, folder: str, files: Sequence[Path]) -> None:
        """Keep files with a run, in a folder of its artifacts."""
        for path in files:
            self._client.log_artifact(run_id, str(path), folder)

    def end(self, run_id: str, status: str, tags: Mapping[str, str]) -> None:
        """End a run from outside, if it is here; tags are added."""
        if not self._client.search_runs([self.experiment], f"attributes.run_id = '{run_id}'"):
            return
        for name, value in tags.items():
            self._client.set_tag(run_id, name, value)
        self._client.set_terminated(run_id, status)


def _process() -> dict[str, str]:
    """Which process a run belongs to."""
    return {"process": str(os.getpid()), "host": socket.gethostname()}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _origin(home: Path) -> dict[str, str]:
    """Commit, dirty flag, DVC stage and the hash of dvc.lock."""
    lock = home / "dvc.lock"
    return {
        "commit": git(home, "rev-parse", "HEAD") or "none",
        "dirty": str(bool(git(home, "status", "--porcelain", "--", *SOURCES))).lower(),
        "dvc_stage": os.environ.get("DVC_STAGE", "none"),
        "dvc_lock": hashlib.md5(lock.read_bytes()).hexdigest() if lock.exists() else "none",
    }


def commit(home: Path) -> str | None:
    """The checked-out commit, with " (dirty)" where the code was edited since; None outside a checkout."""
    name = git(home, "rev-parse", "HEAD")
    return f"{name} (dirty)" if name and git(home, "status", "--porcelain", "--", *SOURCES) else name or None


def git(home: Path, *arguments: str) -> str:
    """What git prints, or nothing outside a checkout."""
    done = subprocess.run(["git", *arguments], cwd=home, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
