"""Which way up a face is, and whether its landmarks can be trusted.

MediaPipe finds a face in almost everything that has two dark spots over a third, an upside-down face among it. The mesh
that it lays there looks whole, but moves as soon as the picture is shifted or turned a little. Landmarks of a real,
upright face stay where they are.
"""

from __future__ import annotations

import cv2
import numpy as np

from .geometry import eye_distance, solve_metric_faces
from .search import Look

STEADY = 0.035
"""Disagreement up to which landmarks are trusted, see `disagreement`. Of 17 portraits (paintings, cartoons, sculptures,
animals) 15 have at most 0.023; the same pictures upside down have 0.049 to 0.26."""

FURTHEST_TILT = 60.0
"""Degrees that a head may be rolled in a picture that stands upright; beyond it the picture lies on its side."""

CROP_SIDE = 256  # pixels of the crops that are looked at
CROP_SHARES = (1.6, 2.0, 2.4)  # their sides over the face's
CROP_TILTS = (-20.0, 0.0, 20.0)  # their roll, degrees
LEAST_SEEN = 3  # of the nine crops that must show a face


def disagreement(look: Look, picture: np.ndarray, points: np.ndarray) -> float:
    """How far landmarks differ that are found anew in nine crops around a face, shifted in size and turned.

    Parameters
    ----------
    look : finds the faces in a picture without regard to what it saw before
    picture : uint8 (height, width, 3)
    points : (478, 2) pixels, the face's landmarks

    Returns
    -------
    The median over the crops of the mean distance of all points from their median place, in units of the distance
    between the outer eye corners; infinity where fewer than `LEAST_SEEN` crops show a face.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    centre, side = (low + high) / 2, float((high - low).max())
    seen = []
    for share in CROP_SHARES:
        for degrees in CROP_TILTS:
            turn = cv2.getRotationMatrix2D((0.0, 0.0), degrees, CROP_SIDE / max(share * side, 1.0))[:, :2]
            shift = CROP_SIDE / 2 - turn @ centre
            crop = cv2.warpAffine(
                picture,
                np.column_stack([turn, shift]),
                (CROP_SIDE, CROP_SIDE),
                flags=cv2.INTER_AREA,
                borderMode=cv2.BORDER_REPLICATE,
            )
            found = [face.normalised[:, :2] * CROP_SIDE for face in look(crop)]
            if found:
                nearest = min(found, key=lambda face: np.linalg.norm(face.mean(axis=0) - CROP_SIDE / 2))
                seen.append((nearest - shift) @ np.linalg.inv(turn).T)
    if len(seen) < LEAST_SEEN:
        return float("inf")
    faces = np.stack(seen)
    middle = np.median(faces, axis=0)
    unit = max(float(eye_distance(middle)), 1e-6)
    return float(np.median(np.linalg.norm(faces - middle, axis=-1).mean(axis=1)) / unit)


def tilt(normalised: np.ndarray, size: tuple[int, int]) -> float:
    """How far a head is rolled in its picture: degrees, 0 upright, positive to the right, -180 to 180.

    `normalised` (478, 3) are its landmarks in a picture of `size` (width, height).
    """
    pose = solve_metric_faces(normalised[None], size).poses[0]
    return float(np.degrees(np.arctan2(pose[0, 1], pose[1, 1])))
