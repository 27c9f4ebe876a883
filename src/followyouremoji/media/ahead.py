"""Work on two ends of a stream at once: `ahead` reads it in a thread before it is asked for, `Behind` hands it on to
one, and `Foreseen` computes what will be asked for next.

Decoding and encoding spend their time outside Python's lock, and so do detection, drawing and networks; a thread for
each lets them overlap. All hold a bounded number of items, pass errors on, and leave no thread behind.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Queue, SimpleQueue
from threading import Event, Lock, Semaphore, Thread, current_thread
from types import TracebackType
from typing import Generic, Self, TypeVar

__all__ = ["Behind", "Foreseen", "ahead"]

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)

_END = object()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def ahead(iterable: Iterable[Item], items: int) -> Generator[Item, None, None]:
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
    return _ahead(iterable, items)


def _ahead(iterable: Iterable[Item], items: int) -> Generator[Item, None, None]:
    ready: SimpleQueue[object] = SimpleQueue()
    free = Semaphore(items)
    stopped = Event()
    thread = Thread(target=_read, args=(iterable, ready, free, stopped), name="ahead", daemon=True)
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
    except BaseException as error:  # whatever it is, it belongs to who asks for the items
        ready.put(_Failure(error))


class Behind(Generic[Item]):
    """A function called in a thread with one item after another, while who hands them over goes on.

    Parameters
    ----------
    work : called with each item, in order, never twice at once.
    items : that may wait; `put` waits where there are as many.

    After an error of `work` no further item reaches it, and the error is raised by the next `put` or `finish`. Either
    `finish` or `give_up` must be called in the end; both wait for the item at hand and end the thread.
    """

    def __init__(self, work: Callable[[Item], None], items: int) -> None:
        self._work = work
        self._waiting: Queue[object] = Queue(items)
        self._stopped = Event()
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="behind", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over an item. It must not be changed afterwards."""
        self._raise()
        self._waiting.put(item)

    def finish(self) -> None:
        """Wait until all items are worked on."""
        self._end()
        self._raise()

    def give_up(self) -> None:
        """Leave out the items that still wait; errors of `work` are not told any more."""
        self._stopped.set()
        self._end()

    def _end(self) -> None:
        if self._thread.is_alive():
            self._waiting.put(_END)
            self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (item := self._waiting.get()) is not _END:
            if self._stopped.is_set():
                continue  # the items that wait are taken out, so that nobody waits to put one in
            try:
                self._work(item)  # type: ignore[arg-type]
            except BaseException as error:  # it belongs to who hands the items over
                self._error = error
                self._stopped.set()


class Foreseen(Generic[Key, Item]):
    """A function of keys that are asked for in a known order, of which the next are computed in a thread meanwhile.

    Parameters
    ----------
    work : never called twice at once in the thread, but beside it for a key that was not foreseen.
    order : the keys, each once. Any may be left out, or asked for again; others may be asked for between.
    items : how many keys ahead.

    A context manager: what has not begun when it ends is left out, and the item at hand, which nobody waits for, ends
    the thread. An error of `work` is raised where its key is asked for.
    """

    def __init__(self, work: Callable[[Key], Item], order: Iterable[Key], items: int) -> None:
        self._work = work
        self._order = list(order)
        self._place = {key: place for place, key in enumerate(self._order)}
        self._items = items
        self._coming: dict[Key, Future[Item]] = {}
        self._one_at_a_time = Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="foreseen")

    def __call__(self, key: Key) -> Item:
        """What `work` gives for a key; threads wait for each other."""
        with self._one_at_a_time:
            found = self._coming.pop(key, None)
            if key in self._place:
                self._foresee(self._place[key] + 1)
            return self._work(key) if found is None else found.result()

    def _foresee(self, first: int) -> None:
        following = self._order[first : first + self._items]
        for left_out in self._coming.keys() - set(following):
            self._coming.pop(left_out).cancel()
        for key in following:
            if key not in self._coming:
                self._coming[key] = self._thread.submit(self._work, key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
