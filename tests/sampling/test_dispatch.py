"""Parts on several workers: in order, never before what they read, and without threads left behind."""

import threading
import time

import pytest

from followyouremoji.sampling.dispatch import AHEAD, in_order


class Parts:
    """Parts of which each reads the one at half its number; a worker takes longer for even ones."""

    def __init__(self, broken: int | None = None) -> None:
        self.done: list[int] = []
        self.begun: list[int] = []
        self.broken = broken

    def ready(self, number: int) -> bool:
        return number == 0 or number // 2 in self.done

    def prepare(self, number: int, worker: str):
        assert self.ready(number)
        self.begun.append(number)

        def work() -> tuple[int, bool]:
            if number == self.broken:
                raise ValueError(f"part {number}")
            time.sleep(0.004 if number % 2 == 0 else 0.001)
            return number * number, threading.current_thread() is threading.main_thread()

        return work

    def finished(self, number: int, result: tuple[int, bool]) -> None:
        self.done.append(number)

    def run(self, count: int, workers: list[str]):
        return in_order(count, workers, self.ready, self.prepare, self.finished)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_order_whatever_the_workers(workers: int) -> None:
    parts = Parts()
    results = list(parts.run(20, [f"worker {n}" for n in range(workers)]))
    assert [(number, result[0]) for number, result in results] == [(n, n * n) for n in range(20)]
    assert sorted(parts.begun) == list(range(20))
    assert all(result[1] == (workers == 1) for _, result in results)


def test_a_single_worker_does_no_part_before_it_is_asked_for() -> None:
    parts = Parts()
    stream = parts.run(5, ["one"])
    assert parts.begun == []
    next(stream)
    assert parts.begun == [0]


def test_workers_go_ahead_only_so_far() -> None:
    parts = Parts()
    stream = parts.run(50, ["one", "two"])
    for number, _ in stream:
        assert max(parts.begun) <= number + 2 * AHEAD
        if number == 10:
            break
    stream.close()
    assert len(parts.begun) < 20
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("device")]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_of_a_part_is_raised_and_ends_all(workers: int) -> None:
    parts = Parts(broken=4)
    with pytest.raises(ValueError, match="part 4"):
        list(parts.run(30, [str(n) for n in range(workers)]))
    assert len(parts.begun) <= 4 + AHEAD * workers + 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("device")]
