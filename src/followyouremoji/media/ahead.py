"""`Foreseen` computes what will be asked for next, in a thread."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import Generic, Self, TypeVar

from followyouremoji.prefetch import prefetch as ahead

__all__ = ["Foreseen", "ahead"]

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


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
