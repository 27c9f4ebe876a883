"""Portraits whose faces are known by points that a person placed, and points for a person to begin with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from followyouremoji.errors import FaceNotFound
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.fitting import fit_face
from followyouremoji.face.orientation import FURTHEST_TILT, tilt
from followyouremoji.face.placed_points import PlacedPoints
from followyouremoji.framing import middle_square
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import Portrait, find_portrait, notes_on_landmarks


def placed_portrait(
    layers: np.ndarray, placed: PlacedPoints, settings: AnimationSettings, source: str
) -> Portrait:
    """A portrait uint8 (height, width, 3 or 4), which `source` names in messages, turned upright by the face whose
    points are `placed` on it, in its pixels.

    Raises SettingsError where `settings` ask for no crop and the face is not in the middle square.
    """
    fitted = fit_face(placed.points, placed.picture)
    lies = tilt(fitted.landmarks.normalised, placed.picture)
    turns = round(lies / 90) % 4 if abs(lies) > FURTHEST_TILT else 0
    if turns:
        turned = placed.turned(turns)
        fitted = fit_face(turned.points, turned.picture)
    landmarks = replace(fitted.landmarks, quarter_turns=turns)
    upright = np.ascontiguousarray(np.rot90(layers, turns))
    if settings.crop is False:
        middle_square(upright, landmarks.points)
    notes = notes_on_landmarks(landmarks, source)
    if fitted.doubted:
        names = ", ".join(fitted.doubted)
        notes += (
            f"Points that do not fit all others were left out: {names}. See that they are in their places.",
        )
    return Portrait(upright, landmarks, notes)


def starting_points(
    detector: FaceDetector,
    layers: np.ndarray,
    settings: AnimationSettings,
    source: str,
    known: np.ndarray | None = None,
) -> tuple[PlacedPoints, bool]:
    """Points to begin with on a portrait, and whether they are of a face that was found; parameters as of
    `find_portrait`. Without one they are of an ordinary face in the middle of the picture."""
    try:
        landmarks = find_portrait(detector, layers, replace(settings, crop=True), source, known).landmarks
    except FaceNotFound:
        if settings.face is not None:
            raise
        return PlacedPoints.template((layers.shape[1], layers.shape[0])), False
    return PlacedPoints.of(landmarks).turned(-landmarks.quarter_turns), True
