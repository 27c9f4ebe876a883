"""One machine for several visitors: their jobs take turns, see `jobs.queue`, in a thread of the studio.

A job runs whoever looks at it: a page that is loaded anew finds its job as it is. One that has ended is forgotten;
`on_end` has noted what became of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition, Thread

from followyouremoji.errors import SettingsError
from followyouremoji.jobs.queue import Load, Queue
from followyouremoji.jobs.work import Job, Work

MOST_WAITING = 200
"""Jobs of one visitor that may wait at a time; since visitors take turns, nobody else waits longer for them."""
MOST_WAITING_IN_ALL = 2000
LAST_STEP = 0.7
"""Seconds that a job has for the step that it is at, when the studio ends."""
WORKER = "studio"

log = logging.getLogger(__name__)


class Jobs:
    """Runs jobs one after the other in a thread. A context manager; leaving it interrupts what is under way, and what
    waits stays as it is."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._queue = Queue()
        self._jobs: dict[str, tuple[Job, Callable[[Job], None]]] = {}
        self._running: Job | None = None
        self._closed = False
        self._thread = Thread(target=self._serve, name="jobs", daemon=True)
        self._thread.start()

    def __enter__(self) -> Jobs:
        return self

    def __exit__(self, *reason: object) -> None:
        with self._changed:
            self._closed = True
            if self._running is not None:
                self._running.cancelling = True
            self._changed.notify_all()
        self._thread.join(LAST_STEP)

    def submit(self, identity: str, owner: str, work: Work, on_end: Callable[[Job], None]) -> Job:
        """Put a job in its visitor's line. `on_end` is called when it has ended, however.

        Raises SettingsError where too many wait.
        """
        job = Job(identity, owner, work)
        with self._changed:
            self._queue.submit(identity, owner, lambda load: check(load, 1))
            self._jobs[identity] = job, on_end
            self._changed.notify_all()
        return job

    def check_room(self, owner: str, more: int = 1) -> None:
        """Raise SettingsError where some more of a visitor's would be too many to wait."""
        check(self._queue.load(owner), more)

    def find(self, identity: str, owner: str) -> Job | None:
        """A visitor's job that waits or runs."""
        job, _ = self._jobs.get(identity, (None, None))
        return job if job is not None and job.owner == owner else None

    def cancel(self, job: Job) -> None:
        """End a job: at once where it waits, at its next event where it runs."""
        with self._changed:
            job.cancelling = True
            waited = job.state == "waiting"
            if waited:
                self._queue.cancel(job.id, job.owner)
                job.state = "cancelled"
        if waited:
            self._end(job)

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._running is not None

    def place(self, job: Job) -> int:
        """How many jobs are done before a waiting one, the running one included; 0 for one that runs or has ended."""
        entry = self._queue.find(job.id, job.owner)
        return 0 if entry is None else self._queue.place(entry)

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._running = None
                self._changed.wait_for(lambda: self._closed or self._claim())
                job = self._running
                if self._closed or job is None:
                    return
            job.run()
            if job.state == "cancelled" and self._closed:
                job.state = "interrupted"
            self._queue.finish(job.id, WORKER, job.state)
            self._end(job)

    def _claim(self) -> bool:
        entry = self._queue.claim(WORKER)
        if entry is None:
            return False
        self._running, _ = self._jobs[entry.id]
        self._running.state = "running"
        return True

    def _end(self, job: Job) -> None:
        try:
            _, on_end = self._jobs[job.id]
            on_end(job)
        except Exception:  # a full disk, perhaps; others' jobs go on
            log.exception("what became of a job could not be noted")
        with self._changed:
            self._queue.forget(job.id)
            del self._jobs[job.id]


def check(load: Load, more: int) -> None:
    """Raise SettingsError where some more of a visitor's would be too many to wait."""
    if load.own + more > MOST_WAITING:
        already = f" and {load.own} are waiting already" if load.own else ""
        raise SettingsError(
            f"{more} more of your animations cannot wait: up to {MOST_WAITING} may{already}; ask for fewer, or wait for some"
        )
    if load.all + more > MOST_WAITING_IN_ALL:
        raise SettingsError("too many animations are waiting in this studio; come back later")
