"""What drives a portrait, from whatever a user names: a clip, a motion file, a picture."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from followyouremoji.apps.output import Advance, note, progress_bar
from followyouremoji.errors import ClipError, FaceNotFound, MotionError
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks
from followyouremoji.face.motion import Motion, track_clip
from followyouremoji.media.ahead import ahead
from followyouremoji.media.clips import DECODED_AHEAD, ClipReader
from followyouremoji.preparation import MOTION_ENDING, RELEASED_MOTION_ENDING, read_motion

SIDE_VIEW = 512  # pixels of the longer side of a motion file's drawing beside the result


@dataclass(frozen=True)
class FrameRange:
    """Frames `start` to `stop` of the driving, `stop` not among them; None is the end."""

    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        if self.stop is not None and self.stop <= self.start:
            raise ClipError(
                f"the range of frames {self.start}:{self.stop} is empty; give a --stop that is larger than --start"
            )


class Driving:
    """A driving file, opened and checked, not yet tracked.

    `expected_frames` is the number of frames, None where the file does not tell.

    Raises UserError for a file that cannot be used, before any face is looked for.
    """

    def __init__(self, path: Path, frames: FrameRange) -> None:
        self.path = path
        self.frames = frames
        self.motion: Motion | None = None
        self.is_clip = self.has_sound = False
        self.expected_frames: int | None = 1
        ending = path.suffix.lower()
        if ending == MOTION_ENDING:
            self.motion = self._cut(Motion.load(path))
        elif ending == RELEASED_MOTION_ENDING:
            self.motion = self._cut(Motion.from_release(path))
        else:
            with self._reader() as clip:
                self.is_clip = clip.info.frames != 1
                self.has_sound = clip.info.has_sound
                self.expected_frames = clip.expected_frames
        if self.motion is not None:
            self.expected_frames = len(self.motion)

    @property
    def is_picture(self) -> bool:
        return self.motion is None and not self.is_clip

    @property
    def sound(self) -> Path | None:
        """The file to take sound from."""
        return self.path if self.is_clip and self.has_sound else None

    def track(
        self, detector: FaceDetector, face: int | None, smooth: float, advance: Advance | None = None
    ) -> Motion:
        """The motion; of a clip frame by frame, never held in memory, at a constant rate, and smoothed. A thread decodes ahead.

        Frames without a face and a damaged end are told to the user. A motion file is taken as it is.
        """
        if self.motion is not None:
            return self.motion
        if self.is_picture:
            return read_motion(self.path, detector, face)[0]
        with self._reader() as clip:
            rate = clip.info.frame_rate
        with self._reader(rate) as clip, closing(ahead(clip, DECODED_AHEAD)) as decoded:
            expected = clip.expected_frames

            def counted() -> Iterator[tuple[float, np.ndarray]]:
                for count, frame in enumerate(decoded):
                    yield frame
                    if advance is not None:
                        advance(count + 1, expected)

            motion, gaps = track_clip(counted(), rate, detector, str(self.path), face)
            if clip.damage is not None:
                note(
                    f"Note: {self.path} is damaged ({clip.damage}); the {len(motion)} frames before that are used."
                )
        if str(gaps):
            note(str(gaps))
        return motion.smoothed(smooth)

    def pictures(self, motion: Motion) -> Iterator[np.ndarray]:
        """The driving frames again, one at a time; of a motion file drawings of its landmarks."""
        if self.motion is not None:
            scale = SIDE_VIEW / max(motion.size)
            size = (round(motion.size[0] * scale), round(motion.size[1] * scale))
            style = LandmarkStyle(contour=True, antialiased=True)
            for points in motion.landmarks[..., :2]:
                yield draw_landmarks(points * size, size, style)
            return
        with self._reader(motion.frame_rate if self.is_clip else None) as clip:
            for _, picture in clip:
                yield picture

    def _reader(self, frame_rate: float | None = None) -> ClipReader:
        return ClipReader(self.path, self.frames.start, self.frames.stop, frame_rate)

    def _cut(self, motion: Motion) -> Motion:
        if self.frames.start >= len(motion):
            raise MotionError(
                f"{self.path} has {len(motion)} frames (0 to {len(motion) - 1}), none from {self.frames.start} on"
            )
        return motion[self.frames.start : self.frames.stop]


def detect(detector: FaceDetector, picture: np.ndarray, face: int | None, source: str) -> Landmarks:
    """The landmarks of a picture's face; a FaceNotFound names the picture."""
    try:
        return detector.detect(picture, face)
    except FaceNotFound as reason:
        raise FaceNotFound(f"In {source}: {reason}") from reason


def tracked(
    driving: Driving,
    detector: FaceDetector,
    face: int | None,
    smooth: float,
    beside: Future[Any] | None = None,
) -> Motion:
    """`Driving.track` with a progress bar, broken off where what happens `beside` it fails."""
    with progress_bar(f"Following the face in {driving.path.name}") as advance:

        def checked(done: int, total: int | None) -> None:
            advance(done, total)
            if beside is not None and beside.done():
                beside.result()

        return driving.track(detector, face, smooth, checked)
