"""A part of a clip, as users name it: from and to a frame, or a moment."""

import math
import re
from dataclasses import dataclass

import numpy as np

from followyouremoji.errors import ClipError, shown
from followyouremoji.media.timing import Clock

Moment = int | float
"""A place in a clip: an int is the number of a frame, from 0; a float is seconds."""

_FRAME = re.compile(r"\d+")
_SECONDS = re.compile(r"(\d+\.?\d*|\.\d+)\s*s")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d{1,2}(?:\.\d*)?)")
_ROUNDING = 0.0015  # seconds; containers that count milliseconds miss the time of a frame by half of one


def parse_moment(text: str) -> Moment:
    """A frame ("40"), or a time in seconds ("1.5s"), minutes ("0:12") or hours ("1:02:03.5"); raises ClipError."""
    text = text.strip()
    if _FRAME.fullmatch(text):
        return int(text)
    if found := _SECONDS.fullmatch(text):
        return float(found[1])
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = found.groups()
        return int(hours or 0) * 3600.0 + int(minutes) * 60.0 + float(seconds)
    raise ClipError(
        f"{shown(repr(text))} is no place in a clip: give the number of a frame, such as 40, or a time, such as 1.5s or 0:12"
    )


def moment_text(moment: Moment) -> str:
    """A moment as `parse_moment` reads it."""
    return f"{moment:.12g}s" if isinstance(moment, float) else str(moment)


@dataclass(frozen=True)
class Span:
    """A range of a clip that is known: frames `first` to `after`, which is not among them, and seconds `start` to
    `stop` on its clock."""

    first: int
    after: int
    start: float
    stop: float


@dataclass(frozen=True)
class ClipRange:
    """The part of a clip from `start` on, to `stop`, which does not belong to it, or for a `duration`; to the end where
    neither is given. Each is a number of frames (int) or of seconds (float); both kinds may be mixed.

    Raises ClipError for a range that is empty or impossible in any clip.
    """

    start: Moment = 0
    stop: Moment | None = None
    duration: Moment | None = None

    def __post_init__(self) -> None:
        for moment in (self.start, self.stop, self.duration):
            if moment is not None and not (moment >= 0 and math.isfinite(moment)):
                raise ClipError(f"a range of a clip cannot begin or end at {moment}; count from 0")
        if self.stop is not None and self.duration is not None:
            raise ClipError("give where a range ends or how long it is, not both")
        if self.duration is not None and self.duration == 0:
            raise ClipError(f"the range from {moment_text(self.start)} on is empty: its duration is 0")
        if type(self.stop) is type(self.start) and self.stop is not None and self.stop <= self.start:
            raise ClipError(
                f"the range from {moment_text(self.start)} to {moment_text(self.stop)} is empty; its end must come "
                "after its start"
            )

    def __str__(self) -> str:
        if self.duration is not None:
            return f"{moment_text(self.start)} for {moment_text(self.duration)}"
        return f"{moment_text(self.start)} to {'the end' if self.stop is None else moment_text(self.stop)}"

    def within(self, clock: Clock, source: str) -> Span:
        """The range in a clip that is shown by `clock`; raises ClipError, naming `source`, where that has none of it.

        A frame is shown until the next one: the first frame of a range that begins while one is held is that one.
        """
        start = _time_of(self.start, clock)
        if start >= clock.end - _ROUNDING:
            raise ClipError(_starts_too_late(self.start, clock, source))
        if self.stop is not None:
            stop = _time_of(self.stop, clock)
        elif isinstance(self.duration, int):
            first = self.start if isinstance(self.start, int) else _shown_at(start, clock)
            stop = _time_of(first + self.duration, clock)
        else:
            stop = clock.end if self.duration is None else start + self.duration
        stop = min(stop, clock.end)
        if stop <= start + _ROUNDING:
            raise ClipError(f"the range from {self} of {source} is empty; its end must come after its start")
        first = _shown_at(start, clock)
        after = int(np.searchsorted(clock.times, stop - _ROUNDING))
        return Span(first, max(after, first + 1), start, stop)


WHOLE = ClipRange()


def _time_of(moment: Moment, clock: Clock) -> float:
    if isinstance(moment, int):
        return float(clock.times[moment]) if moment < len(clock) else clock.end
    return moment


def _shown_at(time: float, clock: Clock) -> int:
    return max(0, int(np.searchsorted(clock.times, time + _ROUNDING, side="right")) - 1)


def _starts_too_late(start: Moment, clock: Clock, source: str) -> str:
    if isinstance(start, int):
        return f"{source} has {len(clock)} frames (0 to {len(clock) - 1}), none from {start} on"
    return f"{source} lasts {clock.end:.2f} s, there is nothing from {moment_text(start)} on"
