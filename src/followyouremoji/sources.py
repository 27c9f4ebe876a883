"""A portrait and a motion from whatever a user has: files, pictures, clips, motions. Needs no torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from followyouremoji.errors import ClipError, FaceNotFound, PictureError, SettingsError
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.motion import MOTION_ENDINGS, Motion
from followyouremoji.face.tracking import TrackingReport, lies, track_motion
from followyouremoji.framing import middle_square
from followyouremoji.media.clips import DECODED_AHEAD, ClipReader
from followyouremoji.media.inputs import InputFile, InputSource
from followyouremoji.media.pictures import (
    LEAST_SIDE,
    on_background,
    read_layers,
    to_layers,
    without_full_opacity,
)
from followyouremoji.media.ranges import WHOLE, ClipRange
from followyouremoji.media.timing import Clock, generated_rate
from followyouremoji.prefetch import prefetch
from followyouremoji.settings import AnimationSettings

Face = int | Literal["all"] | None
"""Which face of a portrait: 1 is the furthest to the left; None the largest."""


@dataclass(frozen=True)
class Tracked:
    """A motion and how it came about; `gaps`, `damage` and `notes` are as in `Prepared`."""

    motion: Motion
    gaps: TrackingReport | None = None
    damage: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Portrait:
    """A picture whose faces are found: uint8 (height, width, 3 or 4), turned upright, and the faces' landmarks in it,
    from left to right. `source` names it in messages, and `remarks` are sentences on it for users."""

    layers: np.ndarray
    faces: tuple[Landmarks, ...]
    source: str = "the portrait"
    remarks: tuple[str, ...] = ()

    @cached_property
    def picture(self) -> np.ndarray:
        """On white where it is transparent: uint8 (height, width, 3)."""
        return on_background(self.layers)

    @cached_property
    def opacity(self) -> np.ndarray | None:
        """uint8 (height, width); None where all of it is opaque."""
        return np.ascontiguousarray(self.layers[..., 3]) if self.layers.shape[2] == 4 else None

    @property
    def largest(self) -> int:
        """The number of the largest face."""
        return largest_face(self.faces)

    def numbers(self, face: Face) -> Sequence[int]:
        """The numbers that a user means, from 1 on. Raises FaceNotFound for one that is not there."""
        if face == "all":
            return range(1, len(self.faces) + 1)
        if face is None:
            return [self.largest]
        if not 1 <= face <= len(self.faces):
            found = "1 face was" if len(self.faces) == 1 else f"{len(self.faces)} faces were"
            raise FaceNotFound(
                f"In {self.source}: Face {face} was asked for, but only {found} found; they count from left to right, from 1."
            )
        return [face]

    def notes(self, numbers: Collection[int]) -> tuple[str, ...]:
        """What a user should know of how these faces were found."""
        landmarks = [self.faces[number - 1] for number in numbers]
        doubtful = next((one for one in landmarks if one.doubtful), landmarks[0])
        return (*notes_on_landmarks(doubtful, self.source), *self.remarks)


def largest_face(faces: Sequence[Landmarks]) -> int:
    """The number, from 1 on, of the face with the longest side in pixels."""
    sides = [float(np.ptp(face.points, axis=0).max()) for face in faces]
    return 1 + sides.index(max(sides))


PortraitSource = np.ndarray | Image.Image | InputSource
MotionSource = Motion | PortraitSource


def as_layers(source: PortraitSource, what: str) -> np.ndarray:
    """A picture from an array, a Pillow image, a path, bytes or an open file; `what` names it in messages. Raises
    PictureError.

    Returns uint8 (height, width, 4) where some of it is transparent, else (height, width, 3).
    """
    if isinstance(source, Image.Image):
        source = to_layers(source)
    if not isinstance(source, np.ndarray):
        return read_layers(source, what)
    if source.dtype != np.uint8:
        raise PictureError(f"{what} must be an array of bytes (0 to 255), not {source.dtype} values")
    if source.ndim != 3 or source.shape[2] not in (3, 4):
        raise PictureError(
            f"{what} must have the shape (height, width, 3) or (height, width, 4), not {source.shape}"
        )
    if min(source.shape[:2]) < LEAST_SIDE:
        raise PictureError(
            f"{what} is too small: {source.shape[1]}x{source.shape[0]} pixels, at least {LEAST_SIDE} a side are needed"
        )
    return without_full_opacity(source)


def as_picture(source: PortraitSource, what: str) -> np.ndarray:
    """`as_layers`, on white where the picture is transparent: uint8 (height, width, 3)."""
    return on_background(as_layers(source, what))


def find_portrait(
    detector: FaceDetector,
    layers: np.ndarray,
    source: str,
    wanted: Collection[Face] = (None,),
) -> Portrait:
    """Find the faces of a portrait, which `source` names in messages, and turn the picture upright by them.

    Where the largest face alone is `wanted`, others are not searched for: those are known that are seen at first sight.
    Raises FaceNotFound where there is no face.
    """
    try:
        upright, faces = find_faces(detector, layers, source, search=set(wanted) != {None})
    except FaceNotFound as reason:
        raise FaceNotFound(f"{reason} Or place points on the face by hand.", settings=("points",)) from reason
    return Portrait(upright, tuple(faces), source)


def choose_faces(found: Portrait, wanted: Iterable[Face], settings: AnimationSettings) -> dict[int, Face]:
    """The numbers of the faces that a user means, from left to right, each with how it was named.

    Raises FaceNotFound for a face that is not there, and SettingsError for one that is named twice, or where `settings`
    ask for no crop and the face is not in the middle square, or there are several: that should not cost the tracking of
    a clip.
    """
    chosen: dict[int, Face] = {}
    for face in wanted:
        for number in found.numbers(face):
            if number in chosen:
                raise SettingsError(
                    f"Face {number} of {found.source} is named twice: name each face once.",
                    settings=("faces",),
                )
            chosen[number] = face
    if not chosen:
        raise SettingsError("No face is named that is to move.", settings=("faces",))
    if len(chosen) > 1:
        for name, what in (("crop", "is cropped"), ("paste_back", "is put back into the picture")):
            if getattr(settings, name) is False:
                raise SettingsError(
                    f"Of several faces each is animated in a square of its own, which {what}: leave that setting out, or animate one face.",
                    settings=(name,),
                )
    elif settings.crop is False:
        face_alone = found.faces[min(chosen) - 1]
        middle_square(face_alone.size, face_alone.points)
    return dict(sorted(chosen.items()))


def detect(detector: FaceDetector, picture: np.ndarray, face: int | None, source: str) -> Landmarks:
    """The landmarks of a picture's face, whichever way up it is; a FaceNotFound names the picture."""
    try:
        return detector.detect(picture, face, any_turn=True)
    except FaceNotFound as reason:
        raise FaceNotFound(f"In {source}: {reason}") from reason


def find_faces(
    detector: FaceDetector, layers: np.ndarray, source: str, search: bool = True
) -> tuple[np.ndarray, list[Landmarks]]:
    """All faces of a picture uint8 (height, width, 3 or 4), which `source` names in messages: the picture, turned
    upright by them, and the landmarks of each in it, from left to right, as they are numbered from 1.

    See `FaceDetector.detect_all` for which faces count, and what `search` is. Raises FaceNotFound where there is none.
    """
    try:
        found = detector.detect_all(on_background(layers), any_turn=True, search=search)
    except FaceNotFound as reason:
        raise FaceNotFound(f"In {source}: {reason}") from reason
    return np.ascontiguousarray(np.rot90(layers, found[0].quarter_turns)), found


def notes_on_landmarks(landmarks: Landmarks, source: str) -> tuple[str, ...]:
    """What a user should know of how a picture's face was found."""
    notes = []
    if landmarks.quarter_turns:
        notes.append(f"The face {lies(landmarks.quarter_turns)} in {source}: the picture was turned upright.")
    if landmarks.doubtful:
        notes.append(
            f"What was found in {source} may be no face, or one that is hard to read, such as an animal's or a strong profile: look at a "
            "preview of the landmarks."
        )
    return tuple(notes)


def read_motion(
    source: MotionSource,
    detector: FaceDetector,
    face: int | None = None,
    clip_range: ClipRange = WHOLE,
    frame_rate: float | None = None,
) -> Tracked:
    """A motion from whatever a user may have: see `prepare`. A `Motion` is taken as it is."""
    if isinstance(source, Motion):
        return Tracked(source)
    if isinstance(source, (np.ndarray, Image.Image)):
        picture = as_picture(source, "the driving picture")
        still, notes = _still(detector, picture, face, "the driving picture")
        return Tracked(still, notes=notes)
    if isinstance(source, (str, os.PathLike)) and Path(source).suffix.lower() in MOTION_ENDINGS:
        return Tracked(cut_motion(Motion.read(Path(source)), str(source), clip_range, frame_rate))
    return track_file(source, detector, face, clip_range=clip_range, frame_rate=frame_rate)


def cut_motion(
    motion: Motion, source: str, clip_range: ClipRange = WHOLE, frame_rate: float | None = None
) -> Motion:
    """A range of a motion at a rate, by default its own or a whole fraction of it, see `generated_rate`; raises
    ClipError, naming `source`, where it has none of the range."""
    span = clip_range.within(
        Clock.of(motion.timestamps - motion.timestamps[0], 1 / motion.frame_rate), source
    )
    return motion[span.first : span.after].at_rate(generated_rate(motion.frame_rate, frame_rate))


def track_file(
    source: InputSource,
    detector: FaceDetector,
    face: int | None = None,
    smooth: float = 1.0,
    clip_range: ClipRange = WHOLE,
    frame_rate: float | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> Tracked:
    """The motion in a range of a clip, or the one pose of a picture.

    A clip is read at a constant rate, by default its own or a whole fraction of it (see `generated_rate`), frame by
    frame and never held in memory, while a thread decodes ahead; what is tracked in it is smoothed with the strength
    `smooth`. `advance` is called with the number of frames followed, and of all.

    Raises ClipError for a file that cannot be used, and FaceNotFound where no frame has a face.
    """
    file = InputFile.of(source, ClipError, "a clip such as an MP4 or a GIF", "the driving clip")
    with ClipReader(file, clip_range) as clip:
        if clip.info.frames == 1:
            _, picture = next(iter(clip))
            still, notes = _still(detector, picture, face, str(file))
            return Tracked(still, None, clip.damage, (*clip.notes, *notes))
        rate = generated_rate(clip.info.frame_rate, frame_rate)
    with ClipReader(file, clip_range, rate) as clip, closing(prefetch(clip, DECODED_AHEAD)) as decoded:
        expected = clip.expected_frames

        def counted() -> Iterator[tuple[float, np.ndarray]]:
            for count, frame in enumerate(decoded, 1):
                yield frame
                if advance is not None:
                    advance(count, expected)

        motion, gaps = track_motion(counted(), rate, detector, str(file), face, any_turn=True)
        return Tracked(motion.smoothed(smooth), gaps, clip.damage, clip.notes)


def _still(
    detector: FaceDetector, picture: np.ndarray, face: int | None, source: str
) -> tuple[Motion, tuple[str, ...]]:
    """The one pose of a picture, and what a user should know of it."""
    found = detect(detector, picture, face, source)
    return still_motion(found, source), notes_on_landmarks(found, source)


def still_motion(landmarks: Landmarks, source: str) -> Motion:
    """A motion of one frame, the pose of a face; `source` names it in messages."""
    return Motion(
        landmarks=landmarks.normalised[None],
        timestamps=np.zeros(1),
        frame_rate=25.0,
        size=landmarks.size,
        source=source,
        found=np.ones(1, bool),
        blendshapes=None if landmarks.blendshapes is None else landmarks.blendshapes[None],
        quarter_turns=landmarks.quarter_turns,
    )


def named(source: PortraitSource, otherwise: str) -> str:
    """What a picture is called in messages: its path, or `otherwise`."""
    return str(source) if isinstance(source, (str, os.PathLike, InputFile)) else otherwise
