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

from followyouremoji.errors import FaceNotFound, PictureError, SettingsError
from followyouremoji.face.alignment import AlignmentSettings, align_in_picture, align_motion
from followyouremoji.face.blending import blend_face
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks
from followyouremoji.face.geometry import with_gaze_of
from followyouremoji.face.motion import MOTION_ENDINGS, GapReport, Motion, track_motion
from followyouremoji.face.timeline import Loop, looped
from followyouremoji.face.warping import warp_portrait
from followyouremoji.framing import WindowedFace
from followyouremoji.media.ahead import ahead
from followyouremoji.media.clips import DECODED_AHEAD, ClipReader
from followyouremoji.media.cropping import Crop, face_crop
from followyouremoji.media.pictures import LEAST_SIDE, read_picture, to_rgb
from followyouremoji.settings import AnimationSettings, Switch

SMALL_FACE = 0.35
"""A face whose landmarks' box is smaller than this share of a square picture's side is cropped by default."""

PortraitSource = np.ndarray | Image.Image | str | os.PathLike[str]
MotionSource = Motion | PortraitSource

Tracked = tuple[Motion, GapReport | None, str | None]
"""A motion, its `gaps` and its `damage` as in `Prepared`."""


@dataclass(frozen=True)
class Prepared:
    """A portrait and the motion that it will make, in the square picture that a model sees.

    Attributes
    ----------
    portrait : uint8 (height, width, 3), the whole picture.
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
    gaps: GapReport | None
    damage: str | None = None
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

    def finish(self, result: np.ndarray) -> np.ndarray:
        """A generated square (size, size, 3) as the user gets it: in the portrait, or as it is."""
        return self.crop.paste(self.portrait, result) if self.paste_back else result

    def finish_face(self, result: np.ndarray, frame: int, coded_guess: np.ndarray | None) -> np.ndarray:
        """As `finish`, but only the face is the generated one: around it is the bent portrait, in its own resolution.

        For models that generate relative to the bent portrait; what they make around the face is softer than it.
        `coded_guess` is what the autoencoder makes of `warped_picture`; it is read only for faces alone, and else may
        be None.
        """
        if self.face is not None:
            assert coded_guess is not None
            return self.finish(self.face.finished(result, coded_guess, frame))
        return self.finish(blend_face(self.warped_picture(frame), result, self.points[frame]))


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
    portrait_landmarks: Landmarks | None = None,
) -> Prepared:
    """Find the faces, align the motion to the portrait (Sec. 3.1) and frame it.

    Parameters
    ----------
    portrait : a picture: array uint8 (height, width, 3), Pillow image, or path.
    motion : a Motion, the path of a motion file, clip or picture, or a picture, whose one pose the portrait takes.
    size, style : of the picture and the landmark pictures that the model sees, where `settings` leave them open.
    always_crop : what "auto" means for a model trained on squares around the face.
    in_picture : align the driving landmarks in the picture alone, see `align_in_picture`; `alignment` is not read then.
    face_alone : the model makes faces alone, in windows of `size`; "auto" then always crops.
    portrait_landmarks : of the portrait, where they are known; they are then not detected.

    Raises
    ------
    PictureError, ClipError, MotionError : a file that cannot be used.
    FaceNotFound : no face in the portrait, or in the driving clip or picture.
    SettingsError : `settings` ask for no crop, and the portrait's face is not in the middle square.
    """
    settings = settings or AnimationSettings()
    size = settings.size or size
    picture = as_picture(portrait, "the portrait")
    with FaceDetector(settings.detector_bundle) as detector:
        landmarks = portrait_landmarks or find_face(
            detector, picture, settings, _described(portrait, "the portrait")
        )
        driving, gaps, damage = read_motion(motion, detector, settings.driving_face)
    driving = looped(driving, settings.loop)

    if in_picture:
        aligned = align_in_picture(driving, landmarks)
    else:
        aligned = align_motion(driving, landmarks, alignment or AlignmentSettings())
    crop, cropped = choose_crop(picture, landmarks.points, aligned, settings.crop, always_crop or face_alone)
    prepared = Prepared(
        portrait=picture,
        landmarks=landmarks,
        picture=crop.cut(picture, size),
        crop=crop,
        points=crop.to_crop(aligned, size),
        reference_points=crop.to_crop(landmarks.points, size),
        style=settings.landmark_style or style or LandmarkStyle(),
        paste_back=cropped if settings.paste_back == "auto" else settings.paste_back,
        motion=driving,
        gaps=gaps,
        damage=damage,
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
    face = WindowedFace.within(prepared.portrait, crop, own, aligned, size)
    return replace(
        prepared,
        face=face,
        picture=face.portrait,
        points=face.window_points,
        reference_points=face.portrait_points,
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
    """A picture from an array, a Pillow image or a path; `what` names it in messages. Raises PictureError."""
    if isinstance(source, (str, os.PathLike)):
        return read_picture(source)
    if isinstance(source, Image.Image):
        source = to_rgb(source)
    if not (isinstance(source, np.ndarray) and source.dtype == np.uint8):
        kind = f"{source.dtype} values" if isinstance(source, np.ndarray) else type(source).__name__
        raise PictureError(
            f"{what} must be a path, a Pillow image or an array of bytes (0 to 255), not {kind}"
        )
    if source.ndim != 3 or source.shape[2] != 3:
        raise PictureError(f"{what} must have the shape (height, width, 3), not {source.shape}")
    if min(source.shape[:2]) < LEAST_SIDE:
        raise PictureError(
            f"{what} is too small: {source.shape[1]}x{source.shape[0]} pixels, at least {LEAST_SIDE} a side are needed"
        )
    return source


def find_face(
    detector: FaceDetector, picture: np.ndarray, settings: AnimationSettings, source: str
) -> Landmarks:
    """The landmarks of the portrait's face, which `source` names in messages.

    Raises FaceNotFound, and SettingsError where `settings` ask for no crop and the face is not in the middle square:
    that should not cost the tracking of a clip.
    """
    landmarks = detect(detector, picture, settings.face, source)
    if settings.crop is False:
        middle_square(picture, landmarks.points)
    return landmarks


def detect(detector: FaceDetector, picture: np.ndarray, face: int | None, source: str) -> Landmarks:
    """The landmarks of a picture's face; a FaceNotFound names the picture."""
    try:
        return detector.detect(picture, face)
    except FaceNotFound as reason:
        raise FaceNotFound(f"In {source}: {reason}") from reason


def read_motion(source: MotionSource, detector: FaceDetector, face: int | None = None) -> Tracked:
    """A motion from whatever a user may have: see `prepare`. A `Motion` and a motion file are taken as they are."""
    if isinstance(source, Motion):
        return source, None, None
    if not isinstance(source, (str, os.PathLike)):
        picture = as_picture(source, "the driving picture")
        return _still(detector, picture, face, "the driving picture"), None, None
    path = Path(source)
    if path.suffix.lower() in MOTION_ENDINGS:
        return Motion.read(path), None, None
    return track_file(path, detector, face)


def track_file(
    path: Path,
    detector: FaceDetector,
    face: int | None = None,
    smooth: float = 1.0,
    start: int = 0,
    stop: int | None = None,
    advance: Callable[[int, int | None], None] | None = None,
) -> Tracked:
    """The motion in frames `start` to `stop` of a clip, or the one pose of a picture.

    A clip is read at a constant rate, frame by frame and never held in memory, while a thread decodes ahead; what is
    tracked in it is smoothed with the strength `smooth`. `advance` is called with the number of frames followed, and of
    all, None where that is not known.

    Raises ClipError for a file that cannot be used, and FaceNotFound where no frame has a face.
    """
    with ClipReader(path, start, stop) as clip:
        if clip.info.frames == 1:
            _, picture = next(iter(clip))
            return _still(detector, picture, face, str(path)), None, clip.damage
        rate = clip.info.frame_rate
    with ClipReader(path, start, stop, rate) as clip, closing(ahead(clip, DECODED_AHEAD)) as decoded:
        expected = clip.expected_frames

        def counted() -> Iterator[tuple[float, np.ndarray]]:
            for count, frame in enumerate(decoded, 1):
                yield frame
                if advance is not None:
                    advance(count, expected)

        motion, gaps = track_motion(counted(), rate, detector, str(path), face)
        return motion.smoothed(smooth), gaps, clip.damage


def _still(detector: FaceDetector, picture: np.ndarray, face: int | None, source: str) -> Motion:
    found = detect(detector, picture, face, source)
    return Motion(
        landmarks=found.normalised[None],
        timestamps=np.zeros(1),
        frame_rate=25.0,
        size=found.size,
        source=source,
        found=np.ones(1, bool),
        blendshapes=None if found.blendshapes is None else found.blendshapes[None],
    )


def _described(source: PortraitSource, otherwise: str) -> str:
    return str(source) if isinstance(source, (str, os.PathLike)) else otherwise
