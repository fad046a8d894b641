"""The process that does the work: what it costs, how it is stopped, what it runs on."""

import ctypes
import hashlib
import os
import platform
import shutil
import signal
import threading
import time
from functools import cache
from importlib import metadata
from pathlib import Path
from types import FrameType

import psutil

import condensation
from condensation.core.errors import InputError
from condensation.core.files import canonical_json
from condensation.core.results import Cost


class Meter:
    """Measures a block: ``with Meter() as meter: ...`` and then ``meter.cost()``.

    Peak memory is the resident size of this process, sampled twenty times a second.
    """

    def __enter__(self) -> "Meter":
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        self._process, self._peak, self._done = psutil.Process(), 0, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def _sample(self) -> None:
        while True:
            self._peak = max(self._peak, self._process.memory_info().rss)
            if self._done.wait(0.05):
                return

    def __exit__(self, *_: object) -> None:
        self._seconds, self._cpu_seconds = time.perf_counter() - self._wall, time.process_time() - self._cpu
        self._done.set()
        self._thread.join()

    def cost(self, before: tuple[float, float] = (0.0, 0.0)) -> Cost:
        """What the block took, added to the (wall, CPU) seconds spent before an interruption."""
        return Cost(
            seconds=round(self._seconds + before[0], 3),
            cpu_seconds=round(self._cpu_seconds + before[1], 3),
            peak_memory_mb=round(self._peak / 2**20, 1),
        )


def checkpoint_seconds() -> float:
    """Seconds between two checkpoints: CONDENSATION_CHECKPOINT_SECONDS, or 20."""
    text = os.environ.get("CONDENSATION_CHECKPOINT_SECONDS", "20")
    try:
        return float(text)
    except ValueError:
        raise InputError(f"CONDENSATION_CHECKPOINT_SECONDS is {text!r}; allowed: a number of seconds") from None


def supersede(work: Path) -> None:
    """Remove what other parameters or other code left of the same work: its folders with another key in their name."""
    name, _ = work.name.rsplit("-", 1)
    for other in work.parent.glob(f"{name}-*"):
        if other != work:
            shutil.rmtree(other)


def stop_on_sigterm() -> None:
    """Let SIGTERM end the work as Ctrl-C does: by an exception that closes runs and files."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)


def keep_freed_memory() -> None:
    """Tell glibc to keep freed pages instead of returning them: convolutions on CPU take 0.6 of the time.

    Training allocates and frees the same large buffers at every step; each return to the kernel costs
    page faults. Elsewhere than on glibc this does nothing.
    """
    trim_threshold, top_pad, mmap_threshold, arenas = -1, -2, -3, -8
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    for option, value in ((mmap_threshold, 2**30), (trim_threshold, 2**31 - 1), (top_pad, 2**29), (arenas, 1)):
        mallopt(ctypes.c_int(option), ctypes.c_int(value))


def hardware() -> str:
    """Processor, cores and memory in words."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    memory = psutil.virtual_memory().total / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, no GPU used"


def versions(*libraries: str) -> dict[str, str]:
    """Version of each library that did the work, Python's with them."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in libraries}}


def digest_of(*values: object) -> str:
    """16 hex digits of JSON-like values and of the package's source: work made by other code is never resumed."""
    return hashlib.sha256(canonical_json(values).encode() + _source()).hexdigest()[:16]


@cache
def _source() -> bytes:
    """Digest of the package's source as the process found it, which is what it runs whatever is edited meanwhile."""
    root, digest = Path(condensation.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.digest()
