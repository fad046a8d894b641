"""Where studies are kept: a journal file on one machine, PostgreSQL for many; and the turns that processes take."""

import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from condensation.core.errors import InputError
from condensation.core.files import turn

JOURNAL = "journal"
HEARTBEAT, GRACE = 30, 120
"""Seconds: a process of a database's study that has been silent for so long is taken for dead."""

Stale = Callable[[optuna.Study, optuna.trial.FrozenTrial], None]


@dataclass(frozen=True)
class Storage:
    """turn: a block that one process at a time can be in, whichever study; a process that dies leaves it."""

    studies: BaseStorage
    turn: Callable[[], AbstractContextManager[None]]


def open_storage(text: str, journal: Path, stale: Stale) -> Storage:
    """The journal file, for ``journal``, or the database of a PostgreSQL URL.

    stale: called with a trial whose process has been silent for too long. InputError for anything else, for a
    database that cannot be reached and for a driver that is not installed.
    """
    if text == JOURNAL:
        journal.parent.mkdir(parents=True, exist_ok=True)
        return Storage(JournalStorage(JournalFileBackend(str(journal))), lambda: turn(journal))
    try:
        url = sqlalchemy.make_url(text)
    except ArgumentError:
        raise _unknown(text) from None
    if url.get_backend_name() != "postgresql":
        raise _unknown(url.render_as_string())
    return _database(url, stale)


def _unknown(text: str) -> InputError:
    return InputError(f"unknown storage {text!r}; allowed: {JOURNAL}, postgresql://user:password@host/database")


@contextmanager
def experiments_allowed() -> Iterator[None]:
    """A block in which Optuna does not warn of what it calls experimental: heartbeats, retries, the Wilcoxon test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _database(url: sqlalchemy.URL, stale: Stale) -> Storage:
    settings = {"connect_args": {"connect_timeout": 10}, "poolclass": NullPool}  # trials are long, connections cheap
    shown = url.render_as_string()  # the password is hidden
    try:
        engine = sqlalchemy.create_engine(url, **settings)
        with _database_turn(engine), experiments_allowed():
            studies = RDBStorage(
                url.render_as_string(hide_password=False),
                settings,
                heartbeat_interval=HEARTBEAT,
                grace_period=GRACE,
                heartbeat_stale_trial_callback=stale,
            )
    except (ImportError, NoSuchModuleError):
        raise InputError(f"the driver for {shown} is not installed; pip install 'condensation[tune]'") from None
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).strip().split("\n")[0]
        raise InputError(f"the database {shown} cannot be reached: {reason}") from None
    return Storage(studies, lambda: _database_turn(engine))


@contextmanager
def _database_turn(engine: sqlalchemy.Engine) -> Iterator[None]:
    """An advisory lock, which the database gives back when the connection ends, however it ends."""
    key = zlib.crc32(b"condense tune")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_lock(key)))
        try:
            yield
        finally:
            connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_unlock(key)))
