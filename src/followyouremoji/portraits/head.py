"""The head around the face as surfaces in canonical space: skull, hair, ears; and the camera that sees them."""

from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np

from followyouremoji.face.geometry import project
from followyouremoji.face.heads import PIVOT, turned_by
from followyouremoji.face.topology import (
    FACE_OVAL_LOOP,
    INNER_LIPS_LOWER,
    INNER_LIPS_UPPER,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    N_MESH,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
    TRIANGLES,
)

from .anatomy import FaceShape, face_at_rest
from .performance import Performance
from .styles import Identity

RINGS = 5
"""Rings of points from the border of the face to the back of the head."""

PICTURE_CM = 33.0
"""Side of the picture at the head's distance: the face's bounding box fills half of it."""
HEAD_DISTANCE = 60.0
"""Centimetres. As far as a portrait photographer stands; the picture is a crop of what the 63 degree camera sees."""
FULL_VIEW = 2.0 * np.tan(np.radians(31.5)) * HEAD_DISTANCE / PICTURE_CM
"""Side of the camera's whole view in units of the picture's side."""

FACE_CENTRE_Y = -0.55
"""Middle of the mean face's bounding box, canonical centimetres."""


@dataclass(frozen=True)
class Surface:
    """A triangle mesh whose triangles are counter-clockwise seen from outside."""

    vertices: np.ndarray  # (N, 3) centimetres
    triangles: np.ndarray  # (M, 3)

    def normals(self) -> np.ndarray:
        """Unit vertex normals, ``(N, 3)``."""
        a, b, c = (self.vertices[self.triangles[:, k]] for k in range(3))
        faces = np.cross(b - a, c - a)
        corners = self.triangles.ravel()
        repeated = np.repeat(faces, 3, axis=0)
        summed = np.stack(
            [np.bincount(corners, repeated[:, axis], len(self.vertices)) for axis in range(3)], axis=1
        )
        return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-9)


def head_pose(performance: Performance) -> np.ndarray:
    """The 4x4 pose that takes canonical centimetres to camera space."""
    rotation = turned_by(np.array([performance.yaw, performance.pitch, performance.roll]))
    distance = HEAD_DISTANCE / performance.scale
    shift = np.array(performance.shift) * PICTURE_CM / performance.scale
    place = (
        np.array([shift[0], -shift[1] - 0.05 * PICTURE_CM - FACE_CENTRE_Y, 4.0 - distance])
        + PIVOT
        - [0, 0, 4.0]
    )
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = place - rotation @ PIVOT
    return pose


def staged(identity: Identity, performance: Performance) -> Performance:
    """A performance at the place and in the size of an identity's head."""
    return replace(
        performance,
        shift=(performance.shift[0] + identity.offset[0], performance.shift[1] + identity.offset[1]),
        scale=performance.scale * identity.scale * framing(identity.shape),
    )


@cache
def framing(shape: FaceShape) -> float:
    """The scale at which a face at rest fills half of the picture."""
    face = face_at_rest(shape)
    extent = (face.max(axis=0) - face.min(axis=0))[:2].max()
    return float(0.5 * PICTURE_CM / extent)


def to_picture(vertices: np.ndarray, pose: np.ndarray, size: int) -> np.ndarray:
    """Pixels ``(N, 2)`` of canonical points in a square picture: the middle of the 63 degree camera's view."""
    full = FULL_VIEW * size
    points = project(vertices[None], pose[None], (full, full))[0]
    return points - 0.5 * (full - size)


def turned(vertices: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Canonical points in camera space, ``(N, 3)``."""
    return vertices @ pose[:3, :3].T + pose[:3, 3]


@dataclass(frozen=True)
class Skull:
    """The ellipsoid behind the face."""

    centre: np.ndarray
    radii: np.ndarray

    def outwards(self, points: np.ndarray) -> np.ndarray:
        """Unit normals of the ellipsoid in the direction of ``points``."""
        normal = (points - self.centre) / self.radii**2
        return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)


def skull_behind(face: np.ndarray) -> Skull:
    """The skull that fits a face at rest."""
    half_width = np.abs(face[list(FACE_OVAL_LOOP), 0]).max()
    return Skull(np.array([0.0, 2.2, -3.0]), np.array([half_width - 0.1, 9.6, 9.6]))


def _fill_strip(upper: tuple[int, ...], lower: tuple[int, ...]) -> list[tuple[int, int, int]]:
    strip = []
    for k in range(len(upper) - 1):
        strip.append((upper[k], lower[k], lower[k + 1]))
        strip.append((upper[k], lower[k + 1], upper[k + 1]))
    return [triangle for triangle in strip if len(set(triangle)) == 3]


@cache
def head_triangles() -> np.ndarray:
    """Triangles of the whole head: the face with its holes filled, then the rings to the back, ``(M, 3)``."""
    filled = (
        _fill_strip(RIGHT_EYE_UPPER, RIGHT_EYE_LOWER)
        + _fill_strip(LEFT_EYE_LOWER, LEFT_EYE_UPPER)
        + _fill_strip(INNER_LIPS_UPPER, INNER_LIPS_LOWER)
    )
    loop = len(FACE_OVAL_LOOP)
    rows = [list(FACE_OVAL_LOOP)] + [[N_MESH + r * loop + k for k in range(loop)] for r in range(RINGS)]
    rings = []
    for inner, outer in pairwise(rows):
        for k in range(loop):
            n = (k + 1) % loop
            rings += [(inner[k], outer[n], outer[k]), (inner[k], inner[n], outer[n])]
    return np.concatenate([TRIANGLES, np.array(filled), np.array(rings)])


def head_surface(face: np.ndarray, skull: Skull) -> Surface:
    """The closed head of a face with any expression: 468 face points, then `RINGS` rings of 36 points."""
    border = face[list(FACE_OVAL_LOOP)]
    offset = border - skull.centre
    reach = np.linalg.norm(offset, axis=1, keepdims=True)
    start = offset / reach
    back = np.array([0.0, 0.12, -0.993])
    angle = np.arccos(np.clip(start @ back, -1.0, 1.0))[:, None]
    stretch = reach * np.linalg.norm(start / skull.radii, axis=1, keepdims=True)
    rows = [face]
    for t in np.linspace(0.0, 1.0, RINGS + 1)[1:]:
        direction = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * back) / np.sin(angle)
        below = np.clip(-direction[:, 1:2], 0.0, 1.0)
        # Below the jaw the head narrows quickly towards the neck.
        factor = 1.0 + (stretch - 1.0) * (1.0 - t) ** 3 - 0.30 * below * min(1.0, 3.0 * t)
        on_skull = direction / np.linalg.norm(direction / skull.radii, axis=1, keepdims=True)
        rows.append(skull.centre + factor * on_skull)
    return Surface(np.concatenate(rows), head_triangles())


HAIR_COLUMNS = 96
HAIR_ROWS = 10


@cache
def _hair_triangles() -> np.ndarray:
    quads = []
    for row in range(HAIR_ROWS - 1):
        for k in range(HAIR_COLUMNS):
            n = (k + 1) % HAIR_COLUMNS
            a, b = row * HAIR_COLUMNS + k, row * HAIR_COLUMNS + n
            c, d = a + HAIR_COLUMNS, b + HAIR_COLUMNS
            quads += [(a, c, d), (a, d, b)]
    return np.array(quads)


def hair_angles() -> np.ndarray:
    """Angles of the hair's columns about the vertical, ``(HAIR_COLUMNS,)``: 0 in front, positive to the picture's
    right."""
    return np.linspace(-np.pi, np.pi, HAIR_COLUMNS, endpoint=False)


def hair_surface(
    skull: Skull,
    front: np.ndarray,
    drop: np.ndarray,
    thickness: float,
    edge: float,
    flare: float,
    quiff: float = 0.0,
) -> Surface:
    """Hair (or a cap) that lies on the skull from the crown down to an edge.

    Parameters
    ----------
    front : ``(HAIR_COLUMNS,)`` height of the edge above the skull's centre in degrees, 90 at the crown
    drop : ``(HAIR_COLUMNS,)`` centimetres that a column hangs straight down below the widest place of the skull
    thickness, edge : centimetres above the skull on top and at the edge
    quiff : centimetres that the hair above the forehead stands up
    flare : how much hanging hair widens over 10 cm; negative curls in

    Returns
    -------
    A surface of `HAIR_ROWS` rows of `HAIR_COLUMNS` points, from the crown down.
    """
    angles = hair_angles()
    # Arc length along a column: degrees down to the equator first, then centimetres scaled to degrees.
    length = np.where(drop > 0.0, 90.0 + 6.0 * drop, 90.0 - front)
    along = np.linspace(0.02, 1.0, HAIR_ROWS)[:, None] * length
    elevation = np.radians(90.0 - np.minimum(along, 90.0 if drop.max() > 0.0 else 180.0))
    elevation = np.where((drop > 0.0) | (along <= 90.0), elevation, np.radians(90.0 - along))
    hanging = np.where(drop > 0.0, np.clip(along - 90.0, 0.0, None) / 6.0, 0.0)
    direction = np.stack(
        [np.sin(angles) * np.cos(elevation), np.sin(elevation), np.cos(angles) * np.cos(elevation)], axis=-1
    )
    on_skull = direction / np.linalg.norm(direction / skull.radii, axis=-1, keepdims=True)
    fraction = np.linspace(0.0, 1.0, HAIR_ROWS)[:, None, None]
    lift = edge + (thickness - edge) * (1.0 - fraction**3)
    rise = np.exp(-0.5 * ((fraction - 0.70) / 0.20) ** 2)
    lift = lift + quiff * rise * np.exp(-0.5 * (angles / 0.75) ** 2)[:, None]
    surface = skull.centre + on_skull + lift * direction
    widening = (1.0 + flare * hanging / 10.0)[..., None]
    surface = surface + (surface - skull.centre) * [1.0, 0.0, 1.0] * (widening - 1.0)
    surface[..., 1] -= hanging
    return Surface(surface.reshape(-1, 3), _hair_triangles())


def ear_outline(skull: Skull, side: int, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Outline ``(16, 3)`` of an ear and its unit normal; ``side`` is -1 in the picture's left, 1 in its right."""
    centre = np.array([side * (skull.radii[0] + 0.35), 0.9, -3.6])
    up = np.array([side * 0.12, 1.0, -0.18])
    out = np.array([side * 0.62, 0.0, -0.78])
    turn = np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False)
    broad = 1.35 * size * (1.0 + 0.22 * np.sin(turn))
    outline = centre + 2.35 * size * np.sin(turn)[:, None] * up + (broad * np.cos(turn))[:, None] * out
    normal = np.cross(out, up) * side
    normal = normal if normal[2] > 0 else -normal
    return outline, normal / np.linalg.norm(normal)


def brim_surface(skull: Skull, front: np.ndarray, lift: float, width: float) -> Surface:
    """A hat's brim: a ring of 4 rows of `HAIR_COLUMNS` points that starts ``lift`` centimetres above the skull at the
    edge ``front`` (degrees, as in `hair_surface`) and goes ``width`` centimetres outwards and a little down."""
    angles = hair_angles()
    elevation = np.radians(front)
    direction = np.stack(
        [np.sin(angles) * np.cos(elevation), np.sin(elevation), np.cos(angles) * np.cos(elevation)], axis=-1
    )
    start = skull.centre + direction / np.linalg.norm(direction / skull.radii, axis=-1, keepdims=True)
    start = start + lift * direction
    outwards = np.stack([np.sin(angles), np.zeros_like(angles), np.cos(angles)], axis=-1)
    fractions = np.linspace(0.0, 1.0, 4)
    rows = [start + t * width * outwards - [0.0, 0.22 * width * t * t, 0.0] for t in fractions]
    triangles = _hair_triangles()
    return Surface(np.concatenate(rows), triangles[: 2 * 3 * HAIR_COLUMNS])
