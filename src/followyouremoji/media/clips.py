"""Reading clips: streamed frames with true times, a range of them, or resampled to a constant frame rate."""

import os
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from followyouremoji.errors import ClipError
from followyouremoji.media.decoding import ClipInfo, FrameSource, open_clip
from followyouremoji.media.pictures import check_file

__all__ = ["DECODED_AHEAD", "ClipInfo", "ClipReader", "at_constant_rate"]

DECODED_AHEAD = 4
"""Frames that are decoded `ahead` of who looks at them: enough to even out their times, and little memory in high
definition."""


def _last_regular(span: float, frame_rate: float) -> int:
    """The index of the regular time nearest to `span` seconds; of two equally near, the earlier."""
    return max(0, int(np.ceil(span * frame_rate - 0.5 - 1e-6)))


def at_constant_rate(
    frames: Iterable[tuple[float, np.ndarray]], frame_rate: float
) -> Generator[tuple[float, np.ndarray], None, None]:
    """Frames repeated or left out so that they come at a constant rate, from a stream of (seconds, picture) pairs.

    Yields the regular times from the first frame's on, with the picture nearest in time to each; of two equally near,
    the earlier. The last regular time is the one nearest to the last frame's, so the result lasts as long as the frames
    did, to half a frame. Holds two frames at a time.
    """
    begin = 0.0
    shown = 0
    before: tuple[float, np.ndarray] | None = None
    for time, picture in frames:
        if before is None:
            begin = time
        else:
            middle = (before[0] + time) / 2.0
            while begin + shown / frame_rate <= middle + 1e-9:
                yield begin + shown / frame_rate, before[1]
                shown += 1
        before = (time, picture)
    if before is not None:
        while shown <= _last_regular(before[0] - begin, frame_rate):
            yield begin + shown / frame_rate, before[1]
            shown += 1


class ClipReader:
    """A clip, read frame by frame: a video, or an animated GIF, WebP or PNG; a still picture is a clip of one frame.

    A context manager that iterates `(timestamp, picture)`: seconds from the clip's first frame (the clip's, not the
    range's), and uint8 (height, width, 3) RGB, upright, with square pixels, on white where transparent. It may be
    iterated again, from the start. Never more than a few frames are in memory.

    Parameters
    ----------
    path : the clip.
    start, stop : range of frame indices of the file, as in a slice; `stop` None or beyond the end means to the end.
    frame_rate : resample the range to this constant rate, the frame nearest in time for each regular time; by
        default the file's own frames at their own times.

    Attributes
    ----------
    info : `ClipInfo` of the whole file.
    damage : after an iteration, why it ended before the clip did, in words; None if all was read.

    Raises
    ------
    ClipError : no such file, a folder, not a clip, no frame can be decoded, an empty or impossible range.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        start: int = 0,
        stop: int | None = None,
        frame_rate: float | None = None,
    ) -> None:
        self.path = Path(path)
        check_file(self.path, ClipError, "a clip such as an MP4 or a GIF")
        if start < 0 or (stop is not None and stop <= start):
            raise ClipError(
                f"the range of frames {start}:{stop} of {self.path} is empty; frames count from 0 and the end comes "
                "after the start"
            )
        if frame_rate is not None and not 0.0 < frame_rate <= 1000.0:
            raise ClipError(f"a frame rate of {frame_rate} cannot be used; give frames a second, such as 25")
        self.start, self.stop, self.frame_rate = start, stop, frame_rate
        self._source: FrameSource = open_clip(self.path)
        self._running: list[Generator[tuple[float, np.ndarray], None, None]] = []
        if self.info.frames is not None and start >= self.info.frames:
            raise self._starts_too_late(self.info.frames)

    @property
    def info(self) -> ClipInfo:
        return self._source.info

    @property
    def damage(self) -> str | None:
        return self._source.damage

    @property
    def expected_frames(self) -> int | None:
        """How many frames an iteration will yield, for a progress bar; None where the file does not tell."""
        end = self.info.frames
        if self.stop is not None:
            end = self.stop if end is None else min(end, self.stop)
        if end is None:
            return None
        count = end - self.start
        if self.frame_rate is None:
            return count
        return max(1, round((count - 1) / self.info.frame_rate * self.frame_rate) + 1)

    def _starts_too_late(self, frames: int) -> ClipError:
        return ClipError(f"{self.path} has {frames} frames (0 to {frames - 1}), none from {self.start} on")

    def _range(self) -> Generator[tuple[float, np.ndarray], None, None]:
        yielded, seen = False, 0
        decoded = self._source.frames()
        try:
            for time, make_picture in islice(decoded, self.stop):
                seen += 1
                if seen > self.start:
                    yielded = True
                    yield time, make_picture()
        finally:
            decoded.close()
        if not yielded:
            raise self._starts_too_late(seen)

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        frames = self._range()
        if self.frame_rate is not None:
            frames = at_constant_rate(frames, self.frame_rate)
        self._running.append(frames)
        return frames

    def close(self) -> None:
        """Close the file if an iteration of it was left before its end."""
        while self._running:
            self._running.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
