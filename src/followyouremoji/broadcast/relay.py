"""The loop of a live portrait: a camera's pictures into the session, its frames to the outputs."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from followyouremoji.broadcast.output import Moment, Output
from followyouremoji.errors import CameraError
from followyouremoji.media.cameras import LivePictures

if TYPE_CHECKING:
    from followyouremoji.live import LiveFigures, LiveFrame, LiveSession

WAITING = 0.005  # seconds for a frame, before the camera is looked at again
TOLD_EVERY = 0.5  # seconds
LAST_FRAMES = 1.0  # seconds that the answers to a clip's last pictures may take


@dataclass(frozen=True)
class Relayed:
    """What went from a camera to the outputs.

    Attributes
    ----------
    seconds : that were seen, on the camera's clock
    pushed, delivered, dropped : pictures that the session took, frames that it gave, and pictures without one
    latency, slow_latency : seconds from a picture to its frame, the median and the 95th percentile; 0 without frames
    lost : why the camera gives no more pictures; None where it was not the camera that ended it
    """

    seconds: float
    pushed: int
    delivered: int
    dropped: int
    latency: float
    slow_latency: float
    lost: CameraError | None = None

    @property
    def rate(self) -> float:
        """Frames a second, over all of it."""
        return self.delivered / self.seconds if self.seconds > 0 else 0.0


def relay(
    source: LivePictures,
    session: LiveSession,
    outputs: Sequence[Output],
    stopped: Callable[[], bool],
    on_figures: Callable[[LiveFigures], None],
) -> Relayed:
    """Pass on pictures and frames until the source ends, an output wishes the end, or `stopped` says so.

    `on_figures` is told now and then how it goes. Raises what session and outputs raise.
    """
    latencies = array("f")
    seen: np.ndarray | None = None
    clock = answered = seconds = 0.0
    told, over = time.monotonic(), None
    figures, lost = session.figures, None
    wishes: set[str] = set()
    while not stopped() and "end" not in wishes:
        try:
            shot = source.newest()
        except CameraError as reason:
            lost = reason
            break
        frames: list[LiveFrame] = []
        if shot is not None:
            seen, clock, seconds = shot.picture, shot.time, shot.time + 1 / source.frame_rate
            frames = session.push(shot.picture, shot.time)
        if not frames:
            frames = session.take(WAITING)
        if time.monotonic() >= told + TOLD_EVERY:
            told, figures = time.monotonic(), session.figures
            on_figures(figures)
        for frame in frames:
            assert seen is not None  # what the frame answers
            latencies.append(frame.latency)
            answered = frame.time
            for output in outputs:
                output.show(Moment(frame, seen, figures))
        wishes = {wish for output in outputs for wish in output.wishes()}
        if "recalibrate" in wishes:
            session.recalibrate()
        if source.ended:
            over = over or time.monotonic()
            if answered >= clock or time.monotonic() >= over + LAST_FRAMES:
                break
    figures = session.figures
    latency, slow = np.percentile(latencies, (50, 95)) if latencies else (0.0, 0.0)
    return Relayed(
        seconds,
        figures.pushed,
        figures.delivered,
        figures.dropped,
        float(latency),
        float(slow),
        lost,
    )
