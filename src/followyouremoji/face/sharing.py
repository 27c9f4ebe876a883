"""Whose each place of a picture is, where faces are so near each other that the squares around them overlap."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from followyouremoji.face.easing import smooth_step
from followyouremoji.face.topology import FACE_OVAL_LOOP

LONGER_SIDE = 1024
"""Pixels of the picture in which shares are computed."""

SEAM = (0.25, 0.75)
"""Where between two faces, from 0 at the one to 1 at the other, the one's share goes over into the other's. Up to there
each has its surroundings to itself, and the faces themselves are surely whole."""


def shares(
    own: Sequence[np.ndarray], moved: Sequence[np.ndarray], size: tuple[int, int]
) -> tuple[list[np.ndarray], float]:
    """How much of each place of a picture belongs to each of several faces, together 1 everywhere.

    A place belongs to the face that it is nearest to, by its distance from where the face is and from all that the face
    moves over. Where one moves over another, the other's own place stays the other's.

    Parameters
    ----------
    own : each face's landmarks (478, 2), pixels of the picture.
    moved : the places (T, 478, 2) that they take in turn; T is 0 for a face that keeps still.
    size : (width, height) of the picture.

    Returns
    -------
    float32 (height, width) each, of the picture scaled to `LONGER_SIDE` at most; and that scale.
    """
    scale = min(1.0, LONGER_SIDE / max(size))
    small = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    far = [
        _distance(rest[None] * scale, small) + _distance(np.concatenate([rest[None], places]) * scale, small)
        for rest, places in zip(own, moved, strict=True)
    ]
    weights = [
        np.prod([_against(mine, other) for other in far if other is not mine], axis=0, dtype=np.float32)
        for mine in far
    ]
    total = np.sum(weights, axis=0)  # never 0: the nearest face has half of it against each other one
    return [weight / total for weight in weights], scale


def share_in(share: np.ndarray, scale: float, part: tuple[slice, slice]) -> np.ndarray:
    """A share in a part (rows, columns) of the whole picture, in the picture's own pixels: float32."""
    rows, columns = part
    placing = np.array(
        [[scale, 0, scale * (columns.start + 0.5) - 0.5], [0, scale, scale * (rows.start + 0.5) - 0.5]]
    )
    size = (columns.stop - columns.start, rows.stop - rows.start)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    placed: np.ndarray = cv2.warpAffine(share, placing, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return placed


def _distance(places: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """How far each pixel of a picture of `size` is from the convex hull of faces (T, 478, 2): float32, 0 inside."""
    outside = np.ones(size[::-1], np.uint8)
    oval = places[:, list(FACE_OVAL_LOOP)].reshape(-1, 1, 2)
    cv2.fillConvexPoly(outside, np.rint(cv2.convexHull(oval.astype(np.float32))).astype(np.int32), (0,))
    return cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def _against(mine: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The share of a face against one other, from how far both are."""
    between = mine + other
    place = np.where(between > 0, mine / np.maximum(between, 1e-6), 0.5)
    return smooth_step(place, *SEAM[::-1]).astype(np.float32)
