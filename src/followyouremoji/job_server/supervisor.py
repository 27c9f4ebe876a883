"""Sees that there are workers: starts them, starts another where one died, and has them end."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from followyouremoji.errors import SettingsError
from followyouremoji.executors.processes import environment, signals_blocked
from followyouremoji.job_server.settings import ServerSettings
from followyouremoji.job_server.worker import Order, Post, serve
from followyouremoji.requests.request import ModelChoice

LAST_STEP = 10.0
"""Seconds that a job has for the step that it is at, when it is saved."""
LONGEST_PAUSE = 60.0
"""Seconds before a worker is started that died again and again; the first time it is one."""
EVERY = 0.2  # seconds between looks

log = logging.getLogger(__name__)


@dataclass
class Running:
    """A worker's process. `deaths` are those of its predecessors since one was ready; `refusal` is why the latest of
    them could not work, in a user's words."""

    post: Post
    process: SpawnProcess
    connection: Connection
    ready: bool = False
    deaths: int = 0
    refusal: str | None = None
    again: float = field(default=0.0)
    """When another is started in its place, `time.monotonic`; 0 while it lives."""


class Supervisor:
    """The workers of a server. A thread looks after them from `start` to `end`."""

    def __init__(self, settings: ServerSettings, model: ModelChoice) -> None:
        devices = posts(settings, model)
        self._workers = [
            self._started(Post(number, settings, choice), len(devices))
            for number, choice in enumerate(devices)
        ]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> int:
        """Workers that take jobs."""
        return sum(one.ready and one.process.is_alive() for one in self._workers)

    @property
    def refusal(self) -> str | None:
        """Why no worker can work, in a user's words; None where one can, or may yet."""
        refusals = [one.refusal for one in self._workers]
        return None if None in refusals else refusals[0]

    @property
    def count(self) -> int:
        """Workers that there should be."""
        return len(self._workers)

    def end(self, grace: float, hurry: threading.Event) -> None:
        """Have workers take no more jobs, and end: with the job that they are at in `grace` seconds or until `hurry`
        is set; else it is saved."""
        self._ending.set()
        self._thread.join()
        orders: tuple[tuple[Order, float], ...] = (("finish", grace), ("save", LAST_STEP))
        for order, seconds in orders:
            self._tell(order)
            end = time.monotonic() + seconds
            while self._alive() and time.monotonic() < end and not (order == "finish" and hurry.is_set()):
                wait([one.process.sentinel for one in self._alive()], EVERY)
        for one in self._alive():  # what it was at is claimed at the next start
            one.process.kill()
        for one in self._workers:
            one.process.join()

    def _alive(self) -> list[Running]:
        return [one for one in self._workers if one.process.is_alive()]

    def _tell(self, order: Order) -> None:
        for one in self._alive():
            try:
                one.connection.send(order)
            except OSError:  # it has ended meanwhile
                continue

    def _watch(self) -> None:
        while not self._ending.is_set():
            for number, one in enumerate(self._workers):
                if one.again and time.monotonic() >= one.again:
                    self._start_again(number)
            ends: list[Any] = [one.connection for one in self._workers if not one.again]
            for connection in wait(ends, EVERY) if ends else ():
                self._hear(next(one for one in self._workers if one.connection is connection))
            if not ends:
                self._ending.wait(EVERY)

    def _start_again(self, number: int) -> None:
        one = self._workers[number]
        try:
            started = self._started(one.post, len(self._workers))
        except OSError as reason:  # the machine has no memory for another process
            log.error("%s cannot be started: %s", one.post.name, reason)
            one.again = time.monotonic() + LONGEST_PAUSE
        else:
            started.deaths, started.refusal = one.deaths, one.refusal
            self._workers[number] = started

    def _hear(self, one: Running) -> None:
        try:
            said = one.connection.recv()
        except (EOFError, OSError):
            one.process.join()
            one.ready, one.deaths = False, one.deaths + 1
            pause = min(2.0 ** (one.deaths - 1), LONGEST_PAUSE)
            one.again = time.monotonic() + pause
            if self.refusal is None:
                log.error("%s ended with code %s; another starts", one.post.name, one.process.exitcode)
            return
        if said == "ready":
            one.ready, one.deaths, one.refusal = True, 0, None
        else:
            one.refusal = said
            if self.refusal is None:  # which ends the server, that says it
                log.error("%s cannot work: %s", one.post.name, said)

    @staticmethod
    def _started(post: Post, workers: int) -> Running:
        context = get_context("spawn")
        near, far = context.Pipe()
        process = context.Process(target=serve, args=(post, far), name=post.name, daemon=True)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = os.environ.get("OMP_NUM_THREADS", str(max(1, cores // workers)))
        with environment({"OMP_NUM_THREADS": threads}), signals_blocked(signal.SIGINT, signal.SIGTERM):
            process.start()
        far.close()
        return Running(post, process, near)


def posts(settings: ServerSettings, model: ModelChoice) -> list[ModelChoice]:
    """The model of each worker, on a device of those that are named, in turns. Raises SettingsError where a device
    would have none."""
    devices = [None] if model.device is None else [one.strip() for one in model.device.split(",")]
    count = settings.workers or len(devices)
    if count < len(devices):
        raise SettingsError(
            f"{len(devices)} devices are named for {count} workers: give at least as many workers, or fewer devices",
            settings=["workers", "device"],
        )
    return [replace(model, device=devices[number % len(devices)]) for number in range(count)]
