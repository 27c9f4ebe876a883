"""Leaving a run when asked to: a signal lets the step end, the state is saved, and the process says why it left."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STANDARD_ERROR = 2
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """The signal that has come, None until one does; `announce` says whether this process prints that it came."""

    def __init__(self, announce: bool) -> None:
        self.announce = announce
        self.signal: signal.Signals | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """As a signal's handler. A second Ctrl-C ends the process at once."""
        self.signal = signal.Signals(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.announce:  # os.write: a handler may come in the middle of a print
            words = (
                f"{self.signal.name}: the step is ended and saved; Ctrl-C again leaves at once, unsaved.\n"
            )
            os.write(STANDARD_ERROR, words.encode())


@contextmanager
def listening(announce: bool) -> Iterator[Interruption]:
    """Take note of SIGINT and SIGTERM instead of dying of them; outside the main thread, where Python allows no
    handlers, of nothing."""
    interruption = Interruption(announce)
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
