"""What drives a portrait, from whatever a user names: a clip, a motion file, a picture."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from followyouremoji.apps.output import Advance, counted, note, progress_bar
from followyouremoji.errors import ClipError, MotionError
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks
from followyouremoji.face.motion import MOTION_ENDINGS, Motion
from followyouremoji.media.clips import ClipReader
from followyouremoji.preparation import track_file

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
        self.expected_frames: int | None
        if path.suffix.lower() in MOTION_ENDINGS:
            self.motion = self._cut(Motion.read(path))
            self.expected_frames = len(self.motion)
        else:
            with self._reader() as clip:
                self.is_clip = clip.info.frames != 1
                self.has_sound = clip.info.has_sound
                self.expected_frames = clip.expected_frames

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
        """The motion, see `track_file`; frames without a face and a damaged end are told to the user. A motion file is
        taken as it is."""
        if self.motion is not None:
            return self.motion
        start, stop = self.frames.start, self.frames.stop
        motion, gaps, damage = track_file(self.path, detector, face, smooth, start, stop, advance)
        if damage is not None:
            note(
                f"Note: {self.path} is damaged ({damage}); what comes before that is used: {counted(len(motion))}."
            )
        if gaps is not None and str(gaps):
            note(str(gaps))
        return motion

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
