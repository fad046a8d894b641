"""Independent work side by side, one core each: small convolutions gain little from a second core."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def blas_on_one_core() -> Iterator[None]:
    """NumPy's and SciPy's products and solutions on one core: on several they are rounded otherwise."""
    with threadpool_limits(1, user_api="blas"):
        yield


@contextmanager
def one_core_each(tasks: int) -> Iterator[tuple[int, ThreadPoolExecutor]]:
    """(how many tasks to do at once, threads to do them in): as many as there are cores, each on one of them.

    So a task's numbers do not depend on how many cores there are.
    """
    cores = torch.get_num_threads()
    workers = max(1, min(cores, tasks))
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(workers) as threads:
            yield workers, threads
    finally:
        torch.set_num_threads(cores)


def side_by_side(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """``function`` of every item, in their order."""
    every = list(items)
    with one_core_each(len(every)) as (workers, threads):
        return list((threads.map if workers > 1 else map)(function, every))
