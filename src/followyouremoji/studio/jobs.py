"""One machine for several visitors: their jobs take turns, a visitor at a time, not a click at a time.

A job runs in a thread of `Jobs`, whoever looks at it: a page that is loaded anew finds its job as it is. One that has
ended is forgotten; `on_end` has noted what became of it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition, Thread
from time import monotonic
from typing import Literal

import numpy as np

from followyouremoji.crashes import sentence
from followyouremoji.errors import SettingsError, UserError
from followyouremoji.requests.events import Event, Frame, Note, OnEvent, Progress, Stage

JobState = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
Work = Callable[[OnEvent], None]

MOST_WAITING = 200
"""Jobs of one visitor that may wait at a time; since visitors take turns, nobody else waits longer for them."""
MOST_WAITING_IN_ALL = 2000
LAST_STEP = 0.7
"""Seconds that a job has for the step that it is at, when the studio ends."""

log = logging.getLogger(__name__)


class Cancelled(Exception):
    """Ends a job that its visitor does not want any more."""


@dataclass(eq=False)
class Job:
    """A piece of work of a visitor, and what it tells; reading it needs no lock.

    Attributes
    ----------
    stage : a sentence on what is being done
    done, total : of the stage, as `requests.events.Progress`
    began : when the stage began, `time.monotonic`
    frame, number : the latest frame uint8 (height, width, 3 or 4), and its number; -1 before the first
    error : in a user's words, where it failed
    error_settings : names of those that it is about
    """

    id: str
    owner: str
    work: Work
    on_end: Callable[[Job], None]
    state: JobState = "waiting"
    stage: str = ""
    done: int = 0
    total: int | None = None
    began: float = 0.0
    frame: np.ndarray | None = None
    number: int = -1
    notes: list[Note] = field(default_factory=list)
    error: str | None = None
    error_settings: tuple[str, ...] = ()
    cancelling: bool = False

    @property
    def seconds_left(self) -> float | None:
        """Of the stage, as it went so far; None where that is not known."""
        if self.state != "running" or not self.total or self.done < 1:
            return None
        return (monotonic() - self.began) * (self.total - self.done) / self.done

    def on_event(self, event: Event) -> None:
        """Take up what the work tells; raises Cancelled where the visitor asked for that."""
        if self.cancelling:
            raise Cancelled
        match event:
            case Stage():
                self.stage, self.done, self.total, self.began = event.sentence, 0, None, monotonic()
            case Progress():
                self.done, self.total = event.done, event.total
            case Note():
                self.notes.append(event)
            case Frame():
                self.frame, self.number = event.picture, event.number


class Jobs:
    """Runs jobs one after the other in a thread. A context manager; leaving it interrupts what is under way, and what
    waits stays as it is."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._waiting: dict[str, deque[Job]] = {}  # by visitor, in the order of their turns
        self._jobs: dict[str, Job] = {}
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
        job = Job(identity, owner, work, on_end)
        with self._changed:
            self.check_room(owner)
            self._waiting.setdefault(owner, deque()).append(job)
            self._jobs[identity] = job
            self._changed.notify_all()
        return job

    def check_room(self, owner: str, more: int = 1) -> None:
        """Raise SettingsError where some more of a visitor's would be too many to wait."""
        with self._changed:
            waiting = len(self._waiting.get(owner, ()))
            in_all = sum(map(len, self._waiting.values()))
        if waiting + more > MOST_WAITING:
            already = f" and {waiting} are waiting already" if waiting else ""
            raise SettingsError(
                f"{more} more of your animations cannot wait: up to {MOST_WAITING} may{already}; ask for fewer, or wait for some"
            )
        if in_all + more > MOST_WAITING_IN_ALL:
            raise SettingsError("too many animations are waiting in this studio; come back later")

    def find(self, identity: str, owner: str) -> Job | None:
        """A visitor's job that waits or runs."""
        job = self._jobs.get(identity)
        return job if job is not None and job.owner == owner else None

    def cancel(self, job: Job) -> None:
        """End a job: at once where it waits, at its next event where it runs."""
        with self._changed:
            job.cancelling = True
            waited = job.state == "waiting"
            if waited:
                line = self._waiting[job.owner]
                line.remove(job)
                if not line:
                    del self._waiting[job.owner]
                job.state = "cancelled"
        if waited:
            self._end(job)

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._running is not None

    def place(self, job: Job) -> int:
        """How many jobs are done before a waiting one, the running one included; 0 for one that runs or has ended."""
        with self._changed:
            if job.state != "waiting":
                return 0
            own = self._waiting[job.owner].index(job)
            owners = list(self._waiting)
            before = owners.index(job.owner)
            place = own
            for number, owner in enumerate(owners):
                if owner != job.owner:
                    place += min(len(self._waiting[owner]), own + (number < before))
            return place + (self._running is not None)

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._running = None
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                owner = next(iter(self._waiting))
                line = self._waiting.pop(owner)
                job = line.popleft()
                if line:
                    self._waiting[owner] = line  # at the end: others have their turn first
                job.state, self._running = "running", job
            self._run(job)
            self._end(job)

    def _run(self, job: Job) -> None:
        try:
            job.work(job.on_event)
            job.state = "done"
        except Cancelled:
            job.state = "interrupted" if self._closed else "cancelled"
        except UserError as error:
            job.error, job.error_settings, job.state = str(error), error.settings, "failed"
        except Exception as error:  # a fault of ours; others' jobs go on
            log.exception("a job failed")
            job.error, job.state = sentence(error), "failed"

    def _end(self, job: Job) -> None:
        try:
            job.on_end(job)
        except Exception:  # a full disk, perhaps; others' jobs go on
            log.exception("what became of a job could not be noted")
        with self._changed:
            del self._jobs[job.id]
