"""The part that executors with several workers share: who works on what, and what happens when a worker is lost."""

from __future__ import annotations

import pickle
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Protocol, Self, TypeVar

from followyouremoji.executors.base import Item, Outcome, Resource, Result, Worker, WorkerLost

WHY_LOST = "; most often memory ran out, or a damaged file breaks its decoder"


@dataclass(frozen=True)
class Job:
    """A pickled function with its pickled resource, as workers get it once for all items of a map."""

    function: bytes
    resource: bytes


@dataclass(frozen=True)
class Task(Generic[Item]):
    """An item, and how often it is tried with this time."""

    item: Item
    attempt: int = 1


class WorkerHandle(Protocol):
    """What the pool holds of a worker elsewhere."""

    def give(self, job: Job, item: bytes) -> None:
        """Have it work on a pickled item."""

    def answer(self) -> bytes | None:
        """The answer, waited for: pickled value and error of an item, or None when it is ready for the first one.

        Raises WorkerLost, saying how it ended, where the worker has ended."""

    def stop(self) -> None:
        """End it at once, whatever it works on."""


Handle = TypeVar("Handle", bound=WorkerHandle)


class Pool(ABC, Generic[Handle]):
    """An executor of up to `count` workers, which start as items need them and stay for the next map.

    A worker that ends under an item is replaced, and the item tried `attempts` times in all. Maps may run beside each
    other, each with workers of its own.
    """

    attempts = 2

    def __init__(self, count: int) -> None:
        self._count = count
        self._idle: list[Handle] = []
        self._workers: list[Handle] = []
        self._resource: tuple[Resource | None, bytes] = None, pickle.dumps(None)  # and pickled, once

    @abstractmethod
    def _start(self) -> Handle:
        """A new worker, which answers None when it is ready."""

    @abstractmethod
    def _wait(self, workers: Sequence[Handle]) -> list[Handle]:
        """Those of the workers that have an answer or have ended, waited for until there is one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop(list(self._workers))

    def map(
        self, function: Callable[..., Result], items: Iterable[Item], resource: Resource | None = None
    ) -> Generator[Outcome[Item, Result], None, None]:
        """See `Executor.map`. Raises WorkerLost where workers end before they are ready."""
        if resource is not self._resource[0]:
            self._resource = resource, pickle.dumps(resource)
        job, rest = Job(pickle.dumps(function), self._resource[1]), iter(items)
        tasks: deque[Task[Item]] = deque()
        busy: dict[Handle, Task[Item] | None] = {}  # None: a worker that starts
        done: deque[Outcome[Item, Result]] = deque()
        failed_starts = 0
        try:
            while True:
                tasks.extend(Task(item) for item in islice(rest, max(self._count - len(tasks), 0)))
                self._hand_out(job, tasks, busy)
                while done:
                    yield done.popleft()
                if not tasks and not any(busy.values()):
                    return
                for worker in self._wait(list(busy)):
                    task = busy[worker]
                    try:
                        answer = worker.answer()
                    except WorkerLost as lost:
                        self._stop([worker])
                        if task is None:
                            failed_starts += 1
                            if failed_starts == self.attempts * self._count:
                                raise WorkerLost(f"{lost} before it could begin{WHY_LOST}") from lost
                        elif task.attempt == self.attempts:
                            error = WorkerLost(f"{lost}, {self.attempts} times{WHY_LOST}")
                            done.append(Outcome(task.item, error=error))
                        else:
                            tasks.append(Task(task.item, task.attempt + 1))
                    else:
                        failed_starts = 0
                        self._idle.append(worker)
                        if task is not None and answer is not None:
                            done.append(Outcome(task.item, *pickle.loads(answer)))
                    del busy[worker]
        finally:
            self._stop(list(busy))

    def _hand_out(self, job: Job, tasks: deque[Task[Item]], busy: dict[Handle, Task[Item] | None]) -> None:
        """Give tasks to idle workers, and start more workers for the rest of the tasks."""
        while tasks and self._idle:
            worker, task = self._idle.pop(), tasks.popleft()
            busy[worker] = task
            worker.give(job, pickle.dumps(task.item))
        starting = sum(task is None for task in busy.values())
        for _ in range(min(len(tasks) - starting, self._count - len(busy))):
            worker = self._start()
            self._workers.append(worker)
            busy[worker] = None

    def _stop(self, workers: Sequence[Handle]) -> None:
        for worker in workers:
            if worker in self._workers:  # and not stopped with the block already
                self._workers.remove(worker)
                worker.stop()
        self._idle = [worker for worker in self._idle if worker in self._workers]


class RemoteWorker:
    """A worker in a process of its own, whose orders and answers are pickled."""

    def __init__(self) -> None:
        self._worker = Worker()
        self._job: Job | None = None
        self._function: Any = None
        self._resource: Any = None

    def ready(self) -> None:
        """Answers when the process is up."""

    def work(self, job: Job, item: bytes) -> bytes:
        """Pickled value and error; an error has the traceback as a note."""
        try:
            before, self._job = self._job, None  # until both are loaded
            if before is None or job.function != before.function:
                self._function = pickle.loads(job.function)
            if before is None or job.resource != before.resource:
                self._resource = pickle.loads(job.resource)
            self._job = job
            value, error = self._worker.work(self._function, pickle.loads(item), self._resource)
            return pickle.dumps((value, None if error is None else portable(error)))
        except Exception as error:  # one process has what another does not find, or it cannot be sent
            return pickle.dumps((None, portable(error)))


def portable(error: Exception) -> Exception:
    """An error that can be sent to another process, with its traceback as a note."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # it holds what cannot be pickled, or is made of other arguments than its message
        copy = RuntimeError(f"{type(error).__name__}: {error}")
        copy.add_note(error.__notes__[-1])
        return copy
    return error
