"""`prefetch` reads a stream in a thread before it is asked for.

Decoding, detection, drawing and networks spend their time outside Python's lock, so a thread for each stage of a stream
lets them overlap: the thread makes the next items while the caller works on this one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from queue import SimpleQueue
from threading import Event, Semaphore, Thread, current_thread
from typing import TypeVar

Item = TypeVar("Item")

_END = object()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def prefetch(iterable: Iterable[Item], items: int) -> Generator[Item, None, None]:
    """The items of an iterable, in order, read by a thread up to `items` before they are asked for.

    The thread starts with the first item asked for. An error of the iterable is raised where its item would have come.
    Closing the generator, or running it to its end, waits for the item at hand, closes the iterable if it is a
    generator, and ends the thread: use `contextlib.closing` where something that the iterable reads from is closed
    afterwards.

    Only the thread touches the iterable, so nothing else may; and items must not be changed by it once they are handed
    out.

    Raises ValueError if `items` is less than 1.
    """
    if items < 1:
        raise ValueError(f"at least one item must be read ahead, not {items}")
    return _prefetched(iterable, items)


def _prefetched(iterable: Iterable[Item], items: int) -> Generator[Item, None, None]:
    ready: SimpleQueue[object] = SimpleQueue()
    free = Semaphore(items)
    stopped = Event()
    thread = Thread(target=_read, args=(iterable, ready, free, stopped), name="prefetch", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            free.release()
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        free.release()
        if thread is not current_thread():  # which may be the one that clears away a forgotten generator
            thread.join()


def _read(iterable: Iterable[object], ready: SimpleQueue[object], free: Semaphore, stopped: Event) -> None:
    try:
        iterator = iter(iterable)
        try:
            while True:
                free.acquire()
                if stopped.is_set():
                    return
                item = next(iterator, _END)
                ready.put(item)
                if item is _END:
                    return
        finally:
            if isinstance(iterator, Generator):
                iterator.close()
    except BaseException as error:  # raised where the items are asked for
        ready.put(_Failure(error))
