"""Streams read ahead: in order, bounded, errors passed on, no thread left."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from followyouremoji.prefetch import prefetch


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    until(lambda: threading.active_count() == before)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread is about to do."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Counted:
    """Endless numbers that say how many were read, and whether they were closed and where."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.read = 0
        self.closed_by: threading.Thread | None = None
        self.fails_at = fails_at

    def __iter__(self) -> Iterator[int]:
        try:
            while True:
                if self.read == self.fails_at:
                    raise OSError("the disc is gone")
                self.read += 1
                yield self.read - 1
        finally:
            self.closed_by = threading.current_thread()


@pytest.mark.parametrize("items", [1, 3, 100])
def test_everything_comes_in_order(items: int) -> None:
    assert list(prefetch(range(50), items)) == list(range(50))
    assert list(prefetch([], items)) == []
    assert list(prefetch([None, None], items)) == [None, None]


def test_no_more_than_the_bound_is_read_and_nothing_before_it_is_asked_for() -> None:
    source = Counted()
    with closing(prefetch(source, 3)) as numbers:
        assert source.read == 0
        for number in range(5):
            assert next(numbers) == number
            until(lambda number=number: source.read == number + 4)  # the one in hand, and three ahead
            time.sleep(0.005)
            assert source.read == number + 4


def test_the_source_is_read_and_closed_in_one_other_thread() -> None:
    source = Counted()
    with closing(prefetch(source, 2)) as numbers:
        next(numbers)
        assert source.closed_by is None
    assert source.closed_by not in (None, threading.current_thread())
    assert not source.closed_by.is_alive()  # type: ignore[union-attr]


def test_an_iterator_that_was_never_asked_needs_no_closing() -> None:
    source = Counted()
    prefetch(source, 2)
    assert source.read == 0


def test_an_error_comes_where_its_item_would_have_come() -> None:
    numbers = prefetch(Counted(fails_at=3), 2)
    assert [next(numbers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="disc is gone"):
        next(numbers)
    with pytest.raises(StopIteration):
        next(numbers)


def test_leaving_a_loop_early_ends_the_thread() -> None:
    source = Counted()

    def leave() -> None:
        for number in prefetch(source, 2):
            if number == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    until(lambda: source.closed_by is not None)


def test_at_least_one_item() -> None:
    with pytest.raises(ValueError, match="at least one"):
        prefetch([], 0)
