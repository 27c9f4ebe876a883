"""Workers that are processes of this machine.

Decoders, face trackers and drawing libraries are C++, and what a damaged file can do to them cannot be caught: in a
process of its own, it ends that process alone.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from followyouremoji.executors.base import ONE_THREAD, WorkerLost
from followyouremoji.executors.pool import Job, Pool, RemoteWorker

_STARTING = threading.Lock()


class Processes(Pool["Process"]):
    """An executor of `count` processes of this machine, of one thread each.

    They are spawned, because neither torch nor MediaPipe survives a fork: a script that uses them begins with
    ``if __name__ == "__main__":``.

    Parameters
    ----------
    gpus : numbers or names of GPUs, as ``CUDA_VISIBLE_DEVICES`` takes them; each process sees one of them, in turns.
        To the functions it is the device "cuda". Empty: all processes see what this one sees.
    """

    def __init__(self, count: int, gpus: Sequence[str] = ()) -> None:
        if count < 1:
            raise ValueError(f"there must be at least one process, not {count}")
        super().__init__(count)
        self._gpus = tuple(gpus)

    def _start(self) -> Process:
        if not self._gpus:
            return Process(None)
        in_use = [worker.gpu for worker in self._workers]
        return Process(min(self._gpus, key=in_use.count))

    def _wait(self, workers: Sequence[Process]) -> list[Process]:
        by_connection: dict[Any, Process] = {worker.connection: worker for worker in workers}
        return [by_connection[connection] for connection in wait(list(by_connection))]


class Process:
    """A process that works on one item after the other."""

    def __init__(self, gpu: str | None) -> None:
        # Forked, a process would have copies of the other processes' pipes, and never see them closed.
        context = get_context("spawn")
        self.connection, far = context.Pipe()
        self.gpu = gpu
        self._job: Job | None = None
        self._process = context.Process(target=_serve, args=(far,), daemon=True)
        variables = ONE_THREAD if gpu is None else {**ONE_THREAD, "CUDA_VISIBLE_DEVICES": gpu}
        with _STARTING, environment(variables), signals_blocked(signal.SIGINT):
            self._process.start()
        far.close()

    def give(self, job: Job, item: bytes) -> None:
        # A process that has ended meanwhile is noticed when its answer is waited for.
        with suppress(OSError):
            self.connection.send((None if job is self._job else job, item))
        self._job = job

    def answer(self) -> bytes | None:
        try:
            answer: bytes | None = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            raise WorkerLost(f"the process that worked on it {how}") from None
        return answer

    def stop(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.join()


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables that a process finds as it starts, before it loads any library; multiprocessing cannot give them."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def signals_blocked(*signals: signal.Signals) -> Iterator[None]:
    """Ctrl-C reaches all processes of a terminal, but the one that gives orders ends the others: a process that starts
    here never sees these signals, and those that come meanwhile are heard afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # which would lift the block as it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection) -> None:
    """In the process: work until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # see `signals_blocked`
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job: Any = None
    worker = RemoteWorker()
    connection.send(None)  # ready
    while True:
        try:
            new_job, item = connection.recv()
        except EOFError:
            return
        job = new_job or job
        connection.send(worker.work(job, item))


def _end_with_parent() -> None:
    """A parent that is killed cannot end its processes itself."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
