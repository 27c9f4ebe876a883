"""One picture of a face warped to other expressions and poses: targets to learn a person's look from when there is no
clip of them.

The warp of a portrait for the networks (`face.warping`) makes these pictures too, with lids and lips
kept from crossing, and where a closed mouth opens, its inside is drawn: nobody knows this person's teeth, so none are
invented in detail. What is learnt from such targets is this face's own texture and colours, and what its eyes look like
where a warped portrait hides them; not how this person smiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from followyouremoji.face.geometry import eye_distance, iris_places, irises_at, project, solve_metric_faces
from followyouremoji.face.topology import (
    INNER_LIPS_LOOP,
    INNER_LIPS_LOWER,
    INNER_LIPS_UPPER,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    OUTER_EYE_CORNERS,
    OUTER_LIPS_LOOP,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
)
from followyouremoji.face.warping import warp_portrait

LEAST_OPENING = 0.03
"""Of an eye's or the mouth's width: how close lids and lips may come before the warp would fold."""

CLOSED_LIPS = 0.10  # of the mouth's width: a gap below which a picture shows no inside of the mouth that could be stretched
OPENINGS = (
    (RIGHT_EYE_UPPER, RIGHT_EYE_LOWER),
    (LEFT_EYE_UPPER, LEFT_EYE_LOWER),
    (INNER_LIPS_UPPER, INNER_LIPS_LOWER),
)


@dataclass(frozen=True)
class Expressions:
    """Ways to move a face, as offsets from rest: what a bank of drawn performances is reduced to.

    Attributes
    ----------
    offsets : (N, 468, 3) centimetres in canonical space
    turns : (N, 3, 3) rotations of the head from straight ahead
    gazes : (N, 10, 2) places of the irises in their eyes, as of `iris_places`, less those at rest
    """

    offsets: np.ndarray
    turns: np.ndarray
    gazes: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets)


def drawn_expressions(seed: int, count: int, turn: float = 0.7) -> Expressions:
    """Random performances of a drawn person. `turn` scales the head's angles: a single picture bears smaller ones than
    a drawing."""
    from followyouremoji.portraits import Performance, draw_portrait, random_identity

    rng = np.random.default_rng(seed)
    identity = random_identity(np.random.default_rng(0), "person")
    rest = draw_portrait(identity, Performance.neutral(), 64)
    drawn = [draw_portrait(identity, Performance.random(rng, turn), 64) for _ in range(count)]
    places = iris_places(np.stack([one.points for one in [rest, *drawn]]))
    return Expressions(
        offsets=np.stack([one.vertices - rest.vertices for one in drawn]),
        turns=np.stack([one.pose[:3, :3] @ rest.pose[:3, :3].T for one in drawn]),
        gazes=places[1:] - places[:1],
    )


def expressive_points(
    landmarks: np.ndarray,
    size: tuple[int, int],
    expressions: Expressions,
    strength: np.ndarray | float = 1.0,
) -> np.ndarray:
    """A face with other expressions and poses.

    Parameters
    ----------
    landmarks : (478, 3) normalised, of the picture
    size : (width, height) of the picture
    strength : scales offsets, a number or one for each expression

    Returns
    -------
    (N, 478, 3) pixels of the picture; z in pixels too, growing away from the camera.
    """
    count = len(expressions)
    amount = np.broadcast_to(np.asarray(strength, np.float64), (count,))
    own = solve_metric_faces(landmarks[None], size)
    vertices = own.vertices + amount[:, None, None] * expressions.offsets
    poses = np.repeat(own.poses, count, axis=0)
    # The head turns about its own place: the rotation joins the portrait's, the translation keeps the face's centre
    # where it was.
    centre = own.vertices[0].mean(axis=0)
    poses[:, :3, :3] = expressions.turns @ own.poses[0, :3, :3]
    poses[:, :3, 3] += (own.poses[0, :3, :3] - poses[:, :3, :3]) @ centre
    mesh = project(vertices, poses, size)
    places = iris_places(landmarks[None, :, :2].astype(np.float64) * size) + expressions.gazes
    points = irises_at(mesh, np.clip(places, -0.1, 1.1))
    distance = -(vertices @ poses[:, 2, :3, None])[..., 0] - poses[:, None, 2, 3]
    # At the face's own distance a centimetre is as many pixels as it is there: z keeps the scale of x.
    scale = eye_distance(points) / np.maximum(eye_distance(vertices), 1e-6)
    z = (distance - distance.mean(axis=1, keepdims=True)) * scale[:, None]
    z = np.concatenate([z, z[:, np.repeat(OUTER_EYE_CORNERS, 5)]], axis=1)
    return np.concatenate([kept_open(points), z[..., None]], axis=-1)


def kept_open(points: np.ndarray) -> np.ndarray:
    """Points (N, 478, 2) with upper lids and lips at least a little above the lower ones, so that a warped picture does
    not fold."""
    points = points.copy()
    for upper, lower in OPENINGS:
        across = points[:, upper[-1]] - points[:, upper[0]]
        width = np.linalg.norm(across, axis=-1, keepdims=True)
        across = across / np.maximum(width, 1e-6)
        down = np.stack([-across[:, 1], across[:, 0]], axis=-1)
        down *= np.sign(down[:, 1:] + 1e-9)
        for above, below in zip(upper[1:-1], lower[1:-1], strict=True):
            gap = ((points[:, below] - points[:, above]) * down).sum(axis=-1, keepdims=True)
            lacking = np.maximum(LEAST_OPENING * width - gap, 0.0) * down / 2
            points[:, above] -= lacking
            points[:, below] += lacking
    return points


def warped_face(picture: np.ndarray, own_points: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Bend a picture by all its landmarks, and draw the inside of a mouth that was closed.

    `picture` uint8 (height, width, 3); `own_points` and `points` (478, 2) are its landmarks as they are and as they
    shall be, in pixels. Returns uint8 (height, width, 3).
    """
    warped = warp_portrait(picture, kept_open(own_points[None])[0], points)
    if mouth_opening(own_points) < CLOSED_LIPS <= mouth_opening(points):
        return draw_mouth_inside(warped, points, lip_colour(picture, own_points))
    return warped


def mouth_opening(points: np.ndarray) -> float:
    """The gap between the inner lips over the mouth's width; `points` (478, 2)."""
    width = float(np.linalg.norm(points[308] - points[78]))
    return float(np.linalg.norm(points[14] - points[13])) / max(width, 1e-6)


def lip_colour(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The mean colour between the outer and the inner lips, (3,) in 0..255."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(points[list(OUTER_LIPS_LOOP)]).astype(np.int32)], (1.0,))
    cv2.fillPoly(mask, [np.rint(points[list(INNER_LIPS_LOOP)]).astype(np.int32)], (0.0,))
    inside = picture[mask.astype(bool)]
    return inside.mean(axis=0) if len(inside) else picture.reshape(-1, 3).mean(axis=0)


def draw_mouth_inside(picture: np.ndarray, points: np.ndarray, lips: np.ndarray) -> np.ndarray:
    """Fill the inner lips with a dark cavity in the lips' hue and a pale band of upper teeth, softly edged."""
    height, width = picture.shape[:2]
    fine = 4  # drawn at four times the size and averaged, for smooth edges
    up, low = points[list(INNER_LIPS_UPPER)], points[list(INNER_LIPS_LOWER)]
    down = low[5] - up[5]

    def coverage(polygon: np.ndarray) -> np.ndarray:
        mask = np.zeros((height * fine, width * fine), np.uint8)
        cv2.fillPoly(mask, [np.rint(polygon * fine).astype(np.int32)], (255.0,))
        return cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)[..., None] / 255.0

    inside = coverage(np.concatenate([up, low[-2:0:-1]]))
    hang = 0.30 * np.sin(np.linspace(0.15, np.pi - 0.15, len(up)))[:, None] * down
    teeth = np.minimum(coverage(np.concatenate([up, (up + hang)[::-1]])), inside)
    cavity = 0.28 * lips
    pale = 0.35 * lips + 0.65 * np.array([238.0, 232.0, 222.0])
    filled = picture + inside * (cavity - picture)
    return np.rint(filled + 0.85 * teeth * (pale - filled)).clip(0, 255).astype(np.uint8)
