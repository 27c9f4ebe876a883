"""Workers on the machines of a Ray cluster.

The machines need this package installed, and the folders that the work reads and writes at the same paths (a shared
file system).
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from followyouremoji.errors import SettingsError, first_line
from followyouremoji.executors.base import ONE_THREAD, WorkerLost
from followyouremoji.executors.pool import Job, Pool, RemoteWorker

LOCAL = "local"
"""The address that starts Ray on this machine alone, for trying out."""

ANSWER = 5.0
"""Seconds that the head node may take to answer."""


class RayCluster(Pool["Actor"]):
    """An executor of one worker for each processor of a Ray cluster, or for each of its GPUs.

    Parameters
    ----------
    address : "auto" finds the cluster that this machine belongs to; a head node's address, such as ``10.0.0.1:6379`` or
        ``ray://10.0.0.1:10001``; "local" starts Ray here. Not used where this process is connected to a Ray already.
    gpus : GPUs that a worker sees, which may be a part of one; 0 for work on processors alone; None for one each where
        the cluster has GPUs

    A worker has a processor besides its GPU. What the items of a map have in common is sent to each machine once. A
    worker is lost with its machine through no fault of its item, so items are tried more often than on one machine.

    Raises
    ------
    SettingsError : when its block begins: Ray is not installed, no cluster answers at the address, or it has no
        processor or GPU.
    """

    attempts = 4

    def __init__(self, address: str = "auto", gpus: float | None = 0) -> None:
        super().__init__(0)
        self._address, self._gpus = address, gpus
        self._shared: tuple[Job, Any] | None = None

    def __enter__(self) -> Self:
        self._connection = ExitStack()
        ray = self._ray = self._connection.enter_context(connected(self._address))
        there = ray.cluster_resources()
        if self._gpus is None:
            self._gpus = 1 if there.get("GPU") else 0
        processors = int(there.get("CPU", 0))
        self._count = min(int(there.get("GPU", 0) / self._gpus), processors) if self._gpus else processors
        if self._count < 1:
            self.__exit__()
            lacking = "processor" if processors < 1 else "GPU"
            raise SettingsError(f"The Ray cluster has no {lacking} to work on.")
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__()
        self._shared = None
        self._connection.close()

    def _start(self) -> Actor:
        return Actor(self._ray, self._gpus or 0, self._share)

    def _share(self, job: Job) -> Any:
        """A reference to a job in Ray's object store, which each machine fetches once."""
        if self._shared is None or self._shared[0] != job:
            self._shared = job, self._ray.put(job)
        return self._shared[1]

    def _wait(self, workers: Sequence[Actor]) -> list[Actor]:
        by_answer = {worker.pending: worker for worker in workers}
        ready, _ = self._ray.wait(list(by_answer), num_returns=1)
        return [by_answer[answer] for answer in ready]


class Actor:
    """A worker of the cluster."""

    def __init__(self, ray: Any, gpus: float, share: Callable[[Job], Any]) -> None:
        options = {"num_cpus": 1, "num_gpus": gpus, "runtime_env": {"env_vars": ONE_THREAD}}
        self._ray, self._share = ray, share
        self._actor = ray.remote(**options)(RemoteWorker).remote()
        self._job: Job | None = None
        self._shared: Any = None
        self.pending = self._actor.ready.remote()

    def give(self, job: Job, item: bytes) -> None:
        if job is not self._job:
            self._job, self._shared = job, self._share(job)
        self.pending = self._actor.work.remote(self._shared, item)

    def answer(self) -> bytes | None:
        try:
            answer: bytes | None = self._ray.get(self.pending)
        except self._ray.exceptions.RayError as error:
            raise WorkerLost(f"the worker that had it was lost ({type(error).__name__})") from error
        return answer

    def stop(self) -> None:
        self._ray.kill(self._actor)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster while the block lasts, as `RayCluster` describes; where this process is connected
    already, it stays so. Raises SettingsError."""
    try:
        import ray
    except ModuleNotFoundError as reason:
        raise SettingsError(
            "working on a cluster needs Ray: pip install 'followyouremoji[cluster]'"
        ) from reason
    if ray.is_initialized():
        yield ray
        return
    try:
        _reach(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ValueError, RuntimeError, OSError, ray.exceptions.RayError) as reason:
        raise SettingsError(
            f"No Ray cluster was found at `{address}` ({first_line(reason)}). Start one with `ray start --head`, give its "
            f"address, or `{LOCAL}` to try it on this machine."
        ) from reason
    try:
        yield ray
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raise OSError where nothing answers at a host and port: Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=ANSWER).close()
