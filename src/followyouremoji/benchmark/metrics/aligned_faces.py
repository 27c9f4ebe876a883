"""Faces as networks of face recognition expect them: 112x112, turned, scaled and moved so that eyes, nose and mouth lie
where ArcFace has them (Deng et al. 2019, Sec. 3.1; SFace is trained on the same crops)."""

from __future__ import annotations

import cv2
import numpy as np

from followyouremoji.face.topology import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS

FACE_SIZE = 112
NOSE_TIP, RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER = 4, 61, 291
# Right eye, left eye, nose tip, right and left corner of the mouth; the centre of the first pixel is at 0.
ARCFACE_POINTS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


def five_points(points: np.ndarray) -> np.ndarray:
    """Of landmarks (..., 478, 2): right eye, left eye, nose tip, right and left corner of the mouth, (..., 5, 2).

    An eye is the middle between its corners, which stays where it is when the eye looks elsewhere or closes.
    """
    eyes = [points[..., list(corners), :].mean(axis=-2) for corners in (RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS)]
    others = [points[..., index, :] for index in (NOSE_TIP, RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER)]
    return np.stack([*eyes, *others], axis=-2)


def similarity(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The matrix (2, 3) that turns, scales and moves points (n, 2) as near to `target` as possible, least squares.

    Written as complex numbers, x + iy, the map is z -> az + b, linear in a and b; a mirror image is none of these.
    """
    z, goal = points @ [1, 1j], target @ [1, 1j]
    offset = z - z.mean()
    a = np.vdot(offset, goal) / np.vdot(offset, offset).real
    b = goal.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def aligned_face(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The face of a frame (height, width, 3) with landmarks (478, 2) in pixels, uint8 (112, 112, 3); black beyond the
    frame."""
    # OpenCV has the centre of the first pixel at 0, landmarks have it at 0.5.
    matrix = similarity(five_points(points.astype(np.float64)) - 0.5, ARCFACE_POINTS)
    return cv2.warpAffine(frame, matrix, (FACE_SIZE, FACE_SIZE), flags=cv2.INTER_LINEAR)
