"""Clips read ahead of the training, in order: by one thread, or by worker processes."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from followyouremoji.data.source import ClipSource, TrainingClip
from followyouremoji.errors import DataError

AHEAD = 2
"""Batches a worker that are made, or being made, before they are asked for: the bound of what lies in memory."""


def batches(
    source: ClipSource, positions: Iterable[Sequence[int]], frames: int, workers: int = 0
) -> Iterator[list[TrainingClip]]:
    """The clips of each batch of positions, in the order given.

    Parameters
    ----------
    source : gets pickled for worker processes.
    positions : one sequence of positions a batch; may be endless, it is read only as far as is worked ahead.
    frames : of each clip.
    workers : processes that read or draw; 0: one thread of this process.

    An error of the source is raised where its batch would have come. When the iterator is closed or dropped, the workers end.

    Raises
    ------
    DataError : from the source, or a worker was killed.
    """
    pending: deque[Future[list[TrainingClip]]] = deque()
    pool, submit = _pool(source, frames, workers)
    rest = iter(positions)
    try:
        while True:
            while len(pending) < AHEAD * max(workers, 1):
                batch = next(rest, None)
                if batch is None:
                    break
                pending.append(submit(tuple(batch)))
            if not pending:
                return
            yield pending.popleft().result()
    except BrokenProcessPool as reason:
        raise DataError(
            "A process that reads training clips was killed; most often memory ran out. Use fewer workers."
        ) from reason
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


Submit = Callable[[tuple[int, ...]], "Future[list[TrainingClip]]"]


def _pool(source: ClipSource, frames: int, workers: int) -> tuple[Executor, Submit]:
    if workers == 0:
        threads = ThreadPoolExecutor(1, thread_name_prefix="clips")
        return threads, lambda batch: threads.submit(_read, source, frames, batch)
    # Forked processes would share the locks of whatever threads run here.
    processes = ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_begin, initargs=(source, frames)
    )
    return processes, lambda batch: processes.submit(_read_own, batch)


def _read(source: ClipSource, frames: int, batch: tuple[int, ...]) -> list[TrainingClip]:
    return [source.clip(position, frames) for position in batch]


_own: list[tuple[ClipSource, int]] = []
"""In a worker process: its copy of the source, and the frames of a clip."""


def _begin(source: ClipSource, frames: int) -> None:
    """In a worker process: keep the source, leave Ctrl-C to the process that asks, and use one thread, as one worker of many should."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    _own.append((source, frames))


def _read_own(batch: tuple[int, ...]) -> list[TrainingClip]:
    return _read(*_own[-1], batch)
