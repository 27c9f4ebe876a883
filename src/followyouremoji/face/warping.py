"""A first guess of an animated portrait: its picture bent by its landmarks, as a thin plate.

The guess is right where the head merely turned and wrong where something opens, closes or comes into view. A network that is given it
learns from fewer examples what to keep, and carries over texture that it never saw in training.
"""

from __future__ import annotations

import cv2
import numpy as np

from followyouremoji.face.drawing import face_mask
from followyouremoji.face.topology import FACE_OVAL_LOOP, LEFT_EYEBROW, RIGHT_EYEBROW

NOSE_CHEEKS_FOREHEAD = (1, 2, 4, 6, 168, 98, 327, 50, 280, 205, 425, 9, 151)
EYE_CORNERS = (33, 133, 362, 263)
MOUTH = (61, 291, 0, 17)  # corners, and the outer lips' middles: lips that open are left to the network
GUIDES = np.array(
    [
        *FACE_OVAL_LOOP[::2],
        *np.unique(np.array(LEFT_EYEBROW))[::2],
        *np.unique(np.array(RIGHT_EYEBROW))[::2],
        *NOSE_CHEEKS_FOREHEAD,
        *EYE_CORNERS,
        *MOUTH,
    ]
)
STIFFNESS = 1e-3  # keeps the plate from folding where landmarks of a turned head crowd together
EDGE = 0.03  # of the face's height: how softly a generated face goes over into the guess, inside its contour
GRID = 4  # pixels between the places at which the plate is evaluated


def thin_plate(
    at: np.ndarray, values: np.ndarray, stiffness: float = STIFFNESS
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of the thin-plate spline that takes points `at` (n, 2) to `values` (n, 2), with coordinates of order one.

    Returns the weights of the radial functions (n, 2) and of the affine part (3, 2), as solved by Bookstein (1989), regularised by
    `stiffness` on the diagonal.
    """
    n = len(at)
    affine = np.concatenate([np.ones((n, 1)), at], axis=1)
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = radial(at, at) + stiffness * np.eye(n)
    system[:n, n:] = affine
    system[n:, :n] = affine.T
    solution = np.linalg.solve(system, np.concatenate([values, np.zeros((3, 2))]))
    return solution[:n], solution[n:]


def radial(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The thin plate's kernel r^2 log r between points (m, 2) and centres (n, 2): (m, n)."""
    squared = ((points[:, None] - centres) ** 2).sum(axis=-1)
    return 0.5 * squared * np.log(np.maximum(squared, 1e-12))


def warp_portrait(picture: np.ndarray, own_points: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Bend a portrait so that its face takes another pose.

    `picture` uint8 (height, width, 3); `own_points` and `points` (478, 2) are its landmarks as they are and as they shall be, in pixels.
    The picture's border stays where it is. Returns uint8 (height, width, 3).
    """
    height, width = picture.shape[:2]
    scale = np.array([width, height], np.float64)
    border = np.array([(x, y) for x in (0, 0.5, 1) for y in (0, 0.5, 1) if (x, y) != (0.5, 0.5)])
    at = np.concatenate([points[GUIDES] / scale, border])
    weights, affine = thin_plate(at, np.concatenate([own_points[GUIDES] / scale, border]))
    columns, rows = np.arange(GRID / 2, width, GRID), np.arange(GRID / 2, height, GRID)
    places = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2) / scale
    source = radial(places, at) @ weights + affine[0] + places @ affine[1:]
    offsets = ((source - places) * scale).reshape(len(rows), len(columns), 2).astype(np.float32)
    offsets = cv2.resize(offsets, (width, height), interpolation=cv2.INTER_LINEAR)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(
        picture, x + offsets[..., 0], y + offsets[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def blend_face(guess: np.ndarray, generated: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A generated face, softly edged, in the bent portrait, whose contour and surroundings are sharp and follow the landmarks.

    `guess` and `generated` uint8 (height, width, 3); `points` (478, 2) are the face's landmarks in their pixels. Returns uint8 alike.
    """
    height, width = guess.shape[:2]
    edge = max(1.0, EDGE * float(np.ptp(points[:, 1])))
    mask = face_mask(points, (width, height)).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(1.5 * edge) + 1,) * 2)
    soft = cv2.GaussianBlur(cv2.erode(mask, kernel).astype(np.float32), (0, 0), edge)[..., None]
    return np.rint(guess + soft * (generated.astype(np.float32) - guess)).astype(np.uint8)
