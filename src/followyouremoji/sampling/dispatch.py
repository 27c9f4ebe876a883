"""Parts of a clip on several devices: begun as soon as what they read is there, handed on in the order of the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Worker = TypeVar("Worker")
Result = TypeVar("Result")

AHEAD = 2  # parts a worker: how far the workers go ahead of the first part that is not done


def in_order(
    parts: int,
    workers: Sequence[Worker],
    ready: Callable[[int], bool],
    prepare: Callable[[int, Worker], Callable[[], Result]],
    finished: Callable[[int, Result], None],
) -> Iterator[tuple[int, Result]]:
    """Do `parts` numbered parts and yield each with its result, in order.

    A single worker does them in the caller's thread, one when the next is asked for. Several have a thread each and go
    ahead of what is asked for by at most `AHEAD` parts each, so that little waits.

    Parameters
    ----------
    ready : whether what a part reads is there. It must be once all parts before it are finished.
    prepare : gives the work itself; called in the caller's thread, at most once a part and never before `ready`.
    finished : takes each result, in the caller's thread, in the order in which parts end.

    An error of a part is raised here; parts that run at that time, or when the iterator is closed, are waited for.
    """
    if len(workers) == 1:
        for number in range(parts):
            result = prepare(number, workers[0])()
            finished(number, result)
            yield number, result
        return

    idle, begun, first = list(workers), set[int](), 0
    running: dict[Future[Result], tuple[int, Worker]] = {}
    results: dict[int, Result] = {}
    with ThreadPoolExecutor(len(workers), thread_name_prefix="device") as threads:
        while first < parts:
            for number in range(first, min(parts, first + AHEAD * len(workers))):
                if idle and number not in begun and ready(number):
                    worker = idle.pop(0)
                    begun.add(number)
                    running[threads.submit(prepare(number, worker))] = (number, worker)
            if first in results:
                yield first, results.pop(first)
                begun.discard(first)
                first += 1
                continue
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number, worker = running.pop(future)
                idle.append(worker)
                results[number] = future.result()
                finished(number, results[number])
