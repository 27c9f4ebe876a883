"""What all executors have in common, and the executor that works in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from followyouremoji.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

Resource = Callable[[], AbstractContextManager[Any]]
"""Makes what a worker keeps from item to item, such as a face detector or an animator on a device."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "OPENCV_FOR_THREADS_NUM": "1"}
"""The environment of workers: where there are many of them, threads of their own would only wait for each other."""


class WorkerLost(UserError):
    """The process that worked on an item ended under it, more than once."""


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """An item that was worked on: with its value, or with the error that was raised or `WorkerLost`."""

    item: Item
    value: Result | None = None
    error: Exception | None = None

    def result(self) -> Result:
        """The value; raises the error instead if there is one, with a note that names the item."""
        if self.error is not None:
            self.error.add_note(f"Raised for the item {self.item!r}")
            raise self.error
        return self.value  # type: ignore[return-value]


class Executor(Protocol):
    """Maps functions over items; a context manager, whose workers end with its block, however that ends."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def map(
        self, function: Callable[..., Result], items: Iterable[Item], resource: Resource | None = None
    ) -> Generator[Outcome[Item, Result], None, None]:
        """Call `function(item)` for every item and yield each outcome as soon as it is there, in any order.

        Parameters
        ----------
        function, items : both can be pickled, and so can what the function returns; a function is found by its name.
            Items are taken from the iterable as they are needed, and work goes no further ahead of the outcomes that
            were fetched than one more for each worker.
        resource : if given, called once by each worker, which then calls `function(item, resource)` with what it
            gives. Workers keep it for the next map with the same one, or one that is pickled to the same bytes.
        """


class Worker:
    """Works on one item after the other in its process, and keeps the resource for the next one."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._recipe: Resource | None = None
        self._resource: Any = None

    def work(
        self, function: Callable[..., Result], item: Item, recipe: Resource | None
    ) -> tuple[Result | None, Exception | None]:
        """What the function returns, and the error that it or the making of the resource raises."""
        try:
            if recipe is None:
                return function(item), None
            if recipe is not self._recipe:
                self.close()
                self._resource = self._stack.enter_context(recipe())
                self._recipe = recipe
            return function(item, self._resource), None
        except Exception as error:  # handed to the caller
            return None, error

    def close(self) -> None:
        self._recipe = self._resource = None
        self._stack.close()


class Local:
    """The executor that works in this process, when the next outcome is asked for; nothing need be picklable."""

    def __init__(self) -> None:
        self._worker = Worker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._worker.close()

    def map(
        self, function: Callable[..., Result], items: Iterable[Item], resource: Resource | None = None
    ) -> Generator[Outcome[Item, Result], None, None]:
        for item in items:
            yield Outcome(item, *self._worker.work(function, item, resource))
