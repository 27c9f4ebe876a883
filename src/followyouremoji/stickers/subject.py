"""The part of a portrait that a sticker shows: the head cut out, or a square of the picture around the face."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.placed_points import PlacedPoints
from followyouremoji.media.cropping import face_crop
from followyouremoji.media.pictures import read_layers, resize_picture
from followyouremoji.requests.bundled import portrait_path
from followyouremoji.requests.placing import found_portrait
from followyouremoji.sources import Portrait
from followyouremoji.stickers.composing import Box, opaque_box
from followyouremoji.stickers.matte import cut_out
from followyouremoji.stickers.request import PortraitRequest

ROOM = 0.2
"""Around what is cut out, for the head to move in, over the longer side."""

KEPT = 3.0
"""The side of a square around the face over the face's, where the background is kept and the picture is so large."""


@dataclass(frozen=True)
class Subject:
    """A portrait whose face is found; `number` is that of the one that moves."""

    portrait: Portrait
    number: int

    @classmethod
    def read(cls, request: PortraitRequest, detector: FaceDetector) -> Subject:
        """Raises UserError where the portrait cannot be read, or has no such face."""
        path = portrait_path(request.portrait)
        layers = read_layers(path)
        placed = None
        if request.points is not None:
            size = (layers.shape[1], layers.shape[0])
            placed = PlacedPoints.read(request.points).scaled_to(size, request.points)
        found = found_portrait(detector, layers, path, (request.face,), placed)
        (number,) = found.numbers(request.face)
        return cls(found, number)

    @property
    def landmarks(self) -> Landmarks:
        return self.portrait.faces[self.number - 1]

    def shown(self, removed: bool, side: int) -> Portrait:
        """What is seen, with the moving face alone. With the background `removed`, head and hair, at most `side` pixels
        large, with some room around; else a square of the picture.

        Raises PictureError where nothing is left without the background.
        """
        layers, landmarks = self.portrait.layers, self.landmarks
        if removed:
            layers = cut_out(layers, landmarks.points)
            left, top, right, bottom = opaque_box([layers])
            longer = max(right - left, bottom - top)
            room = round(ROOM * longer)
            box = left - room, top - room, right + room, bottom + room
        else:
            box = square_around(landmarks)
            longer = box[2] - box[0]
        picture, landmarks = cut(layers, landmarks, box, min(1.0, side / longer))
        return replace(self.portrait, layers=picture, faces=(landmarks,))


def square_around(landmarks: Landmarks) -> Box:
    """The square around a face, moved into its picture, and no larger than that."""
    width, height = landmarks.size
    crop = face_crop(landmarks.points, KEPT)
    side = min(width, height, round(crop.side))
    shift = (crop.side - side) / 2
    left = min(max(round(crop.x + shift), 0), width - side)
    top = min(max(round(crop.y + shift), 0), height - side)
    return left, top, left + side, top + side


def cut(layers: np.ndarray, landmarks: Landmarks, box: Box, scale: float) -> tuple[np.ndarray, Landmarks]:
    """A box of a picture uint8 (height, width, 3 or 4), scaled, with the landmarks in it. It may reach outside the
    picture; where that is transparent, so is what lies outside."""
    left, top, right, bottom = box
    height, width = layers.shape[:2]
    outside = ((max(0, -top), max(0, bottom - height)), (max(0, -left), max(0, right - width)))
    padded = np.pad(layers, (*outside, (0, 0)), mode="edge")
    if layers.shape[2] == 4:
        padded[..., 3] = np.pad(layers[..., 3], outside)
    part = padded[top + outside[0][0] :, left + outside[1][0] :][: bottom - top, : right - left]
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    points = landmarks.normalised * (width, height, width) - (left, top, 0)
    normalised = points / (right - left, bottom - top, right - left)
    return resize_picture(part, size), replace(landmarks, normalised=normalised.astype(np.float32), size=size)
