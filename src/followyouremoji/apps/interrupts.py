"""Ctrl-C that cannot get lost.

Python raises KeyboardInterrupt wherever the main thread happens to be, and there it can get lost: in a bare `except`,
in a finaliser, in a library's own code. PyAV 18 loses one that is pending while it raises an error itself, as it does
at each frame of a GIF: `list(map(operator.call, [_thread.interrupt_main, graph.vpull]))` shows it every time.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 0.5  # seconds
CLOCK = hasattr(signal, "setitimer")  # not on Windows


class Interrupts:
    """Whether Ctrl-C `came`; a signal handler that raises KeyboardInterrupt, and raises it again if it got lost."""

    came = False

    def first(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        sys.excepthook = sys.unraisablehook = ignore
        if CLOCK:
            signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
        raise KeyboardInterrupt

    def again(self, number: int, frame: FrameType | None) -> None:
        """Nothing while it is on its way, when blocks that clear up are running."""
        error = sys.exception()
        while error is not None and not isinstance(error, KeyboardInterrupt):
            error = error.__context__
        if error is None:
            raise KeyboardInterrupt


def ignore(*lost: object) -> None:
    """Instead of printing the traceback of an interruption that got lost, which is raised again."""


_at_hand = Interrupts()
"""Of the block that is run."""


def end_if_pressed() -> None:
    """Raise KeyboardInterrupt where Ctrl-C has come: in a thread that works, which does not hear of it by itself."""
    if _at_hand.came:
        raise KeyboardInterrupt


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Ctrl-C in this block raises KeyboardInterrupt until that leaves the block.

    Nothing changes outside the main thread, and where somebody else handles Ctrl-C or has it ignored, as `nohup` does.
    """
    global _at_hand
    pressed = Interrupts()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield pressed
        return
    hooks = sys.excepthook, sys.unraisablehook
    _at_hand = pressed
    before = {signal.SIGINT: signal.signal(signal.SIGINT, pressed.first)}
    if CLOCK:
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, pressed.again)
    try:
        yield pressed
    finally:
        _at_hand = Interrupts()
        if CLOCK:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.excepthook, sys.unraisablehook = hooks
