"""`fye live`: a portrait that moves as somebody before a camera does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from followyouremoji.apps import choices
from followyouremoji.apps.help import examples
from followyouremoji.broadcast.request import LiveRequest
from followyouremoji.options import options
from followyouremoji.settings import AnimationSettings

if TYPE_CHECKING:
    from followyouremoji.broadcast.broadcast import Broadcast, Summary

EPILOG = examples(
    "fye live me.jpg  # your first camera moves the portrait, in a window",
    "fye live me.jpg --record me.mp4  # and what is seen is kept",
    "fye live me.jpg --page --open  # on a page in the browser",
    "fye live me.jpg --virtual-camera  # for calls: choose that camera there",
    "fye live bundled:fox --camera talk.mp4 --size 256  # moved by a clip",
)
LIVE = tuple(name for name, _ in options(LiveRequest) if name != "neutral")
"""Without the number of a clip's relaxed frame, which a camera does not have."""

SETTINGS = ("driving_face", "steps", "guidance_scale", "seed", "crop", "paste_back")


@choices.expanded
def live(
    request: Annotated[LiveRequest, LIVE],
    settings: Annotated[AnimationSettings, SETTINGS],
    browse: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser, where there is one (--page).")
    ] = False,
) -> None:
    """Move PORTRAIT live, as somebody before a camera moves.

    Ctrl-C, or q in the window, ends it and finishes the recording. The space bar calibrates anew: look straight ahead,
    relaxed, for a second.
    """
    from followyouremoji.apps.output import say, status_line
    from followyouremoji.apps.screen import Screen
    from followyouremoji.broadcast.broadcast import Broadcast
    from followyouremoji.broadcast.output import figures_line

    with ExitStack() as stack:
        with Screen() as screen:
            broadcast = stack.enter_context(Broadcast(request, settings, screen))
        ended = stack.enter_context(ending())
        say(where(broadcast))
        if browse and broadcast.address is not None:
            import webbrowser

            webbrowser.open(broadcast.address)
        with status_line() as tell:
            summary = broadcast.run(ended.is_set, lambda figures: tell(figures_line(figures)))
    say(described(summary))


@contextmanager
def ending() -> Iterator[threading.Event]:
    """An event that Ctrl-C, or a signal to end, sets in this block, so that all is finished in order. The second one
    does what it did before."""
    ended = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, end)
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def where(broadcast: Broadcast) -> str:
    """Where the portrait can be watched, and how it is ended."""
    from followyouremoji.broadcast.window import HELP

    line = "Live"
    if broadcast.passed_on is not None:
        line += f", passed on as the camera {broadcast.passed_on}"
    if broadcast.address is not None:
        return f"{line}: {broadcast.address} Ctrl-C ends it."
    if broadcast.shown == "window":
        line += f", in a window: {HELP}"
    return f"{line}. Ctrl-C ends it."


def described(summary: Summary) -> str:
    """What came of it, as a line."""
    from followyouremoji.requests.driving import counted

    relayed = summary.relayed
    line = f"{relayed.seconds:.1f} s: {counted(relayed.delivered)}"
    if relayed.delivered:
        line += f", {relayed.rate:.1f} a second, {relayed.latency:.2f} s behind (95 %: {relayed.slow_latency:.2f} s)"
    if relayed.dropped:
        line += f", {relayed.dropped} left out"
    if summary.recording is not None:
        line += f". {summary.recording}: recorded{' with sound' if summary.sound else ''}"
    return f"{line}."
