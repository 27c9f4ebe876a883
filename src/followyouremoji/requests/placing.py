"""Portraits whose faces are known by points that a person placed, and points for a person to begin with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from followyouremoji.errors import FaceNotFound
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.fitting import fit_face
from followyouremoji.face.orientation import FURTHEST_TILT, tilt
from followyouremoji.face.placed_points import PlacedPoints
from followyouremoji.requests.bundled import portrait_landmarks
from followyouremoji.sources import Face, Portrait, find_portrait


def found_portrait(
    detector: FaceDetector,
    layers: np.ndarray,
    path: Path,
    faces: Collection[Face] = (None,),
    placed: PlacedPoints | None = None,
) -> Portrait:
    """A portrait uint8 (height, width, 3 or 4) with its faces: by the points `placed` on one, as they are known of a
    bundled portrait, or as the detector finds those that are wanted. Raises FaceNotFound where there is none."""
    source, known = str(path), portrait_landmarks(path)
    if placed is not None:
        return placed_portrait(layers, placed, source)
    if known is None:
        return find_portrait(detector, layers, source, faces)
    return Portrait(layers, (Landmarks(known, (layers.shape[1], layers.shape[0])),), source)


def placed_portrait(layers: np.ndarray, placed: PlacedPoints, source: str) -> Portrait:
    """A portrait uint8 (height, width, 3 or 4), which `source` names in messages, turned upright by the face whose
    points are `placed` on it, in its pixels."""
    fitted = fit_face(placed.points, placed.picture)
    lies = tilt(fitted.landmarks.normalised, placed.picture)
    turns = round(lies / 90) % 4 if abs(lies) > FURTHEST_TILT else 0
    if turns:
        turned = placed.turned(turns)
        fitted = fit_face(turned.points, turned.picture)
    landmarks = replace(fitted.landmarks, quarter_turns=turns)
    upright = np.ascontiguousarray(np.rot90(layers, turns))
    remarks: tuple[str, ...] = ()
    if fitted.doubted:
        names = ", ".join(fitted.doubted)
        remarks = (
            f"Points that do not fit all others were left out: {names}. See that they are in their places.",
        )
    return Portrait(upright, (landmarks,), source, remarks)


def starting_points(
    detector: FaceDetector,
    layers: np.ndarray,
    source: str,
    face: int | None = None,
    known: np.ndarray | None = None,
) -> tuple[PlacedPoints, bool]:
    """Points to begin with on a portrait's `face`, the largest where it is None, and whether it was found.

    `known` are its landmarks (478, 3), normalised, where they need not be looked for. Without a face the points are of
    an ordinary one in the middle of the picture. Raises FaceNotFound where `face` names one that is not there.
    """
    if known is not None:
        found = Landmarks(known, (layers.shape[1], layers.shape[0]))
        return PlacedPoints.of(found), True
    try:
        portrait = find_portrait(detector, layers, source, (face,))
        (number,) = portrait.numbers(face)
        landmarks = portrait.faces[number - 1]
    except FaceNotFound:
        if face is not None:
            raise
        return PlacedPoints.template((layers.shape[1], layers.shape[0])), False
    return PlacedPoints.of(landmarks).turned(-landmarks.quarter_turns), True
