"""Reading clips: streamed frames with true times, a range of them, or resampled to a constant frame rate."""

from collections.abc import Generator, Iterator
from contextlib import closing
from types import TracebackType
from typing import Self

import numpy as np

from followyouremoji.errors import ClipError
from followyouremoji.media.decoding import ClipInfo, FrameSource, open_clip
from followyouremoji.media.inputs import InputFile, InputSource
from followyouremoji.media.ranges import WHOLE, ClipRange
from followyouremoji.media.timing import Clock, places_in, resample

DECODED_AHEAD = 4
"""Frames that are decoded `ahead` of who looks at them: enough to even out their times, and little memory in high
definition."""

_ROUNDING = 1e-6  # seconds


class ClipReader:
    """A clip, read frame by frame: a video, or an animated GIF, WebP, PNG or AVIF; a still picture is a clip of one
    frame.

    A context manager that iterates `(timestamp, picture)`: seconds from the clip's first frame (the clip's, not the
    range's), and uint8 (height, width, 3) RGB, upright, with square pixels, on white where transparent, all of the
    first one's size. It may be iterated again, from the start. Never more than a few frames are in memory.

    Parameters
    ----------
    source : the clip: a path, its bytes or an open binary file.
    clip_range : the part to read, by default all.
    frame_rate : resample the range to this constant rate, see `timing.resample`; by default the file's own frames at
        their own times.

    Attributes
    ----------
    info : `ClipInfo` of the whole file.
    clock : when its frames are shown.
    span : the range that is read, in frames and in seconds of that clock.
    damage : after an iteration, why it ended before the clip did, in words; None if all was read.
    notes : sentences on what was done about the file's peculiarities; some are known only after an iteration.

    Raises
    ------
    ClipError : no such file, a folder, not a clip, no frame can be decoded, an empty or impossible range.
    """

    def __init__(
        self,
        source: InputSource,
        clip_range: ClipRange = WHOLE,
        frame_rate: float | None = None,
    ) -> None:
        self.file = InputFile.of(source, ClipError, "a clip such as an MP4 or a GIF", "the clip")
        if frame_rate is not None and not 0.0 < frame_rate <= 1000.0:
            raise ClipError(f"a frame rate of {frame_rate} cannot be used; give frames a second, such as 25")
        self.frame_rate = frame_rate
        self._source: FrameSource = open_clip(self.file)
        self._running: list[Generator[tuple[float, np.ndarray], None, None]] = []
        self.span = clip_range.within(self.clock, str(self.file))

    @property
    def info(self) -> ClipInfo:
        return self._source.info

    @property
    def clock(self) -> Clock:
        return self._source.clock

    @property
    def damage(self) -> str | None:
        return self._source.damage

    @property
    def notes(self) -> tuple[str, ...]:
        return self._source.notes

    @property
    def expected_frames(self) -> int:
        """How many frames an iteration will yield, if all can be decoded."""
        if self.frame_rate is None:
            return self.span.after - self.span.first
        return places_in(self.span.stop - self.span.start, self.frame_rate)

    def _range(self) -> Generator[tuple[float, float, np.ndarray], None, None]:
        """Time, duration and picture of the frames in the span; one that is held when it begins, from there on."""
        start, stop = self.span.start, self.span.stop
        begin = self.clock.times[self.span.first] - _ROUNDING
        end = np.append(self.clock.times, np.inf)[self.span.after] - _ROUNDING
        held = None
        decoded = self._source.frames(self.span.first)
        try:
            for time, duration, make_picture in decoded:
                if time < begin:
                    held = make_picture
                    continue
                # Where the range's first frame cannot be decoded, the one before is held.
                if held is not None and time > begin + 2 * _ROUNDING:
                    yield start, min(time, stop) - start, held()
                held = None
                if time >= end:
                    break
                begun = max(time, start)
                yield begun, min(time + duration, stop) - begun, make_picture()
        finally:
            decoded.close()
        if held is not None:
            raise ClipError(
                f"{self.file} is damaged ({self.damage or 'frames cannot be decoded'}): there is nothing to see from {start:.2f} s on"
            )

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        self._running.append(self._frames())
        return self._running[-1]

    def _frames(self) -> Generator[tuple[float, np.ndarray], None, None]:
        with closing(self._range()) as frames:
            if self.frame_rate is None:
                yield from ((time, picture) for time, _, picture in frames)
            else:
                yield from resample(frames, self.frame_rate, self.span.start)

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
