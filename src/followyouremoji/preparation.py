"""From a portrait and a motion to what is generated: the portrait framed, the motion aligned. Needs no torch.

Everything that can be known before a network runs is here, so that a preview of the landmark pictures costs no model.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from followyouremoji.errors import FaceNotFound, MotionError, PictureError, SettingsError
from followyouremoji.face.alignment import Aligned, AlignmentSettings, align, align_in_picture
from followyouremoji.face.blending import blend_face
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks
from followyouremoji.face.geometry import with_gaze_of
from followyouremoji.face.motion import MOTION_ENDINGS, Motion
from followyouremoji.face.timeline import Loop, looped
from followyouremoji.face.tracking import TrackingReport, lies, track_motion
from followyouremoji.face.warping import warp_portrait
from followyouremoji.framing import LARGE_SQUARE, WindowedFace
from followyouremoji.media.ahead import ahead
from followyouremoji.media.clips import DECODED_AHEAD, ClipReader
from followyouremoji.media.cropping import Crop, face_crop
from followyouremoji.media.pictures import (
    LEAST_SIDE,
    off_white,
    on_background,
    read_layers,
    to_layers,
    without_full_opacity,
)
from followyouremoji.media.ranges import WHOLE, ClipRange
from followyouremoji.media.timing import Clock, generated_rate
from followyouremoji.settings import AnimationSettings, Switch

REACH = 0.5
"""How far aligned landmarks may lie outside a picture, over its longer side."""

SMALL_FACE = 0.35
"""A face whose landmarks' box is smaller than this share of a square picture's side is cropped by default."""

PortraitSource = np.ndarray | Image.Image | str | os.PathLike[str]
MotionSource = Motion | PortraitSource


@dataclass(frozen=True)
class Tracked:
    """A motion and how it came about; `gaps`, `damage` and `notes` are as in `Prepared`."""

    motion: Motion
    gaps: TrackingReport | None = None
    damage: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A portrait and the motion that it will make, in the square picture that a model sees.

    Attributes
    ----------
    portrait : uint8 (height, width, 3), the whole picture, on white where it is transparent.
    landmarks : of its face.
    picture : uint8 (size, size, 3), the square of it that is animated.
    crop : where that square lies in the portrait.
    points : (T, 478, 2) aligned landmarks, in pixels of `picture`.
    reference_points : (478, 2) the portrait's own, in pixels of `picture`.
    style : how landmark pictures are drawn.
    paste_back : whether results go back into the portrait.
    motion : as it was driven, before alignment; its frame rate and times are the result's.
    loop : how `motion` was closed.
    gaps : what was done about driving frames without a face; None where the motion was not tracked here.
    damage : why the driving clip could not be read to its end, in words; None where it was, or was not read here.
    notes : sentences on what was done about the driving clip's peculiarities, and about the portrait's.
    opacity : uint8 (height, width) of the portrait; None where all of it is opaque.
    face : for models that make faces alone, the windows in which they make them; `picture` is then the portrait's own
        window, and `points` and `reference_points` are in pixels of their windows.
    """

    portrait: np.ndarray
    landmarks: Landmarks
    picture: np.ndarray
    crop: Crop
    points: np.ndarray
    reference_points: np.ndarray
    style: LandmarkStyle
    paste_back: bool
    motion: Motion
    gaps: TrackingReport | None
    damage: str | None = None
    notes: tuple[str, ...] = ()
    opacity: np.ndarray | None = None
    face: WindowedFace | None = None
    loop: Loop = "off"

    def __len__(self) -> int:
        return len(self.points)

    @property
    def size(self) -> int:
        """Pixels a side of `picture`."""
        return int(self.picture.shape[0])

    @property
    def points_in_picture(self) -> np.ndarray:
        """(T, 478, 2): the aligned landmarks in one picture that stands still, where windows would hide that a face
        moves."""
        return self.points if self.face is None else self.face.points

    @property
    def still(self) -> np.ndarray:
        """What the finished frames set in motion, of their size: the portrait, or the square of it: uint8 (height,
        width, 3)."""
        if self.paste_back:
            return self.portrait
        return self.picture if self.face is None else self.face.square

    @property
    def output_size(self) -> tuple[int, int]:
        """(width, height) of the finished frames."""
        height, width = self.still.shape[:2]
        return width, height

    @property
    def transparent(self) -> bool:
        """Whether the finished frames have opacity."""
        return self.opacity is not None

    def landmark_picture(self, frame: int) -> np.ndarray:
        """What the model is shown of a frame's motion: uint8 (size, size, 3)."""
        return draw_landmarks(self.points[frame], (self.size, self.size), self.style)

    def warped_picture(self, frame: int) -> np.ndarray:
        """The portrait bent by a frame's landmarks, a first guess of the result: uint8 (size, size, 3)."""
        if self.face is not None:
            return self.face.guess(frame)
        return warp_portrait(self.picture, self.reference_points, self.points[frame])

    def reference_landmark_picture(self) -> np.ndarray:
        """The landmark picture of the portrait's own face: uint8 (size, size, 3)."""
        return draw_landmarks(self.reference_points, (self.size, self.size), self.style)

    def finish(self, result: np.ndarray, frame: int) -> np.ndarray:
        """A generated square of a frame (size, size, 3) as the user gets it: in the portrait, or as it is.

        uint8 (height, width, 3); of a transparent portrait (height, width, 4).
        """
        finished = self._pasted(self.portrait, result)
        return finished if self.opacity is None else off_white(finished, self._bent_opacity(frame))

    def _pasted(self, whole: np.ndarray, square: np.ndarray) -> np.ndarray:
        return self.crop.paste(whole, square) if self.paste_back else square

    def _bent_opacity(self, frame: int) -> np.ndarray:
        """How opaque a finished frame is: uint8 (height, width)."""
        assert self.opacity is not None
        if self.face is not None:
            return self._pasted(self.opacity, self.face.finished_opacity(frame))
        square = self.crop.cut(self.opacity, self.size)
        return self._pasted(self.opacity, warp_portrait(square, self.reference_points, self.points[frame]))

    def finish_face(self, result: np.ndarray, frame: int, coded_guess: np.ndarray | None) -> np.ndarray:
        """As `finish`, but only the face is the generated one: around it is the bent portrait, in its own resolution.

        For models that generate relative to the bent portrait; what they make around the face is softer than it.
        `coded_guess` is what the autoencoder makes of `warped_picture`; it is read only for faces alone, and else may
        be None.
        """
        if self.face is not None:
            assert coded_guess is not None
            return self.finish(self.face.finished(result, coded_guess, frame), frame)
        return self.finish(blend_face(self.warped_picture(frame), result, self.points[frame]), frame)


def prepare(
    portrait: PortraitSource,
    motion: MotionSource,
    *,
    size: int,
    style: LandmarkStyle | None = None,
    always_crop: bool = False,
    in_picture: bool = False,
    face_alone: bool = False,
    alignment: AlignmentSettings | None = None,
    settings: AnimationSettings | None = None,
    clip_range: ClipRange = WHOLE,
    portrait_landmarks: Landmarks | None = None,
) -> Prepared:
    """Find the faces, align the motion to the portrait (Sec. 3.1) and frame it.

    Parameters
    ----------
    portrait : a picture: array uint8 (height, width, 3), or (height, width, 4) with opacity, Pillow image, or path.
    motion : a Motion, the path of a motion file, clip or picture, or a picture, whose one pose the portrait takes.
    size, style : of the picture and the landmark pictures that the model sees, where `settings` leave them open.
    always_crop : what "auto" means for a model trained on squares around the face.
    in_picture : align the driving landmarks in the picture alone, see `align_in_picture`; `alignment` is not read then.
    face_alone : the model makes faces alone, in windows of `size`; "auto" then always crops.
    clip_range : the part of a clip or of a motion's file that is used.
    portrait_landmarks : of the portrait, where they are known; they are then not detected.

    Raises
    ------
    PictureError, ClipError, MotionError : a file that cannot be used.
    FaceNotFound : no face in the portrait, or in the driving clip or picture.
    SettingsError : `settings` ask for no crop, and the portrait's face is not in the middle square.
    """
    settings = settings or AnimationSettings()
    size = settings.size or size
    layers = as_layers(portrait, "the portrait")
    notes: tuple[str, ...] = ()
    with FaceDetector(settings.detector_bundle) as detector:
        if portrait_landmarks is None:
            found = find_portrait(detector, layers, settings, _described(portrait, "the portrait"))
            layers, portrait_landmarks, notes = found.layers, found.landmarks, found.notes
        tracked = read_motion(motion, detector, settings.driving_face, clip_range, settings.frame_rate)
    driving = looped(tracked.motion, settings.loop)
    picture, landmarks = on_background(layers), portrait_landmarks

    if in_picture:
        aligned = Aligned(align_in_picture(driving, landmarks))
    else:
        # Without a crop the middle square is all that is shown.
        whole = middle_square(picture, landmarks.points) if settings.crop is False else None
        room = None if whole is None else (whole.x, whole.y, whole.x + whole.side, whole.y + whole.side)
        aligned = align(driving, landmarks, alignment or AlignmentSettings(), room)
    check_reach(aligned.points, picture, driving.source)
    crop, cropped = choose_crop(
        picture, landmarks.points, aligned.points, settings.crop, always_crop or face_alone
    )
    prepared = Prepared(
        portrait=picture,
        landmarks=landmarks,
        picture=crop.cut(picture, size),
        crop=crop,
        points=crop.to_crop(aligned.points, size),
        reference_points=crop.to_crop(landmarks.points, size),
        style=settings.landmark_style or style or LandmarkStyle(),
        paste_back=cropped if settings.paste_back == "auto" else settings.paste_back,
        motion=driving,
        gaps=tracked.gaps,
        damage=tracked.damage,
        notes=(*notes, *tracked.notes, *aligned.notes),
        opacity=np.ascontiguousarray(layers[..., 3]) if layers.shape[2] == 4 else None,
        loop=settings.loop,
    )
    if not prepared.style.pupils:
        prepared = with_own_gaze(prepared)
    return in_windows(prepared) if face_alone else prepared


def with_own_gaze(prepared: Prepared) -> Prepared:
    """For a model that is not shown the pupils: every frame looks where the portrait looks."""
    return replace(prepared, points=with_gaze_of(prepared.points, prepared.reference_points))


def in_windows(prepared: Prepared) -> Prepared:
    """For a model that makes faces alone: the portrait's window, and each frame's, instead of the square; see
    `WindowedFace`."""
    size, crop = prepared.size, prepared.crop
    own, aligned = (crop.from_crop(points, size) for points in (prepared.reference_points, prepared.points))
    if crop.side > LARGE_SQUARE:
        crop = crop.on_whole_pixels
    face = WindowedFace.within(prepared.portrait, crop, own, aligned, size, prepared.opacity)
    return replace(
        prepared,
        crop=crop,
        face=face,
        picture=face.portrait,
        points=face.window_points,
        reference_points=face.portrait_points,
    )


def check_reach(points: np.ndarray, picture: np.ndarray, source: str) -> None:
    """Raise MotionError where aligned landmarks (T, 478, 2) leave the picture by more than `REACH` of its longer side:
    nothing good comes of that, and the square around them all may need more memory than there is."""
    height, width = picture.shape[:2]
    outside = max(float(-points.min()), float((points - (width, height)).max()))
    if not outside <= REACH * max(width, height):  # also where a point is no number
        raise MotionError(
            f"{source} takes the portrait's face far out of its picture, by {outside:.3g} pixels: the motion is damaged, or it does not suit "
            "this portrait; head motion relative to the portrait's own pose stays inside."
        )


def choose_crop(
    picture: np.ndarray, own: np.ndarray, aligned: np.ndarray, switch: Switch, always_crop: bool
) -> tuple[Crop, bool]:
    """The square to animate, one for the whole clip, and whether it is one around the face.

    `own` (478, 2) and `aligned` (T, 478, 2) are pixels of the picture; the face's square holds them all. Raises
    SettingsError where the middle square is asked for and the face lies outside it.
    """
    height, width = picture.shape[:2]
    if switch == "auto":
        box = float(np.ptp(own, axis=0).max())
        switch = always_crop or height != width or box < SMALL_FACE * width
    if switch:
        return face_crop(np.concatenate([aligned, own[None]])), True
    return middle_square(picture, own), False


def middle_square(picture: np.ndarray, own: np.ndarray) -> Crop:
    """The square in the middle of a picture, all of one that is square, which is animated where nothing is cropped.

    `own` (478, 2) are the face's landmarks, pixels of the picture. Raises SettingsError where most of them lie outside
    the square.
    """
    height, width = picture.shape[:2]
    side = min(height, width)
    crop = Crop((width - side) / 2, (height - side) / 2, side)
    places = crop.to_crop(own, 1)
    if ((places >= 0) & (places <= 1)).all(axis=-1).mean() < 0.5:
        raise SettingsError(
            f"Without cropping, the middle {side}x{side} pixels of the portrait's {width}x{height} are animated, and its face lies outside "
            "them: leave out --no-crop, or cut the picture to a square that holds the face."
        )
    return crop


def as_picture(source: PortraitSource, what: str) -> np.ndarray:
    """`as_layers`, on white where the picture is transparent: uint8 (height, width, 3)."""
    return on_background(as_layers(source, what))


def as_layers(source: PortraitSource, what: str) -> np.ndarray:
    """A picture from an array, a Pillow image or a path; `what` names it in messages. Raises PictureError.

    Returns uint8 (height, width, 4) where some of it is transparent, else (height, width, 3).
    """
    if isinstance(source, (str, os.PathLike)):
        return read_layers(source)
    if isinstance(source, Image.Image):
        source = to_layers(source)
    if not (isinstance(source, np.ndarray) and source.dtype == np.uint8):
        kind = f"{source.dtype} values" if isinstance(source, np.ndarray) else type(source).__name__
        raise PictureError(
            f"{what} must be a path, a Pillow image or an array of bytes (0 to 255), not {kind}"
        )
    if source.ndim != 3 or source.shape[2] not in (3, 4):
        raise PictureError(
            f"{what} must have the shape (height, width, 3) or (height, width, 4), not {source.shape}"
        )
    if min(source.shape[:2]) < LEAST_SIDE:
        raise PictureError(
            f"{what} is too small: {source.shape[1]}x{source.shape[0]} pixels, at least {LEAST_SIDE} a side are needed"
        )
    return without_full_opacity(source)


@dataclass(frozen=True)
class Portrait:
    """A portrait whose face is found: uint8 (height, width, 3 or 4), turned upright, and the face's landmarks in it.

    `notes` are sentences on what a user should know of them.
    """

    layers: np.ndarray
    landmarks: Landmarks
    notes: tuple[str, ...] = ()


def find_portrait(
    detector: FaceDetector, layers: np.ndarray, settings: AnimationSettings, source: str
) -> Portrait:
    """Find the face of a portrait, which `source` names in messages, and turn the picture upright by it.

    Raises FaceNotFound, and SettingsError where `settings` ask for no crop and the face is not in the middle square:
    that should not cost the tracking of a clip.
    """
    landmarks = detect(detector, on_background(layers), settings.face, source)
    upright = np.ascontiguousarray(np.rot90(layers, landmarks.quarter_turns))
    if settings.crop is False:
        middle_square(upright, landmarks.points)
    return Portrait(upright, landmarks, told_of(landmarks, source))


def detect(detector: FaceDetector, picture: np.ndarray, face: int | None, source: str) -> Landmarks:
    """The landmarks of a picture's face, whichever way up it is; a FaceNotFound names the picture."""
    try:
        return detector.detect(picture, face, any_turn=True)
    except FaceNotFound as reason:
        raise FaceNotFound(f"In {source}: {reason}") from reason


def told_of(landmarks: Landmarks, source: str) -> tuple[str, ...]:
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
    if not isinstance(source, (str, os.PathLike)):
        picture = as_picture(source, "the driving picture")
        still, notes = _still(detector, picture, face, "the driving picture")
        return Tracked(still, notes=notes)
    path = Path(source)
    if path.suffix.lower() in MOTION_ENDINGS:
        return Tracked(cut_motion(Motion.read(path), str(path), clip_range, frame_rate))
    return track_file(path, detector, face, clip_range=clip_range, frame_rate=frame_rate)


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
    path: Path,
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
    with ClipReader(path, clip_range) as clip:
        if clip.info.frames == 1:
            _, picture = next(iter(clip))
            still, notes = _still(detector, picture, face, str(path))
            return Tracked(still, None, clip.damage, (*clip.notes, *notes))
        rate = generated_rate(clip.info.frame_rate, frame_rate)
    with ClipReader(path, clip_range, rate) as clip, closing(ahead(clip, DECODED_AHEAD)) as decoded:
        expected = clip.expected_frames

        def counted() -> Iterator[tuple[float, np.ndarray]]:
            for count, frame in enumerate(decoded, 1):
                yield frame
                if advance is not None:
                    advance(count, expected)

        motion, gaps = track_motion(counted(), rate, detector, str(path), face, any_turn=True)
        return Tracked(motion.smoothed(smooth), gaps, clip.damage, clip.notes)


def _still(
    detector: FaceDetector, picture: np.ndarray, face: int | None, source: str
) -> tuple[Motion, tuple[str, ...]]:
    """The one pose of a picture, and what a user should know of it."""
    found = detect(detector, picture, face, source)
    motion = Motion(
        landmarks=found.normalised[None],
        timestamps=np.zeros(1),
        frame_rate=25.0,
        size=found.size,
        source=source,
        found=np.ones(1, bool),
        blendshapes=None if found.blendshapes is None else found.blendshapes[None],
    )
    return motion, told_of(found, source)


def _described(source: PortraitSource, otherwise: str) -> str:
    return str(source) if isinstance(source, (str, os.PathLike)) else otherwise
