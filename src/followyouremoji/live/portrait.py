"""A portrait made ready for a motion that nobody knows yet. Needs no torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from followyouremoji.errors import SettingsError
from followyouremoji.face.heads import Room
from followyouremoji.framing import ModelFraming, choose_crop, corners, frame_portrait
from followyouremoji.media.cropping import Crop
from followyouremoji.media.pictures import LEAST_SIDE, resize_picture
from followyouremoji.preparation import room_in, share_portrait
from followyouremoji.prepared import Prepared
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import Portrait, still_motion

TRAVEL = 0.25
"""How far the face may go to each side, in sides of its box: so much of the portrait is set in motion around it."""


def scaled(found: Portrait, longer_side: int | None) -> Portrait:
    """The portrait with a longer side of at most so many pixels. Raises SettingsError for a side that is no
    picture's."""
    if longer_side is None:
        return found
    if longer_side < LEAST_SIDE:
        raise SettingsError(
            f"A live picture must have at least {LEAST_SIDE} pixels, not {longer_side}.", settings=("size",)
        )
    height, width = found.layers.shape[:2]
    if max(height, width) <= longer_side:
        return found
    scale = longer_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    faces = tuple(replace(face, size=size) for face in found.faces)
    return replace(found, layers=resize_picture(found.layers, size), faces=faces)


def prepare_live(
    found: Portrait, number: int, model: ModelFraming, settings: AnimationSettings
) -> tuple[Prepared, Room]:
    """Face `number` of a portrait, framed so that its head has room to move, and that room.

    The result's one pose is the portrait's own; `Prepared.posed` gives others. It is pasted back unless `settings`
    forbid it. Raises as `preparation.prepare`.
    """
    landmarks = found.faces[number - 1]
    own = still_motion(landmarks, found.source)
    room = room_in(landmarks, settings.crop) or live_room(landmarks.points, landmarks.size)
    always_crop = model.always_crop or model.face_alone or len(found.faces) > 1
    reach = np.reshape(room, (1, 2, 2))
    crop, cropped = choose_crop(found.picture, landmarks.points, reach, settings.crop, always_crop)
    if cropped:
        crop = within_picture(crop, landmarks.size)
    paste_back = settings.paste_back is not False
    prepared = Prepared(
        portrait=found.picture,
        landmarks=landmarks,
        framing=frame_portrait(
            found.picture, landmarks.points, landmarks.points[None], crop, model, found.opacity, paste_back
        ),
        style=model.style,
        paste_back=paste_back,
        motion=own,
        opacity=found.opacity,
        number=number,
    )
    return share_portrait(found, [prepared])[0], room


def live_room(points: np.ndarray, size: tuple[int, int]) -> Room:
    """What a face with landmarks `points` (478, 2) stays in, of a picture of `size`."""
    low, high = corners(points)
    reach = TRAVEL * float((high - low).max())
    left, top = np.maximum(low - reach, 0.0)
    right, bottom = np.minimum(high + reach, size)
    return float(left), float(top), float(right), float(bottom)


def within_picture(crop: Crop, size: tuple[int, int]) -> Crop:
    """The crop, no larger than the longer side of a picture of `size`, and moved into it as far as it goes: beyond it
    there is nothing to set in motion."""
    side = min(crop.side, float(max(size)))
    middle = np.array([crop.x, crop.y]) + crop.side / 2
    low = np.array(size) - side
    x, y = np.clip(middle - side / 2, np.minimum(low, 0.0), np.maximum(low, 0.0))
    return Crop(float(x), float(y), side)
