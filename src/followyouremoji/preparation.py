"""From a portrait and a motion to what is generated: the portrait framed, the motion aligned. Needs no torch.

Everything that can be known before a network runs is here, so that a preview of the landmark pictures costs no model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np

from followyouremoji.errors import MotionError, SettingsError
from followyouremoji.face.alignment import Aligned, AlignmentSettings, align_in_picture
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import Loop
from followyouremoji.face.sharing import shares
from followyouremoji.face.topology import N_LANDMARKS
from followyouremoji.face.tracking import TrackingReport
from followyouremoji.framing import (
    Framing,
    ModelFraming,
    choose_crop,
    corners,
    frame_portrait,
    middle_square,
    paste_weights,
    seen,
)
from followyouremoji.media.pictures import off_white, resize_picture
from followyouremoji.media.ranges import WHOLE, ClipRange
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import (
    Face,
    FaceFinder,
    MotionSource,
    Portrait,
    PortraitSource,
    Tracked,
    choose_faces,
)

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
    number : of the face among those of the portrait, 1 is the furthest to the left.
    weights : how much of the square shows when it is pasted, where other faces are near: see `framing.paste_weights`.
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
    number: int = 1
    weights: np.ndarray | None = None

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

    def posed(self, motion: Motion, points: np.ndarray) -> Prepared:
        """The same square of the portrait with another motion, whose aligned landmarks are `points` (T, 478, 2), pixels
        of the portrait."""
        points = seen(points, self.landmarks.points, self.style)
        return replace(self, motion=motion, framing=self.framing.posed(points))

    def in_portrait(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) of `points_in_picture` in pixels of the portrait."""
        return self.framing.crop.from_crop(points, self.framing.square.shape[0])

    def landmark_picture(self, frame: int) -> np.ndarray:
        """What the model is shown of a frame's motion: uint8 (size, size, 3)."""
        return draw_landmarks(self.framing.points[frame], (self.size, self.size), self.style)

    def reference_landmark_picture(self) -> np.ndarray:
        """The landmark picture of the portrait's own face: uint8 (size, size, 3)."""
        return draw_landmarks(self.framing.reference_points, (self.size, self.size), self.style)

    def warped_picture(self, frame: int) -> np.ndarray:
        """The portrait warped by a frame's landmarks: uint8 (size, size, 3)."""
        return self.framing.warped(frame)

    def square(self, result: np.ndarray, frame: int, coded_warp: np.ndarray | None = None) -> Square:
        """A generated picture of a frame (size, size, 3), finished, before it is put back.

        Where it `reads_coded_warp`, that is what the autoencoder makes of `warped_picture`.
        """
        opacity = None if self.opacity is None else self.framing.warped_opacity(frame)
        return self.framing.finished(result, frame, coded_warp), opacity

    def finish(self, result: np.ndarray, frame: int, coded_warp: np.ndarray | None = None) -> np.ndarray:
        """A generated picture of a frame as the user gets it: see `square`, and `PreparedGroup.finish`."""
        return PreparedGroup((self,)).finish([self.square(result, frame, coded_warp)])

    def paste(self, whole: np.ndarray, square: np.ndarray) -> np.ndarray:
        """A finished square, or its opacity, in the whole portrait's, as far as it shows there."""
        return self.framing.crop.paste(whole, square, self.weights)


Square = tuple[np.ndarray, np.ndarray | None]
"""A finished square uint8 (side, side, 3), and of a transparent portrait how opaque it is, uint8 (side, side)."""


@dataclass(frozen=True)
class PreparedGroup:
    """The faces of one portrait that move, from left to right, each prepared; one face, too.

    All have one frame rate. A face whose motion is shorter than others' keeps its last pose.
    """

    faces: tuple[Prepared, ...]

    def __len__(self) -> int:
        """Frames of the longest."""
        return max(map(len, self.faces))

    @property
    def _first(self) -> Prepared:
        return self.faces[0]

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self._first.motion.frame_rate

    @property
    def loop(self) -> Loop:
        """How the motions were closed."""
        return self._first.loop

    @property
    def still(self) -> np.ndarray:
        """See `Prepared.still`."""
        return self._first.still

    @property
    def output_size(self) -> tuple[int, int]:
        """(width, height) of the finished frames."""
        return self._first.output_size

    @property
    def notes(self) -> tuple[str, ...]:
        """Each face's, named where there are several."""
        if len(self.faces) == 1:
            return self._first.notes
        return tuple(f"Face {face.number}: {note}" for face in self.faces for note in face.notes)

    def picture(self, longer_side: int | None = None) -> np.ndarray:
        """What `landmark_picture` lies over: uint8 (height, width, 3)."""
        if len(self.faces) == 1:
            return self._first.picture
        whole = self._first.portrait
        return whole if longer_side is None else resize_picture(whole, self._scaled(longer_side))

    def landmark_picture(self, frame: int, longer_side: int | None = None) -> np.ndarray:
        """A frame's landmarks: of one face what the model is shown, of several all of them in the whole portrait, whose
        longer side is then as long as asked for; uint8 (height, width, 3)."""
        if len(self.faces) == 1:
            return self._first.landmark_picture(frame)
        size = self.output_size if longer_side is None else self._scaled(longer_side)
        drawn = np.zeros((size[1], size[0], 3), np.uint8)
        for face in self.faces:
            points = face.in_portrait(face.points_in_picture[min(frame, len(face) - 1)])
            lines = draw_landmarks(points * (size[0] / self.output_size[0]), size, face.style)
            np.maximum(drawn, lines, out=drawn)
        return drawn

    def _scaled(self, longer_side: int) -> tuple[int, int]:
        width, height = self.output_size
        scale = longer_side / max(width, height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def finish(self, squares: Sequence[Square]) -> np.ndarray:
        """A frame as the user gets it, from each face's `Prepared.square`: all of them in the portrait, or the square
        of the only one alone.

        Returns uint8 (height, width, 3); of a transparent portrait (height, width, 4).
        """
        first = self._first
        (whole, opacity), *_ = squares
        if first.paste_back:
            whole, opacity = first.portrait, first.opacity
            for face, (square, opaque) in zip(self.faces, squares, strict=True):
                whole = face.paste(whole, square)
                if opacity is not None and opaque is not None:
                    opacity = face.paste(opacity, opaque)
        return whole if opacity is None else off_white(whole, opacity)


def prepare(
    portrait: PortraitSource | Portrait,
    motion: MotionSource,
    model: ModelFraming,
    *,
    face: int | None = None,
    alignment: AlignmentSettings | None = None,
    settings: AnimationSettings | None = None,
    clip_range: ClipRange = WHOLE,
    portrait_landmarks: Landmarks | None = None,
    faces: FaceFinder | None = None,
) -> Prepared:
    """Prepare one face of a portrait: number `face` from the left, or the largest. See `prepare_faces`."""
    group = prepare_faces(
        portrait,
        {face: motion},
        model,
        alignment=alignment,
        settings=settings,
        clip_range=clip_range,
        portrait_landmarks=portrait_landmarks,
        faces=faces,
    )
    return group.faces[0]


def prepare_faces(
    portrait: PortraitSource | Portrait,
    motions: Mapping[Face, MotionSource],
    model: ModelFraming,
    *,
    alignment: AlignmentSettings | None = None,
    settings: AnimationSettings | None = None,
    clip_range: ClipRange = WHOLE,
    portrait_landmarks: Landmarks | None = None,
    faces: FaceFinder | None = None,
) -> PreparedGroup:
    """Find the faces, align the motions to those of the portrait that move (Sec. 3.1) and frame these.

    Motions come to the highest of their frame rates. Where a picture shows several faces, "auto" crops, and those that
    do not move keep their pixels.

    Parameters
    ----------
    portrait : a picture: array uint8 (height, width, 3), or (height, width, 4) with opacity, Pillow image, or path; or
        what was found in one.
    motions : what drives which face: a Motion, the path of a motion file, clip or picture, or a picture, whose one pose
        the portrait takes.
    model : what the model needs to see, where `settings` leave it open.
    clip_range : the part of a clip or of a motion's file that is used.
    portrait_landmarks : of the portrait's only face, where they are known; it is then not detected.
    faces : remembers what it found, so that the same portrait and motion cost little with other `alignment`.

    Raises
    ------
    PictureError, ClipError, MotionError : a file that cannot be used.
    FaceNotFound : no such face in the portrait, or none in a driving clip or picture.
    SettingsError : see `sources.choose_faces`; or `alignment` has a pose, and the model takes motions as they are.
    """
    settings, alignment = settings or AnimationSettings(), alignment or AlignmentSettings()
    model = replace(model, size=settings.size or model.size)
    with nullcontext(faces) if faces else FaceFinder() as faces:
        found = faces.portrait(portrait, motions, settings.detector_bundle, portrait_landmarks)
        chosen = choose_faces(found, motions, settings)
        model = replace(model, always_crop=model.always_crop or len(found.faces) > 1)
        tracked = {face: faces.motion(motion, settings, clip_range) for face, motion in motions.items()}
        frame_rate = common_rate([one.motion for one in tracked.values()])
        paced = {
            face: replace(one, motion=faces.paced(one.motion, frame_rate, settings.loop))
            for face, one in tracked.items()
        }
        framed = [
            frame_face(found, number, paced[face], model, alignment, settings, faces)
            for number, face in chosen.items()
        ]
    if not isinstance(portrait, Portrait):  # else whoever found it told of it
        framed[0] = replace(framed[0], notes=(*found.notes(chosen), *framed[0].notes))
    return PreparedGroup(tuple(share_portrait(found, framed)))


def common_rate(motions: Collection[Motion]) -> float:
    """The highest frame rate of those that move."""
    return max(motion.frame_rate for motion in [one for one in motions if len(one) > 1] or motions)


def frame_face(
    found: Portrait,
    number: int,
    tracked: Tracked,
    model: ModelFraming,
    alignment: AlignmentSettings,
    settings: AnimationSettings,
    faces: FaceFinder,
) -> Prepared:
    """Align a motion to one face of a portrait and frame that for the model. Raises MotionError."""
    picture, landmarks = found.picture, found.faces[number - 1]
    aligned = place(picture, landmarks, tracked.motion, model, alignment, settings, faces)
    always_crop = model.always_crop or model.face_alone
    crop, cropped = choose_crop(picture, landmarks.points, aligned.points, settings.crop, always_crop)
    return Prepared(
        portrait=picture,
        landmarks=landmarks,
        framing=frame_portrait(picture, landmarks.points, aligned.points, crop, model, found.opacity),
        style=model.style,
        paste_back=cropped if settings.paste_back == "auto" else settings.paste_back,
        motion=tracked.motion,
        gaps=tracked.gaps,
        damage=tracked.damage,
        notes=(*tracked.notes, *aligned.notes),
        opacity=found.opacity,
        loop=settings.loop,
        number=number,
    )


def place(
    picture: np.ndarray,
    landmarks: Landmarks,
    motion: Motion,
    model: ModelFraming,
    alignment: AlignmentSettings,
    settings: AnimationSettings,
    faces: FaceFinder,
) -> Aligned:
    """A motion on a face of a `picture` (height, width, 3), in its pixels. Raises MotionError where that takes it far
    out, and SettingsError for a pose where the model takes motions as they are."""
    if model.in_picture:
        if alignment.pose:
            raise SettingsError(
                "this model takes motions as they are, so no pose can be added", settings=("pose",)
            )
        aligned = Aligned(align_in_picture(motion, landmarks))
    else:
        # Without a crop the middle square is all that is shown.
        whole = middle_square(picture, landmarks.points) if settings.crop is False else None
        room = None if whole is None else (whole.x, whole.y, whole.x + whole.side, whole.y + whole.side)
        aligned = faces.align(motion, landmarks, alignment, room)
    check_reach(aligned.points, picture, motion.source)
    return aligned


def share_portrait(found: Portrait, framed: Sequence[Prepared]) -> Sequence[Prepared]:
    """The same, each to be pasted where the picture is its face's own: see `face.sharing`."""
    if len(found.faces) == 1 or not framed[0].paste_back:
        return framed
    size = found.faces[0].size
    moving = {face.number: face.in_portrait(face.points_in_picture) for face in framed}
    still = [number for number in range(1, len(found.faces) + 1) if number not in moving]
    own = [found.faces[number - 1].points for number in (*moving, *still)]
    moved = [*moving.values(), *([np.empty((0, N_LANDMARKS, 2))] * len(still))]
    parts, scale = shares(own, moved, size)
    crops = [face.framing.crop for face in framed]
    weights = paste_weights(crops, parts[: len(crops)], scale, size)
    return [replace(face, weights=weight) for face, weight in zip(framed, weights, strict=True)]


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
