"""Work on many clips in processes of this machine.

Every clip is worked on in a process of its own kind, never in the one that gives the orders: decoders and face trackers
are C++, and what a damaged clip can do to them cannot be caught. A process that ends is replaced, and its clip tried
once more.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

Item = TypeVar("Item")

ATTEMPTS = 2
"""How often a clip is tried whose process ends under it."""


def work_locally(
    function: Callable[[Item], None], items: Sequence[Item], processes: int
) -> Iterator[tuple[Item, str | None]]:
    """Call `function`, which must be importable, for every item in one of several processes.

    Yields each item when it is done, in any order, with None, or with the reason where its process ended `ATTEMPTS`
    times. What the function raises is raised here, after the other processes were ended.
    """
    waiting = deque((item, 1) for item in items)
    workers = [_Worker(function) for _ in range(min(processes, len(items)))]
    try:
        while waiting or any(worker.task for worker in workers):
            for worker in workers:
                if worker.task is None and waiting:
                    worker.give(*waiting.popleft())
            busy = {worker.connection: worker for worker in workers if worker.task}
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                assert worker.task is not None
                item, attempt = worker.task
                try:
                    error = worker.result()
                except (EOFError, OSError):
                    reason = worker.ended()
                    workers[workers.index(worker)] = _Worker(function)
                    if attempt < ATTEMPTS:
                        waiting.append((item, attempt + 1))
                    else:
                        yield item, reason
                    continue
                if error is not None:
                    raise error
                yield item, None
    finally:
        for worker in workers:
            worker.stop()


class _Worker(Generic[Item]):
    """A process that works on one item after the other."""

    def __init__(self, function: Callable[[Item], None]) -> None:
        # Forked, a process would have copies of the other processes' pipes, and never see them closed.
        context = get_context("spawn")
        self.connection, far = context.Pipe()
        self.process = context.Process(target=_serve, args=(far, function), daemon=True)
        self.process.start()
        far.close()
        self.task: tuple[Item, int] | None = None

    def give(self, item: Item, attempt: int) -> None:
        self.task = (item, attempt)
        # A process that has ended meanwhile is noticed when its answer is waited for.
        with suppress(OSError):
            self.connection.send(item)

    def result(self) -> BaseException | None:
        error: BaseException | None = self.connection.recv()
        self.task = None
        return error

    def ended(self) -> str:
        """Why the process ended, in words."""
        self.process.join()
        self.connection.close()
        code = self.process.exitcode or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return f"the process that worked on it {how}, {ATTEMPTS} times; most often memory ran out, or the clip breaks its decoder"

    def stop(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join()


def _serve(connection: Connection, function: Callable[[Item], None]) -> None:
    """In the process: work until the other end is closed."""
    # Ctrl-C reaches all processes of a terminal; the one that gives orders ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    single_threaded()
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            function(item)
        except BaseException as error:  # raised again where the orders come from
            connection.send(error)
        else:
            connection.send(None)


def single_threaded() -> None:
    """One of many processes gains nothing by threads of its own."""
    import cv2

    cv2.setNumThreads(1)
