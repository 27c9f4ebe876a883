"""What drives a portrait, from whatever a user names: a clip, a motion file, a picture."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks
from followyouremoji.face.motion import MOTION_ENDINGS, Motion
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.ranges import WHOLE, ClipRange
from followyouremoji.media.timing import generated_rate
from followyouremoji.requests.events import Note, OnEvent, Progress, Stage, ignore
from followyouremoji.sources import Face, cut_motion, track_file

SIDE_VIEW = 512  # pixels of the longer side of a motion file's drawing beside the result


class Driving:
    """A driving file, opened and checked, not yet tracked; or a motion that is there already.

    `source` is either, and `path` the file or what stands for one in names and messages. `clip_range` is the part of it
    that is used, `frame_rate` the frames a second that are generated, by default as `generated_rate` says;
    `expected_frames` is their number, `notes` what a user should know of the file.

    Raises UserError for a file that cannot be used, before any face is looked for.
    """

    def __init__(
        self, source: Path | Motion, clip_range: ClipRange = WHOLE, frame_rate: float | None = None
    ) -> None:
        self.source = source
        self.path = path = source if isinstance(source, Path) else Path(source.source)
        self.clip_range = clip_range
        self.motion: Motion | None = None
        self.is_clip = self.has_sound = False
        self.expected_frames: int
        self.notes: list[Note] = []
        if isinstance(source, Motion) or path.suffix.lower() in MOTION_ENDINGS:
            whole = source if isinstance(source, Motion) else Motion.read(path)
            own = whole.frame_rate
            self.motion = cut_motion(whole, str(path), clip_range, frame_rate)
            self.expected_frames = len(self.motion)
            self.frame_rate = self.motion.frame_rate
        else:
            with ClipReader(path, clip_range) as clip:
                own = clip.info.frame_rate
                self.frame_rate = generated_rate(own, frame_rate)
                self.is_clip = clip.info.frames != 1
                self.has_sound = clip.info.has_sound
                clip.frame_rate = self.frame_rate if self.is_clip else None
                self.expected_frames = clip.expected_frames
                self.notes += [Note("driving", sentence) for sentence in clip.notes]
        if frame_rate is None and self.frame_rate < own:
            sentence = f"{path} has {own:g} frames a second, of which {self.frame_rate:g} are generated."
            self.notes.append(Note("driving_rate", sentence, ("frame_rate",)))

    @property
    def sound(self) -> Path | None:
        """The file to take sound from."""
        return self.path if self.is_clip and self.has_sound else None

    def track(
        self, detector: FaceDetector, face: int | None, smooth: float, on_event: OnEvent = ignore
    ) -> Motion:
        """The motion, see `track_file`; a motion file is taken as it is.

        Tells what was done about the file's peculiarities, frames without a face and a damaged end, and how far it is.
        """
        on_event(Stage("tracking", f"Following the face in {self.path.name}"))
        for note in self.notes:
            on_event(note)
        if self.motion is not None:
            return self.motion

        def advance(done: int, total: int | None) -> None:
            on_event(Progress(done, total))

        tracked = track_file(self.path, detector, face, smooth, self.clip_range, self.frame_rate, advance)
        known = [note.sentence for note in self.notes]
        for sentence in tracked.notes:
            if sentence not in known:
                on_event(Note("driving", sentence))
        if tracked.damage is not None:
            on_event(
                Note(
                    "driving_damaged",
                    f"{self.path} is damaged ({tracked.damage}); what comes before that is used: "
                    f"{counted(len(tracked.motion))}.",
                )
            )
        if tracked.gaps is not None and str(tracked.gaps):
            on_event(Note("driving_gaps", str(tracked.gaps)))
        return tracked.motion

    def pictures(self, motion: Motion) -> Iterator[np.ndarray]:
        """The driving frames again, upright, one at a time; of a motion file drawings of its landmarks."""
        if self.motion is not None:
            scale = SIDE_VIEW / max(motion.size)
            size = (round(motion.size[0] * scale), round(motion.size[1] * scale))
            style = LandmarkStyle(contour=True, antialiased=True)
            for points in motion.landmarks[..., :2]:
                yield draw_landmarks(points * size, size, style)
            return
        with ClipReader(self.path, self.clip_range, motion.frame_rate if self.is_clip else None) as clip:
            for _, picture in clip:
                yield np.rot90(picture, motion.quarter_turns)


class Drivings:
    """The drivings of a request, each file opened once, whichever faces it drives; `files` are they.

    `frame_rate` is that of the fastest, which all are brought to, and `expected_frames` the number of the longest then.
    Raises UserError for a file that cannot be used.
    """

    def __init__(
        self,
        sources: Mapping[Face, Path | Motion],
        clip_range: ClipRange = WHOLE,
        frame_rate: float | None = None,
    ) -> None:
        opened = {
            source: Driving(source, clip_range, frame_rate) for source in dict.fromkeys(sources.values())
        }
        self.files = tuple(opened.values())
        self._by_face = {face: opened[source] for face, source in sources.items()}
        moving = [driving for driving in self.files if driving.expected_frames > 1]
        self.frame_rate = max(driving.frame_rate for driving in moving or self.files)
        self.expected_frames = max(
            (round(driving.expected_frames * self.frame_rate / driving.frame_rate) for driving in moving),
            default=1,
        )

    @property
    def faces(self) -> Collection[Face]:
        """The faces that are driven, as a user named them."""
        return self._by_face.keys()

    @property
    def sources(self) -> list[Path | Motion]:
        """What each face is driven by, in turn."""
        return [driving.source for driving in self._by_face.values()]

    def of(self, face: int) -> Driving:
        """What drives a face that is driven, by its number."""
        return self._by_face.get(face) or self.files[0]  # of all, or of the largest

    def motions(self, tracked: Sequence[Motion]) -> dict[Face, Motion]:
        """The motions of the `files` by the faces that they drive."""
        return {face: tracked[self.files.index(driving)] for face, driving in self._by_face.items()}


def counted(frames: int) -> str:
    return "1 frame" if frames == 1 else f"{frames} frames"
