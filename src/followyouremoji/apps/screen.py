"""What a terminal shows of an animation: notes as lines, progress as a bar, and what came of it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Self

from followyouremoji.apps.choices import with_flags
from followyouremoji.apps.output import Advance, note, progress_bar
from followyouremoji.requests.driving import counted
from followyouremoji.requests.events import Event, Note, Outcome, Progress, Stage
from followyouremoji.storage import as_given


class Screen:
    """Shows events, as a context manager: `with Screen() as screen: animate(request, screen)`."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._advance: Advance | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._stack.close()

    def __call__(self, event: Event) -> None:
        match event:
            case Stage():
                self._stack.close()
                self._advance = self._stack.enter_context(progress_bar(event.sentence))
            case Progress() if self._advance is not None:
                self._advance(event.done, event.total)
            case Note():
                note(f"Note: {with_flags(event.sentence, event.settings)}")


def summary(outcome: Outcome) -> str:
    """What was made, as a line."""
    what = counted(outcome.frames)
    if outcome.frames > 1:
        rate = outcome.frame_rate
        what += f", {outcome.frames / rate:.1f} s at {rate:g} frames a second"
    saved = ""
    if outcome.forecast:
        passes = outcome.computed + outcome.forecast
        saved = f", {outcome.computed} of {passes} passes computed and the others forecast"
    sound = ", with sound" if outcome.sound else ""
    return f"{as_given(outcome.path)}: {what}{sound}; made in {outcome.seconds:.0f} s{saved}."
