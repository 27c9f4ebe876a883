"""The piecewise-affine warp, triangle by triangle over the face mesh: a baseline, and a way to flatten a face's
texture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from followyouremoji.face.topology import (
    FACE_OVAL_LOOP,
    INNER_EYE_CORNERS,
    INNER_LIPS_LOWER,
    INNER_LIPS_UPPER,
    LEFT_EYE_LOOP,
    LEFT_IRIS,
    N_LANDMARKS,
    N_MESH,
    RIGHT_EYE_LOOP,
    RIGHT_IRIS,
    TRIANGLES,
    mean_face,
    rigid_weights,
)

RING_PLACE = 0.45  # of the way from the face's oval to the picture's border: the ring that goes with the head, about at the hair's edge
SUBPIXEL = 4  # binary places of the coordinates of triangles
BEYOND = 0.5  # of a triangle: how far outside of it its texture is still taken
LEAST_AREA = 1e-3  # square pixels: smaller triangles have no inside


def ring_strip(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """Triangles (2n, 3) between two closed loops of n vertices each."""
    first, second = np.roll(inner, -1), np.roll(outer, -1)
    return np.concatenate([np.stack([inner, first, outer], axis=1), np.stack([first, second, outer], axis=1)])


def fan(loop: tuple[int, ...], centre: int) -> np.ndarray:
    """Triangles (n, 3) from a centre to the edges of a closed loop of n vertices."""
    edge = np.array(loop)
    return np.stack([edge, np.roll(edge, -1), np.full(len(edge), centre)], axis=1)


def lips_strip() -> np.ndarray:
    """Triangles that close the mouth's hole, between the upper and the lower inner lip, without the two of no area at
    its corners."""
    upper, lower = np.array(INNER_LIPS_UPPER), np.array(INNER_LIPS_LOWER)
    quads = np.stack([upper[:-1], upper[1:], lower[1:], lower[:-1]], axis=1)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return triangles[[len(set(triangle)) == 3 for triangle in triangles.tolist()]]


FACE_TRIANGLES = np.concatenate(
    [TRIANGLES, fan(RIGHT_EYE_LOOP, RIGHT_IRIS), fan(LEFT_EYE_LOOP, LEFT_IRIS), lips_strip()]
)
"""The face mesh with its holes closed: eyes by fans around the iris's centre, the mouth by a strip between the lips."""

_OVAL = np.array(FACE_OVAL_LOOP)
_RING = N_LANDMARKS + np.arange(len(_OVAL))
_BORDER = _RING[-1] + 1 + np.arange(len(_OVAL))
HEAD_TRIANGLES = np.concatenate([ring_strip(_OVAL, _RING), ring_strip(_RING, _BORDER)])
"""Around the face: from its oval to a ring around the head (vertices 478 to 513), and on to the picture's border (514
to 549)."""


@dataclass(frozen=True)
class Covering:
    """Which triangle covers each pixel of a picture: vertex numbers and barycentric weights, both (height, width, 3).

    Pixels that no triangle covers have weights of zero.
    """

    vertices: np.ndarray
    weights: np.ndarray

    def take(self, picture: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The picture warped so that its points `places` (n, 2), in pixels, come to the covering's vertices.

        `picture` uint8 (h, w, 3). Pixels without a triangle are not changed. Returns uint8 (height, width, 3).
        """
        height, width = self.weights.shape[:2]
        source = np.einsum("hwk,hwkc->hwc", self.weights, places[self.vertices])
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        bare = self.weights.sum(axis=-1) == 0
        source[bare] = np.stack([x, y], axis=-1)[bare]
        maps = (source - 0.5).astype(np.float32)
        return cv2.remap(
            picture, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )


def cover(points: np.ndarray, triangles: np.ndarray, size: tuple[int, int]) -> Covering:
    """Draw triangles one over the other, the last on top.

    `points` (n, 2) pixels, `triangles` (m, 3) of their numbers, `size` (width, height).
    """
    width, height = size
    corners = points[triangles].astype(np.float64)  # m, 3, 2
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
    drawn = np.flatnonzero(area > LEAST_AREA)
    fixed = np.rint((corners - 0.5) * (1 << SUBPIXEL)).astype(np.int32)  # OpenCV counts from pixel centres
    numbers = np.full((height, width), -1, np.int32)
    for number in drawn.tolist():
        cv2.fillConvexPoly(numbers, fixed[number], (number,), shift=SUBPIXEL)
    inverse = np.zeros((len(triangles), 3, 3))
    rows = np.concatenate([corners[drawn], np.ones((len(drawn), 3, 1))], axis=-1)
    inverse[drawn] = np.linalg.inv(rows)
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    weights = np.einsum("hwi,hwik->hwk", np.stack([x, y, np.ones_like(x)], axis=-1), inverse[numbers])
    weights[numbers < 0] = 0.0
    # Filling takes pixels that a triangle's edge only touches, whose centres lie a little outside: what is right for
    # them is right for the neighbour too. Of a sliver, a little outside is far away.
    far = weights.min(axis=-1) < -BEYOND
    weights[far] = np.clip(weights[far], 0.0, None)
    weights[far] /= weights[far].sum(axis=-1, keepdims=True)
    return Covering(triangles[numbers], weights)


def mesh_depth(points: np.ndarray) -> np.ndarray:
    """How far from the camera the 468 mesh points are, in no particular unit, from a weak-perspective fit of the mean
    face.

    `points` (478, 2) or (468, 2) pixels. Landmarks without a depth, as aligned ones are, get an order for folded
    triangles by it.
    """
    weights = np.sqrt(rigid_weights())[:, None]
    system = np.concatenate([mean_face(), np.ones((N_MESH, 1))], axis=1)
    solution, *_ = np.linalg.lstsq(weights * system, weights * points[:N_MESH], rcond=None)
    right, down = solution[:3].T
    return mean_face() @ np.cross(right, down)


def nearest_last(points: np.ndarray) -> np.ndarray:
    """`FACE_TRIANGLES` in the order in which to draw them, far ones first."""
    depth = mesh_depth(points)
    irises = depth[np.repeat(INNER_EYE_CORNERS, 5)]  # which lie as deep
    depth = np.concatenate([depth, irises])
    return FACE_TRIANGLES[np.argsort(-depth[FACE_TRIANGLES].mean(axis=1), kind="stable")]


def head_outline(points: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The ring around the head and where its rays from the face's centre meet the picture's border, both (36, 2)
    pixels."""
    oval = points[_OVAL].astype(np.float64)
    centre = np.clip(oval.mean(axis=0), 1.0, np.array(size) - 1.0)
    ray = oval - centre
    ray[np.abs(ray) < 1e-6] = 1e-6
    reach = np.where(ray > 0, np.array(size) - centre, centre) / np.abs(ray)  # of each side of the picture
    border = centre + reach.min(axis=1, keepdims=True) * ray
    return oval + RING_PLACE * (border - oval), border


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The turn, scale and shift of the plane that takes `source` (n, 2) closest to `target` (n, 2): (2, 2) and (2,),
    Umeyama 1991."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    squares = float((a**2).sum())
    cosine, sine = (a * b).sum() / squares, (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / squares
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return turn, target.mean(axis=0) - turn @ source.mean(axis=0)


def mesh_warp(picture: np.ndarray, own_points: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A portrait warped triangle by triangle so that its landmarks come to other positions.

    `picture` uint8 (height, width, 3); `own_points` and `points` (478, 2) are its landmarks as they are and as they
    shall be, in pixels. A ring around the head turns, grows and moves with the face's oval; the picture's border stays.
    Returns uint8 (height, width, 3).
    """
    size = (picture.shape[1], picture.shape[0])
    ring, border = head_outline(own_points, size)
    turn, shift = similarity(own_points[_OVAL].astype(np.float64), points[_OVAL].astype(np.float64))
    triangles = np.concatenate([HEAD_TRIANGLES, nearest_last(points)])
    covering = cover(np.concatenate([points, ring @ turn.T + shift, border]), triangles, size)
    return covering.take(picture, np.concatenate([own_points, ring, border]))
