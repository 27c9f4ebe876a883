"""From a portrait and a motion to what is generated: the portrait framed, the motion aligned. Needs no torch.

Everything that can be known before a network runs is here, so that a preview of the landmark pictures costs no model.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np

from followyouremoji.errors import MotionError, SettingsError
from followyouremoji.face.alignment import Aligned, AlignmentSettings, align_in_picture
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import Loop
from followyouremoji.face.tracking import TrackingReport
from followyouremoji.framing import Framing, ModelFraming, choose_crop, corners, frame_portrait, middle_square
from followyouremoji.media.pictures import off_white
from followyouremoji.media.ranges import WHOLE, ClipRange
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import FaceFinder, MotionSource, PortraitSource

REACH = 0.5
"""How far aligned landmarks may lie outside a picture, over its longer side."""


@dataclass(frozen=True)
class Prepared:
    """A portrait and the motion that it will make, as a model sees them.

    Attributes
    ----------
    portrait : uint8 (height, width, 3), the whole picture, on white where it is transparent.
    landmarks : of its face.
    framing : what the model sees of the portrait and the motion, and how its results become squares of the portrait.
    style : how landmark pictures are drawn.
    paste_back : whether results go back into the portrait.
    motion : as it was driven, before alignment; its frame rate and times are the result's.
    gaps : what was done about driving frames without a face; None where the motion was not tracked here.
    damage : why the driving clip could not be read to its end, in words; None where it was, or was not read here.
    notes : sentences on what was done about the driving clip's peculiarities, and about the portrait's.
    opacity : uint8 (height, width) of the portrait; None where all of it is opaque.
    loop : how `motion` was closed.
    """

    portrait: np.ndarray
    landmarks: Landmarks
    framing: Framing
    style: LandmarkStyle
    paste_back: bool
    motion: Motion
    gaps: TrackingReport | None = None
    damage: str | None = None
    notes: tuple[str, ...] = ()
    opacity: np.ndarray | None = None
    loop: Loop = "off"

    def __len__(self) -> int:
        return len(self.points_in_picture)

    @property
    def picture(self) -> np.ndarray:
        """What the model sees of the portrait: uint8 (size, size, 3)."""
        return self.framing.picture

    @property
    def size(self) -> int:
        """Pixels a side of `picture`."""
        return int(self.picture.shape[0])

    @property
    def points_in_picture(self) -> np.ndarray:
        """(T, 478, 2): the aligned landmarks in one picture that stands still."""
        return self.framing.points_in_picture

    @property
    def reads_coded_warp(self) -> bool:
        """Whether `finish` needs the warped picture once through the autoencoder."""
        return self.framing.reads_coded_warp

    @property
    def still(self) -> np.ndarray:
        """What the finished frames set in motion, of their size: the portrait, or the square of it: uint8 (height,
        width, 3)."""
        return self.portrait if self.paste_back else self.framing.square

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
        return draw_landmarks(self.framing.points[frame], (self.size, self.size), self.style)

    def reference_landmark_picture(self) -> np.ndarray:
        """The landmark picture of the portrait's own face: uint8 (size, size, 3)."""
        return draw_landmarks(self.framing.reference_points, (self.size, self.size), self.style)

    def warped_picture(self, frame: int) -> np.ndarray:
        """The portrait warped by a frame's landmarks: uint8 (size, size, 3)."""
        return self.framing.warped(frame)

    def finish(self, result: np.ndarray, frame: int, coded_warp: np.ndarray | None = None) -> np.ndarray:
        """A generated picture of a frame (size, size, 3) as the user gets it: in the portrait, or its square alone.

        Where it `reads_coded_warp`, that is what the autoencoder makes of `warped_picture`. Returns uint8 (height,
        width, 3); of a transparent portrait (height, width, 4).
        """
        finished = self._pasted(self.portrait, self.framing.finished(result, frame, coded_warp))
        if self.opacity is None:
            return finished
        return off_white(finished, self._pasted(self.opacity, self.framing.warped_opacity(frame)))

    def _pasted(self, whole: np.ndarray, square: np.ndarray) -> np.ndarray:
        return self.framing.crop.paste(whole, square) if self.paste_back else square


def prepare(
    portrait: PortraitSource,
    motion: MotionSource,
    model: ModelFraming,
    *,
    alignment: AlignmentSettings | None = None,
    settings: AnimationSettings | None = None,
    clip_range: ClipRange = WHOLE,
    portrait_landmarks: Landmarks | None = None,
    faces: FaceFinder | None = None,
) -> Prepared:
    """Find the faces, align the motion to the portrait (Sec. 3.1) and frame it.

    Parameters
    ----------
    portrait : a picture: array uint8 (height, width, 3), or (height, width, 4) with opacity, Pillow image, or path.
    motion : a Motion, the path of a motion file, clip or picture, or a picture, whose one pose the portrait takes.
    model : what the model needs to see, where `settings` leave it open.
    clip_range : the part of a clip or of a motion's file that is used.
    portrait_landmarks : of the portrait, where they are known; they are then not detected.
    faces : remembers what it found, so that the same portrait and motion cost little with other `alignment`.

    Raises
    ------
    PictureError, ClipError, MotionError : a file that cannot be used.
    FaceNotFound : no face in the portrait, or in the driving clip or picture.
    SettingsError : `settings` ask for no crop, and the portrait's face is not in the middle square; or `alignment` has
        a pose, and the model takes motions as they are.
    """
    settings = settings or AnimationSettings()
    model = replace(model, size=settings.size or model.size)
    with nullcontext(faces) if faces else FaceFinder() as faces:
        found = faces.portrait(portrait, settings, portrait_landmarks)
        tracked = faces.motion(motion, settings, clip_range)
        picture, landmarks, driving = found.picture, found.landmarks, tracked.motion
        if model.in_picture:
            if alignment and alignment.pose:
                raise SettingsError(
                    "this model takes motions as they are, so no pose can be added", settings=("pose",)
                )
            aligned = Aligned(align_in_picture(driving, landmarks))
        else:
            # Without a crop the middle square is all that is shown.
            whole = middle_square(picture, landmarks.points) if settings.crop is False else None
            room = None if whole is None else (whole.x, whole.y, whole.x + whole.side, whole.y + whole.side)
            aligned = faces.align(driving, landmarks, alignment or AlignmentSettings(), room)
    check_reach(aligned.points, picture, driving.source)
    always_crop = model.always_crop or model.face_alone
    crop, cropped = choose_crop(picture, landmarks.points, aligned.points, settings.crop, always_crop)
    return Prepared(
        portrait=picture,
        landmarks=landmarks,
        framing=frame_portrait(picture, landmarks.points, aligned.points, crop, model, found.opacity),
        style=model.style,
        paste_back=cropped if settings.paste_back == "auto" else settings.paste_back,
        motion=driving,
        gaps=tracked.gaps,
        damage=tracked.damage,
        notes=(*found.notes, *tracked.notes, *aligned.notes),
        opacity=found.opacity,
        loop=settings.loop,
    )


def check_reach(points: np.ndarray, picture: np.ndarray, source: str) -> None:
    """Raise MotionError where aligned landmarks (T, 478, 2) leave the picture by more than `REACH` of its longer side:
    nothing good comes of that, and the square around them all may need more memory than there is."""
    height, width = picture.shape[:2]
    low, high = corners(points)
    outside = float(np.max([-low, high - (width, height)]))
    if not outside <= REACH * max(width, height):  # also where a point is NaN
        raise MotionError(
            f"{source} takes the portrait's face far out of its picture, by {outside:.3g} pixels: the motion is damaged, or it does not suit "
            "this portrait; head motion relative to the portrait's own pose stays inside."
        )
