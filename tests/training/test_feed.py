"""Batches ahead of time: in order, by thread or processes, and what becomes of errors and killed workers."""

import os
import signal
from collections.abc import Generator
from dataclasses import dataclass

import pytest

from followyouremoji.errors import DataError
from followyouremoji.training.feed import Share, feed


@dataclass(frozen=True)
class Numbers:
    """Samples that tell where they belong; one place cannot be read, another kills the process that tries."""

    broken: tuple[int, int] | None = None
    deadly: tuple[int, int] | None = None

    def __call__(self, step: int, index: int) -> list[tuple[int, int]]:
        if (step, index) == self.broken:
            raise DataError(f"clip {index} of step {step} is cut short")
        if (step, index) == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return [(step, index)]


def join(samples: list[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    return [place for sample in samples for place in sample]


def batches(
    make: Numbers, workers: int, share: Share | None = None
) -> Generator[list[tuple[int, int]], None, None]:
    return feed(make, join, share or Share(2), 3, 6, workers)


def test_shares_cover_the_joined_batch_once() -> None:
    parts = [part for process in range(3) for part in Share(12, process, 3, 2).parts()]
    assert [list(part) for part in parts] == [[2 * i, 2 * i + 1] for i in range(6)]


@pytest.mark.parametrize("workers", [0, 2])
def test_parts_come_in_order(workers) -> None:
    source = batches(Numbers(), workers, Share(4, process=1, processes=2, accumulation=2))
    assert list(source) == [[(step, index)] for step in (3, 4, 5) for index in (2, 3)]
    source.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_comes_where_its_batch_would_have(workers) -> None:
    source = batches(Numbers(broken=(4, 1)), workers)
    assert next(source) == [(3, 0), (3, 1)]
    with pytest.raises(DataError, match=r"^clip 1 of step 4 is cut short$"):
        next(source)
    source.close()


def test_a_killed_worker_is_told_in_words() -> None:
    source = batches(Numbers(deadly=(4, 0)), 1)
    with pytest.raises(DataError, match=r"was killed.*use fewer `workers`"):
        list(source)
    source.close()


def test_a_feed_can_be_left_before_its_end() -> None:
    source = batches(Numbers(), 0)
    assert next(source) == [(3, 0), (3, 1)]
    source.close()
    assert list(source) == []
