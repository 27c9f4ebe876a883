"""Poses that the networks need not make: which of a motion lie so evenly between others that are generated, and how
they are made of these.

The bounds and weights below were chosen on six portraits and clips: docs/measurements/frames.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from followyouremoji.face.topology import (
    INNER_LIPS_LOWER,
    INNER_LIPS_UPPER,
    LEFT_EYE_CORNERS,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    LEFT_IRIS,
    N_MESH,
    RIGHT_EYE_CORNERS,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
    RIGHT_IRIS,
)

EVEN = 0.012
"""Of a window's side, 1.5 of 128 pixels: how far a landmark may lie from where it would be if it moved evenly."""

GAPS_EVEN = 0.006
"""The same of the gaps of eyes and mouth and of the glance, see `face_gaps`: what shows there changes evenly, too."""

GAPS_MOVED = 0.03
"""Of a window's side, 4 of 128 pixels: how far these may go from one generated pose to the next. Beyond it one of the
two shows what the other hides, and an iris would come half transparent between."""

FURTHEST = 6
"""Poses from one that is generated to the next, at most."""

NEAR = 0.01  # of a window's side: about so far from a landmark pixels go with it
FAR = 8  # times as far, where there are none nearer
FAR_WEIGHT = 0.02
IRIS_WEIGHT = 4.0  # five points of an iris, on which lids crowd, move it as a whole

_UPPER = np.array([*RIGHT_EYE_UPPER, *LEFT_EYE_UPPER, *INNER_LIPS_UPPER])
_LOWER = np.array([*RIGHT_EYE_LOWER, *LEFT_EYE_LOWER, *INNER_LIPS_LOWER])
_CORNERS = np.array([RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS])


def generated_poses(points: np.ndarray, size: int, cuts: Sequence[int] = ()) -> np.ndarray:
    """The poses that have to be generated of landmarks (P, 478, 2), pixels of windows of `size`: ascending indices.

    They hold the first and the last of each scene; `cuts` are the poses that begin one but the first. Each of the
    others lies between two of them, at most `FURTHEST` and `GAPS_MOVED` apart, within `EVEN` and `GAPS_EVEN` of the
    straight line.
    """
    points = points / size
    gaps = face_gaps(points)
    made: list[int] = []
    for start, stop in pairwise([0, *cuts, len(points)]):
        at = start
        made.append(at)
        while at < stop - 1:
            at = _next(points, gaps, at, min(at + FURTHEST, stop - 1))
            made.append(at)
    return np.array(made, int)


def face_gaps(points: np.ndarray) -> np.ndarray:
    """What opens, closes and glances in a face with landmarks (..., 478, 2): (..., 29, 2), from lower to upper lids and
    lips, and from the middles of the eyes' corners to the irises."""
    irises = points[..., [RIGHT_IRIS, LEFT_IRIS], :] - points[..., _CORNERS, :].mean(axis=-2)
    return np.concatenate([points[..., _UPPER, :] - points[..., _LOWER, :], irises], axis=-2)


def _next(points: np.ndarray, gaps: np.ndarray, start: int, last: int) -> int:
    """The furthest pose up to `last` that the poses after `start` lead to evenly; all in shares of a window's side."""
    reached = start + 1
    for end in range(start + 2, last + 1):
        moved = np.linalg.norm(gaps[end] - gaps[start], axis=-1).max()
        if moved > GAPS_MOVED or _uneven(gaps, start, end) > GAPS_EVEN or _uneven(points, start, end) > EVEN:
            break
        reached = end
    return reached


def _uneven(places: np.ndarray, start: int, end: int) -> float:
    """How far places (P, n, 2) are at most from the straight line between two poses, at those between."""
    shares = np.arange(1, end - start)[:, None, None] / (end - start)
    even = places[start] + shares * (places[end] - places[start])
    return float(np.sqrt(((places[start + 1 : end] - even) ** 2).sum(axis=-1).max()))


@dataclass(frozen=True)
class GeneratedPose:
    """A pose that was generated: `picture` uint8 (size, size, 3), landmarks `points` (478, 2) in its pixels, and what
    the autoencoder `lost` of its warped portrait, float32 (size, size, 3)."""

    picture: np.ndarray
    points: np.ndarray
    lost: np.ndarray

    @classmethod
    def of(
        cls, picture: np.ndarray, coded: np.ndarray, warp: np.ndarray, points: np.ndarray
    ) -> GeneratedPose:
        """Of its picture, its warped portrait once through the autoencoder, and that itself: uint8 (size, size, 3)."""
        return cls(picture, points, warp - coded.astype(np.float32))


def pose_between(
    before: GeneratedPose, after: GeneratedPose, share: float, points: np.ndarray, warp: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A pose a `share` of the way from one generated pose to another, of its own landmarks `points` (478, 2) and warped
    portrait uint8 (size, size, 3).

    Both generated pictures move with the landmarks and are mixed. Returns it and its warped portrait once through the
    autoencoder, uint8 (size, size, 3) both: windows follow the face, so what that loses hardly changes.
    """
    movements = np.concatenate([before.points - points, after.points - points], axis=-1)
    spread = spread_movements(points, movements, len(warp))
    first, second = (_moved(one.picture, spread[..., at : at + 2]) for one, at in ((before, 0), (after, 2)))
    mixed = cv2.addWeighted(first, 1 - share, second, share, 0)
    lost = cv2.addWeighted(before.lost, 1 - share, after.lost, share, 0)
    return mixed, cv2.subtract(warp, lost, dtype=cv2.CV_8U)


def spread_movements(points: np.ndarray, movements: np.ndarray, size: int) -> np.ndarray:
    """Movements (478, n) of landmarks `points` (478, 2) as those of all pixels around them: float32 (size, size, n).

    Each pixel's is the mean of the landmarks', weighted by a Gaussian of their distance: a normalised convolution
    (Knutsson and Westin 1993), with a wide one's small share, which counts where there are none near.
    """
    weights = np.where(np.arange(len(points)) < N_MESH, 1.0, IRIS_WEIGHT)[:, None]
    values = np.concatenate([weights, weights * movements], axis=1)
    corner = np.floor(points - 0.5).astype(int)
    part = points - 0.5 - corner
    cells, amounts = [], []
    for step in np.array([(0, 0), (0, 1), (1, 0), (1, 1)]):
        x, y = np.clip(corner + step, 0, size - 1).T
        cells.append(y * size + x)
        amounts.append(values * np.where(step, part, 1 - part).prod(axis=1, keepdims=True))
    cell, amount = np.concatenate(cells), np.concatenate(amounts)
    planes = [np.bincount(cell, column, size * size).reshape(size, size) for column in amount.T]
    there = np.stack(planes, axis=-1).astype(np.float32)
    near = cv2.GaussianBlur(there, (0, 0), NEAR * size, borderType=cv2.BORDER_CONSTANT)
    few = cv2.resize(there, None, fx=1 / FAR, fy=1 / FAR, interpolation=cv2.INTER_AREA)
    few = cv2.GaussianBlur(few, (0, 0), NEAR * size, borderType=cv2.BORDER_CONSTANT)
    near += FAR_WEIGHT * cv2.resize(few, (size, size), interpolation=cv2.INTER_LINEAR)
    spread: np.ndarray = near[..., 1:] / near[..., :1]
    return spread


def _moved(picture: np.ndarray, movement: np.ndarray) -> np.ndarray:
    """A picture of which each pixel comes from so far beside it."""
    rows, columns = np.indices(picture.shape[:2], np.float32)
    x, y = columns + movement[..., 0], rows + movement[..., 1]
    return cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
