"""When finished frames are handed out: in order, at the rate at which their pictures came, rather dropped than late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

LiveState = Literal["calibrating", "live", "held"]
"""What frames show: the rest is not known yet; the face as it moves; no face is seen, and the last pose stays."""

LATEST = 0.5
"""Seconds from a picture's push after which its frame is dropped where a later one is ready."""

HELD_BACK = 0.75
"""Of the time between two pictures, what lies at least between their frames. So one that comes late holds back those
after it, which nearly keep their rate, and a second makes up for a quarter."""

RECENT = 3.0
"""Seconds that the figures are of."""


@dataclass(frozen=True)
class LiveFrame:
    """One frame.

    Attributes
    ----------
    picture : uint8 (height, width, 3), of a transparent portrait (height, width, 4)
    time : seconds on the source's clock: of the pushed picture that it answers
    latency : seconds from that picture's push until this frame was handed out
    state : see `LiveState`
    """

    picture: np.ndarray
    time: float
    latency: float
    state: LiveState


@dataclass(frozen=True)
class LiveFigures:
    """How a session does.

    Attributes
    ----------
    state : of the last frame
    rate : frames handed out a second, of the last seconds
    latency, slow_latency : seconds, the median and the 95th percentile of the last seconds; 0 while there are none
    pushed, delivered, dropped : pictures in all, frames handed out, and pictures that have none
    """

    state: LiveState
    rate: float
    latency: float
    slow_latency: float
    pushed: int
    delivered: int
    dropped: int


@dataclass(frozen=True)
class Finished:
    """A frame that is ready; `time` is its picture's on the source's clock, `pushed` when that came."""

    picture: np.ndarray
    time: float
    pushed: float
    state: LiveState


class Pacing:
    """Keeps finished frames until it is their time. All times but the source's are of one clock, in seconds."""

    def __init__(self) -> None:
        self._ready: deque[tuple[float, Finished]] = deque()
        self._last: tuple[float, float] | None = None  # when the last frame is due, and its time
        self._handed_out: deque[tuple[float, float]] = deque()  # when, and their latencies
        self._began: float | None = None
        self._state: LiveState = "calibrating"
        self.delivered = self.dropped = 0

    def add(self, frame: Finished, now: float) -> None:
        """A frame is ready, a later one than all before."""
        due = now
        if self._last is not None:
            before, time = self._last
            due = max(due, min(before + HELD_BACK * (frame.time - time), frame.pushed + LATEST))
        self._last = due, frame.time
        self._ready.append((due, frame))
        self._drop_late(now)

    @property
    def next_due(self) -> float | None:
        """When the next frame is; None where there is none."""
        return self._ready[0][0] if self._ready else None

    def take(self, now: float) -> list[LiveFrame]:
        """The frames that are due."""
        self._drop_late(now)
        taken = []
        while self._ready and self._ready[0][0] <= now:
            _, frame = self._ready.popleft()
            latency = now - frame.pushed
            self._began = now if self._began is None else self._began
            self._handed_out.append((now, latency))
            self._state = frame.state
            taken.append(LiveFrame(frame.picture, frame.time, latency, frame.state))
        self.delivered += len(taken)
        self._forget(now)
        return taken

    def figures(self, now: float, pushed: int, dropped: int) -> LiveFigures:
        """Of so many pictures `pushed`, of which `dropped` did not come here."""
        self._forget(now)
        latencies = [latency for _, latency in self._handed_out] or [0.0]
        median, slow = np.percentile(latencies, (50, 95))
        seconds = RECENT if self._began is None else min(max(now - self._began, 1.0), RECENT)
        return LiveFigures(
            self._state,
            len(self._handed_out) / seconds,
            float(median),
            float(slow),
            pushed,
            self.delivered,
            dropped + self.dropped,
        )

    def _forget(self, now: float) -> None:
        while self._handed_out and self._handed_out[0][0] <= now - RECENT:
            self._handed_out.popleft()

    def _drop_late(self, now: float) -> None:
        while len(self._ready) > 1 and now - self._ready[0][1].pushed > LATEST:
            self._ready.popleft()
            self.dropped += 1
