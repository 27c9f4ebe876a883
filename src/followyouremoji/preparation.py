"""From a portrait and a motion to what is generated: the portrait framed, the motion aligned. Needs no torch.

Everything that can be known before a network runs is here, so that a preview of the landmark pictures costs no model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from followyouremoji.errors import MotionError
from followyouremoji.face.alignment import Aligned, AlignmentSettings, align, align_in_picture
from followyouremoji.face.blending import blend_face
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks
from followyouremoji.face.geometry import with_gaze_of
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import Loop
from followyouremoji.face.timeline import looped
from followyouremoji.face.tracking import TrackingReport
from followyouremoji.face.warping import warp_portrait
from followyouremoji.framing import LARGE_SQUARE, WindowedFace, choose_crop, middle_square
from followyouremoji.media.cropping import Crop
from followyouremoji.media.pictures import off_white, on_background
from followyouremoji.media.ranges import WHOLE, ClipRange
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import MotionSource, PortraitSource, as_layers, find_portrait, named, read_motion

REACH = 0.5
"""How far aligned landmarks may lie outside a picture, over its longer side."""


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
        """The portrait warped by a frame's landmarks: uint8 (size, size, 3)."""
        if self.face is not None:
            return self.face.warped(frame)
        return warp_portrait(self.picture, self.reference_points, self.points[frame])

    def reference_landmark_picture(self) -> np.ndarray:
        """The landmark picture of the portrait's own face: uint8 (size, size, 3)."""
        return draw_landmarks(self.reference_points, (self.size, self.size), self.style)

    def finish(self, result: np.ndarray, frame: int) -> np.ndarray:
        """A generated square of a frame (size, size, 3) as the user gets it: in the portrait, or as it is.

        uint8 (height, width, 3); of a transparent portrait (height, width, 4).
        """
        finished = self._pasted(self.portrait, result)
        return finished if self.opacity is None else off_white(finished, self._warped_opacity(frame))

    def _pasted(self, whole: np.ndarray, square: np.ndarray) -> np.ndarray:
        return self.crop.paste(whole, square) if self.paste_back else square

    def _warped_opacity(self, frame: int) -> np.ndarray:
        """How opaque a finished frame is: uint8 (height, width)."""
        assert self.opacity is not None
        if self.face is not None:
            return self._pasted(self.opacity, self.face.finished_opacity(frame))
        square = self.crop.cut(self.opacity, self.size)
        return self._pasted(self.opacity, warp_portrait(square, self.reference_points, self.points[frame]))

    def finish_face(self, result: np.ndarray, frame: int, coded_warp: np.ndarray | None) -> np.ndarray:
        """As `finish`, but only the face is the generated one: around it is the warped portrait, in its own resolution.

        For models that generate relative to the warped portrait; what they make around the face is softer than it.
        `coded_warp` is what the autoencoder makes of `warped_picture`; it is read only for faces alone, and else may
        be None.
        """
        if self.face is not None:
            assert coded_warp is not None
            return self.finish(self.face.finished(result, coded_warp, frame), frame)
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
    size : of the picture that the model sees, where `settings` leave it open.
    style : of the landmark pictures, as the model saw them in its training.
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
            found = find_portrait(detector, layers, settings, named(portrait, "the portrait"))
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
        style=style or LandmarkStyle(),
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
    if not outside <= REACH * max(width, height):  # also where a point is NaN
        raise MotionError(
            f"{source} takes the portrait's face far out of its picture, by {outside:.3g} pixels: the motion is damaged, or it does not suit "
            "this portrait; head motion relative to the portrait's own pose stays inside."
        )
