"""Processes that do the work of a search, one for each framework: two frameworks never meet."""

import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from condensation.core.errors import InputError, ProcessDiedError
from condensation.stages.process import keep_freed_memory

ResultT = TypeVar("ResultT")


class Worker:
    """A process that calls functions for its owner and ends with it, however that ends; it writes to ``log``."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._log = log
        self._process = spawn.Process(target=_serve, args=(theirs, log), daemon=True)
        self._process.start()
        theirs.close()

    def call(self, function: Callable[..., ResultT], *arguments: Any) -> ResultT:
        """What the function returns there; an InputError comes as one, anything else as a RuntimeError.

        ProcessDiedError when the process does not live to answer.
        """
        try:
            self._pipe.send((function, arguments))
            done, value = self._pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise ProcessDiedError(f"the process that works for this one died; {self._log} holds its words") from None
        if done:
            result: ResultT = value
            return result
        kind, message = value
        raise InputError(message) if kind == "InputError" else RuntimeError(f"{kind}: {message}")

    @property
    def lives(self) -> bool:
        """Whether it can be called."""
        return self._process.is_alive()

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


class Workers:
    """A worker for each room of methods, started when it is called first and anew when it died."""

    def __init__(self, logs: Path) -> None:
        self._logs, self._workers = logs, dict[str, Worker]()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self._workers.values():
            worker.stop()

    def of(self, room: str) -> Worker:
        """The worker of a room: selection, pytorch or tfkeras."""
        if room not in self._workers or not self._workers[room].lives:
            self._workers[room] = Worker(self._logs / f"{room}-{os.getpid()}.log")
        return self._workers[room]


def _serve(pipe: Connection, log: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the owner decides
    threading.Thread(target=_end_with_the_owner, daemon=True).start()
    _write_to(log)
    keep_freed_memory()
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((True, function(*arguments)))
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)
            pipe.send((False, (type(error).__name__, str(error))))


def _end_with_the_owner() -> None:
    owner = multiprocessing.parent_process()
    assert owner is not None
    owner.join()
    os._exit(1)


def _write_to(log: Path) -> None:
    """Send what this process and its libraries print to a file."""
    file = log.open("a", buffering=1)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(file.fileno(), stream.fileno())
    faulthandler.enable(file)
