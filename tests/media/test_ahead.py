"""Streams read ahead and worked off behind, keys foreseen: in order, bounded, errors passed on, no thread left."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from followyouremoji.media.ahead import Behind, Foreseen, ahead


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
    assert list(ahead(range(50), items)) == list(range(50))
    assert list(ahead([], items)) == []
    assert list(ahead([None, None], items)) == [None, None]


def test_no_more_than_the_bound_is_read_and_nothing_before_it_is_asked_for() -> None:
    source = Counted()
    with closing(ahead(source, 3)) as numbers:
        assert source.read == 0
        for number in range(5):
            assert next(numbers) == number
            until(lambda number=number: source.read == number + 4)  # the one in hand, and three ahead
            time.sleep(0.005)
            assert source.read == number + 4


def test_the_source_is_read_and_closed_in_one_other_thread() -> None:
    source = Counted()
    with closing(ahead(source, 2)) as numbers:
        next(numbers)
        assert source.closed_by is None
    assert source.closed_by not in (None, threading.current_thread())
    assert not source.closed_by.is_alive()  # type: ignore[union-attr]


def test_an_iterator_that_was_never_asked_needs_no_closing() -> None:
    source = Counted()
    ahead(source, 2)
    assert source.read == 0


def test_an_error_comes_where_its_item_would_have_come() -> None:
    numbers = ahead(Counted(fails_at=3), 2)
    assert [next(numbers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="disc is gone"):
        next(numbers)
    with pytest.raises(StopIteration):
        next(numbers)


def test_leaving_a_loop_early_ends_the_thread() -> None:
    source = Counted()

    def leave() -> None:
        for number in ahead(source, 2):
            if number == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    until(lambda: source.closed_by is not None)


def test_at_least_one_item() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ahead([], 0)


def test_items_are_worked_off_in_order_behind_who_puts_them() -> None:
    gate, done = threading.Event(), []

    def work(item: int) -> None:
        gate.wait(20)
        done.append((item, threading.current_thread()))

    behind = Behind(work, 10)
    for item in range(5):
        behind.put(item)
    assert done == []
    gate.set()
    behind.finish()
    assert [item for item, _ in done] == list(range(5))
    assert {thread for _, thread in done}.isdisjoint({threading.current_thread()})


def test_putting_waits_where_too_many_wait() -> None:
    gate, put = threading.Event(), []
    behind = Behind(lambda item: gate.wait(20), 2)

    def hand_over() -> None:
        for item in range(6):
            behind.put(item)
            put.append(item)

    thread = threading.Thread(target=hand_over)
    thread.start()
    until(lambda: len(put) == 3)  # one is being worked on, two wait
    time.sleep(0.005)
    assert len(put) == 3
    gate.set()
    thread.join()
    behind.finish()


def test_an_error_of_the_work_is_raised_by_who_hands_over_and_ends_the_work() -> None:
    done = []

    def work(item: int) -> None:
        if item == 1:
            raise OSError("no room")
        done.append(item)

    behind = Behind(work, 1)

    def hand_over() -> None:
        for item in range(100):
            behind.put(item)

    with pytest.raises(OSError, match="no room"):
        hand_over()
    with pytest.raises(OSError, match="no room"):
        behind.finish()
    assert done == [0]


def test_giving_up_leaves_out_what_waits() -> None:
    gate, done = threading.Event(), []

    def work(item: int) -> None:
        gate.wait(20)
        done.append(item)

    behind = Behind(work, 5)
    for item in range(4):
        behind.put(item)
    ending = threading.Thread(target=behind.give_up)
    ending.start()
    until(behind._stopped.is_set)
    gate.set()
    ending.join()
    behind.give_up()  # a second time does no harm
    assert done in ([], [0])


class Squares:
    """Squares a number, and tells which were asked of it and by whose thread."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []

    def __call__(self, number: int) -> int:
        self.asked.append((number, threading.current_thread().name.split("_")[0]))
        if number < 0:
            raise ValueError(f"{number} is too small")
        return number**2


def test_the_next_keys_are_computed_in_a_thread_meanwhile() -> None:
    work = Squares()
    with Foreseen(work, [3, 1, 2, 5], 2) as square:
        assert square(3) == 9
        until(lambda: len(work.asked) == 3)  # before they are asked for
        assert [square(1), square(2), square(5)] == [1, 4, 25]
    assert sorted(work.asked[:3]) == [(1, "foreseen"), (2, "foreseen"), (3, "MainThread")]
    assert work.asked[3] == (5, "foreseen")
    until(lambda: not any(thread.name.startswith("foreseen") for thread in threading.enumerate()))


def test_keys_may_be_left_out_asked_again_or_be_others() -> None:
    with Foreseen(Squares(), range(10), 3) as square:
        asked = [0, 1, 1, 100, 2, 7, 8, 0, 1, 9, 9]
        assert [square(number) for number in asked] == [number**2 for number in asked]


def test_an_error_of_what_is_foreseen_comes_where_it_is_asked_for() -> None:
    work = Squares()
    with Foreseen(work, [2, -1, 5], 1) as square:
        assert square(2) == 4
        until(lambda: len(work.asked) == 2)
        assert square(5) == 25  # nobody asked for -1 yet
        with pytest.raises(ValueError, match="too small"):
            square(-1)


def test_what_one_thread_waits_for_is_not_left_out_by_another() -> None:
    """1 is at hand and 6 waits behind it; who asks for 8 would let 6 go."""
    gate, begun = threading.Event(), threading.Event()

    def slow(number: int) -> int:
        if number == 1:
            begun.set()
            gate.wait(20)
        return number**2

    found: list[int] = []
    with Foreseen(slow, range(20), 1) as square:
        square(0)
        begun.wait(20)
        square(5)
        asking = [threading.Thread(target=lambda n=n: found.append(square(n))) for n in (6, 8)]
        for thread in asking:
            thread.start()
            time.sleep(0.01)
        gate.set()
        for thread in asking:
            thread.join()
    assert sorted(found) == [36, 64]
