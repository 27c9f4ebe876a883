"""A recording of a live portrait: a constant rate made of frames that come when they come."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from followyouremoji.broadcast.output import Moment, Wish
from followyouremoji.media.writing import ClipWriter


class Recording:
    """Frames at the places of their times, on the camera's clock. Where one is missing, the one before is held, so that
    the recording lasts as long as what was seen did, and a clip's sound fits it.

    Parameters
    ----------
    writer : open, and at the recording's rate.
    frame_rate : frames a second.
    still : what is shown until the first frame comes, of the same shape as all frames.
    """

    def __init__(self, writer: ClipWriter, frame_rate: float, still: np.ndarray) -> None:
        self._writer, self._rate, self._held = writer, frame_rate, still

    def show(self, moment: Moment) -> None:
        """See `Output`."""
        self._hold_until(moment.frame.time)
        self._held = moment.frame.picture

    def wishes(self) -> Collection[Wish]:
        """None."""
        return ()

    def finish(self, time: float) -> None:
        """Hold the last frame until `time`, in seconds; one frame is written at least."""
        self._hold_until(max(time, 1 / self._rate))

    def _hold_until(self, time: float) -> None:
        while self._writer.frames_written < round(time * self._rate):
            self._writer.write(self._held)
