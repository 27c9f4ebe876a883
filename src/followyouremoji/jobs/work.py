"""A piece of work that runs: what it tells meanwhile, and how it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Literal

import numpy as np

from followyouremoji.crashes import sentence
from followyouremoji.errors import UserError
from followyouremoji.requests.events import Event, Frame, Note, OnEvent, Progress, Stage

JobState = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
UNDER_WAY: tuple[JobState, ...] = ("waiting", "running")
Work = Callable[[OnEvent], None]

log = logging.getLogger(__name__)


class Cancelled(Exception):
    """Ends a job that is not wanted any more."""


@dataclass(eq=False)
class Job:
    """A piece of work of an owner, and what it tells; reading it needs no lock.

    Attributes
    ----------
    stage : a sentence on what is being done
    done, total : of the stage, as `requests.events.Progress`
    began : when the stage began, `time.monotonic`
    frame, number : the latest frame uint8 (height, width, 3 or 4), and its number; -1 before the first
    error : in a user's words, where it failed
    error_settings : names of those that it is about
    fault : whether it failed by an error that nobody foresaw, which is logged
    """

    id: str
    owner: str
    work: Work
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
    fault: bool = False
    cancelling: bool = False

    @property
    def seconds_left(self) -> float | None:
        """Of the stage, as it went so far; None where that is not known."""
        if self.state != "running" or not self.total or self.done < 1:
            return None
        return (monotonic() - self.began) * (self.total - self.done) / self.done

    def on_event(self, event: Event) -> None:
        """Take up what the work tells; raises Cancelled where that was asked for."""
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

    def run(self) -> None:
        """Do the work; its state is that of the end. Raises nothing that the work raises: other jobs go on."""
        self.state = "running"
        try:
            self.work(self.on_event)
            self.state = "done"
        except Cancelled:
            self.state = "cancelled"
        except UserError as error:
            self.error, self.error_settings, self.state = str(error), error.settings, "failed"
        except Exception as error:  # a fault of ours
            log.exception("a job failed")
            self.error, self.state, self.fault = sentence(error), "failed", True
