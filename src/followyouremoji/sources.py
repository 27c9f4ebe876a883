"""A portrait and a motion from whatever a user has: files, pictures, clips, motions. Needs no torch."""

from __future__ import annotations

import os
import weakref
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from followyouremoji.errors import ClipError, FaceNotFound, PictureError
from followyouremoji.face.alignment import Aligned, AlignmentSettings, SolvedMotion, align, measure
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.heads import Room
from followyouremoji.face.motion import MOTION_ENDINGS, Motion
from followyouremoji.face.timeline import looped
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

PortraitSource = np.ndarray | Image.Image | InputSource
MotionSource = Motion | PortraitSource

REMEMBERED = 2
"""Portraits, clips and alignments that a `FaceFinder` remembers."""

ROWS_APART = 64
"""Of the rows that stand for a picture's content before all of it is compared."""


@dataclass(frozen=True)
class Tracked:
    """A motion and how it came about; `gaps`, `damage` and `notes` are as in `Prepared`."""

    motion: Motion
    gaps: TrackingReport | None = None
    damage: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Portrait:
    """A portrait whose face is found: uint8 (height, width, 3 or 4), turned upright, and the face's landmarks in it.

    `notes` are sentences on what a user should know of them.
    """

    layers: np.ndarray
    landmarks: Landmarks
    notes: tuple[str, ...] = ()

    @cached_property
    def picture(self) -> np.ndarray:
        """On white where it is transparent: uint8 (height, width, 3)."""
        return on_background(self.layers)

    @cached_property
    def opacity(self) -> np.ndarray | None:
        """uint8 (height, width); None where all of it is opaque."""
        return np.ascontiguousarray(self.layers[..., 3]) if self.layers.shape[2] == 4 else None


class FaceFinder:
    """Finds the faces of portraits and motions and aligns them, and remembers the latest: with the same picture, clip
    and motion, nothing is detected and no metric face solved again.

    A context manager; several threads may use one. What is remembered of an array is its content, of a file its state,
    and of a `Motion` or `Landmarks` the object, which must not be changed.
    """

    def __init__(self) -> None:
        self._idle: defaultdict[Path | None, list[FaceDetector]] = defaultdict(list)
        weakref.finalize(self, _close, self._idle)  # at the end of the process at the latest
        self._found = lru_cache(REMEMBERED)(self._find)
        self._tracked = lru_cache(REMEMBERED)(self._track)
        self._looped = lru_cache(REMEMBERED)(looped)
        self._solved = lru_cache(REMEMBERED)(SolvedMotion)
        self._measured = lru_cache(REMEMBERED)(measure)

    def __enter__(self) -> FaceFinder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the detectors, and forget everything. The finder can be used again."""
        _close(self._idle)
        for memory in (self._found, self._tracked, self._looped, self._solved, self._measured):
            memory.cache_clear()

    @contextmanager
    def detector(self, bundle: Path | None = None) -> Iterator[FaceDetector]:
        """A detector that nobody else uses meanwhile; see `FaceDetector`."""
        idle = self._idle[bundle]
        try:
            detector = idle.pop()
        except IndexError:
            detector = FaceDetector(bundle)
        try:
            yield detector
        finally:
            idle.append(detector)

    def portrait(
        self, source: PortraitSource, settings: AnimationSettings, known: Landmarks | None = None
    ) -> Portrait:
        """The face that `settings` mean, in an upright picture; `known` are its landmarks, which are then not detected.

        Raises as `as_layers` and `find_portrait`.
        """
        name = named(source, "the portrait")
        found = self._found(
            _remembered_as(source, "the portrait"), name, settings.face, settings.detector_bundle, known
        )
        if settings.crop is False:
            middle_square(found.layers, found.landmarks.points)
        return found

    def motion(self, source: MotionSource, settings: AnimationSettings, clip_range: ClipRange) -> Tracked:
        """See `read_motion`; closed to a loop where `settings` ask for one."""
        if isinstance(source, Motion):
            tracked = Tracked(source)
        else:
            tracked = self._tracked(
                _remembered_as(source, "the driving picture"),
                settings.driving_face,
                clip_range,
                settings.frame_rate,
                settings.detector_bundle,
            )
        return replace(tracked, motion=self._looped(tracked.motion, settings.loop))

    def align(
        self, motion: Motion, reference: Landmarks, settings: AlignmentSettings, room: Room | None
    ) -> Aligned:
        """See `alignment.align`."""
        return align(motion, reference, settings, room, solve=self._solved, measure=self._measured)

    def _find(
        self,
        source: _File | _Content,
        name: str,
        face: int | None,
        bundle: Path | None,
        known: Landmarks | None,
    ) -> Portrait:
        layers = as_layers(source.source, "the portrait")
        if known is not None:
            return Portrait(layers, known)
        with self.detector(bundle) as detector:
            return upright_portrait(detector, layers, face, name)

    def _track(
        self,
        source: _File | _Content,
        face: int | None,
        clip_range: ClipRange,
        frame_rate: float | None,
        bundle: Path | None,
    ) -> Tracked:
        with self.detector(bundle) as detector:
            return read_motion(source.source, detector, face, clip_range, frame_rate)


def _close(idle: Mapping[Path | None, list[FaceDetector]]) -> None:
    for detectors in list(idle.values()):  # another thread may need a new one
        while detectors:
            detectors.pop().close()


@dataclass(frozen=True)
class _File:
    """A file in a state: another size or time of change is another one, and of bytes another content."""

    source: Path | InputFile = field(compare=False)
    version: Hashable


class _Content:
    """A picture uint8 (height, width, channels), compared by its pixels."""

    def __init__(self, layers: np.ndarray) -> None:
        self.source = layers.copy()  # its owner may change it

    def __hash__(self) -> int:
        return hash((self.source.shape, self.source[::ROWS_APART].tobytes()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and np.array_equal(self.source, other.source)


def _remembered_as(source: PortraitSource, what: str) -> _File | _Content:
    if isinstance(source, (np.ndarray, Image.Image)):
        return _Content(as_layers(source, what))
    if not isinstance(source, (str, os.PathLike)):
        file = InputFile.of(source, PictureError, "a picture or a clip", what)
        return _File(file, file.version)
    path = Path(source)
    try:
        state = path.stat()
    except OSError:  # reading it will say what is wrong
        return _File(path, path)
    return _File(path, (path, state.st_size, state.st_mtime_ns))


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
    settings: AnimationSettings,
    source: str,
    known: np.ndarray | None = None,
) -> Portrait:
    """Find the face of a portrait, which `source` names in messages, and turn the picture upright by it.

    `known` are the (478, 3) normalised landmarks of its only face, where they need not be looked for.

    Raises FaceNotFound, and SettingsError where `settings` ask for no crop and the face is not in the middle square:
    that should not cost the tracking of a clip.
    """
    if known is not None and settings.face in (None, 1):
        found = Portrait(layers, Landmarks(known, (layers.shape[1], layers.shape[0])))
    else:
        try:
            found = upright_portrait(detector, layers, settings.face, source)
        except FaceNotFound as reason:
            raise FaceNotFound(
                f"{reason} Or place points on the face by hand.", settings=("points",)
            ) from reason
    if settings.crop is False:
        middle_square(found.layers, found.landmarks.points)
    return found


def upright_portrait(detector: FaceDetector, layers: np.ndarray, face: int | None, source: str) -> Portrait:
    """A portrait turned upright by its face, whichever way up that is; a FaceNotFound names the `source`."""
    landmarks = detect(detector, on_background(layers), face, source)
    upright = np.ascontiguousarray(np.rot90(layers, landmarks.quarter_turns))
    return Portrait(upright, landmarks, notes_on_landmarks(landmarks, source))


def detect(detector: FaceDetector, picture: np.ndarray, face: int | None, source: str) -> Landmarks:
    """The landmarks of a picture's face, whichever way up it is; a FaceNotFound names the picture."""
    try:
        return detector.detect(picture, face, any_turn=True)
    except FaceNotFound as reason:
        raise FaceNotFound(f"In {source}: {reason}") from reason


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
