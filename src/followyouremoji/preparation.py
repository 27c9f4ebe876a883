"""From a portrait and a motion to what is generated: the portrait framed, the motion aligned. Needs no torch.

Everything that can be known before a network runs is here, so that a preview of the landmark pictures costs no model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from followyouremoji.errors import MotionError, SettingsError, shown
from followyouremoji.face.alignment import Aligned, align_in_picture
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.heads import Room
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.sharing import shares
from followyouremoji.face.topology import N_LANDMARKS
from followyouremoji.face_finder import FaceFinder
from followyouremoji.framing import (
    ModelFraming,
    choose_crop,
    corners,
    frame_portrait,
    middle_square,
    paste_weights,
)
from followyouremoji.media.ranges import WHOLE, ClipRange
from followyouremoji.prepared import Prepared, PreparedGroup
from followyouremoji.settings import AnimationSettings, Switch
from followyouremoji.sources import Face, MotionSource, Portrait, PortraitSource, Tracked, choose_faces

REACH = 0.5
"""How far aligned landmarks may lie outside a picture, over its longer side."""


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
    aligned = place(landmarks, tracked.motion, model, alignment, settings, faces)
    always_crop = model.always_crop or model.face_alone
    crop, cropped = choose_crop(picture, landmarks.points, aligned.points, settings.crop, always_crop)
    paste_back = cropped if settings.paste_back == "auto" else settings.paste_back
    return Prepared(
        portrait=picture,
        landmarks=landmarks,
        framing=frame_portrait(
            picture, landmarks.points, aligned.points, crop, model, found.opacity, paste_back
        ),
        style=model.style,
        paste_back=paste_back,
        motion=tracked.motion,
        gaps=tracked.gaps,
        damage=tracked.damage,
        notes=(*tracked.notes, *aligned.notes),
        opacity=found.opacity,
        loop=settings.loop,
        number=number,
    )


def place(
    landmarks: Landmarks,
    motion: Motion,
    model: ModelFraming,
    alignment: AlignmentSettings,
    settings: AnimationSettings,
    faces: FaceFinder,
) -> Aligned:
    """A motion on a face with `landmarks`, in pixels of its picture.

    Raises MotionError where that takes it far out, and SettingsError for a pose where the model takes motions as they
    are.
    """
    if model.in_picture:
        if alignment.pose:
            raise SettingsError(
                "this model takes motions as they are, so no pose can be added", settings=("pose",)
            )
        aligned = Aligned(align_in_picture(motion, landmarks))
    else:
        aligned = faces.align(motion, landmarks, alignment, room_in(landmarks, settings.crop))
    check_reach(aligned.points, landmarks.size, motion.source)
    return aligned


def room_in(landmarks: Landmarks, crop: Switch) -> Room | None:
    """What a head's travel stays in, see `align`: without a crop the middle square is all that is shown of a picture.

    Raises SettingsError where the face with these `landmarks` lies outside it.
    """
    if crop is not False:
        return None
    square = middle_square(landmarks.size, landmarks.points)
    return square.x, square.y, square.x + square.side, square.y + square.side


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


def check_reach(points: np.ndarray, size: tuple[int, int], source: str) -> None:
    """Raise MotionError where aligned landmarks (T, 478, 2) leave a picture of `size` (width, height) by more than
    `REACH` of its longer side: nothing good comes of that, and the square around them all may need more memory than
    there is."""
    low, high = corners(points)
    outside = float(np.max([-low, np.subtract(high, size)]))
    if not outside <= REACH * max(size):  # also where a point is NaN
        raise MotionError(
            f"{shown(source)} takes the portrait's face far out of its picture, by {outside:.3g} pixels: the motion is damaged, or it does not suit "
            "this portrait; head motion relative to the portrait's own pose stays inside."
        )
