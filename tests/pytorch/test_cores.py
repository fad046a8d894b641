"""Work side by side: in order, on one core each, and the threads are given back."""

import threading

import pytest
import torch

from condensation.pytorch.cores import one_core_each, side_by_side


@pytest.fixture(autouse=True)
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_items_and_on_one_core_each():
    meeting = threading.Barrier(3, timeout=20)  # passes only when three are at work at once

    def work(item):
        meeting.wait()
        return item, torch.get_num_threads()

    assert side_by_side(work, [2, 0, 1]) == [(2, 1), (0, 1), (1, 1)]
    assert torch.get_num_threads() == 3


def test_no_more_workers_than_tasks_and_never_none():
    for tasks, expected in ((0, 1), (2, 2), (9, 3)):
        with one_core_each(tasks) as (workers, _):
            assert workers == expected
    assert side_by_side(str, []) == []


def test_an_error_reaches_the_caller_and_the_threads_are_given_back():
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda item: 1 / item, [1, 0])
    assert torch.get_num_threads() == 3
