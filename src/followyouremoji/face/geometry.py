"""Metric face geometry: from screen landmarks to a head pose and an expression in canonical space, and back.

The method is that of MediaPipe's face geometry: a camera with a vertical field of view of 63 degrees looks down
``-z``; landmarks are unprojected with their relative depth, and a weighted similarity transform (orthogonal
Procrustes) from the mean metric face to the unprojected points gives the pose. Two passes estimate the scale, because
depth can only be spread once the scale is known. Everything is vectorised over frames; only NumPy is used.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .topology import (
    LEFT_EYE_LOOP,
    LEFT_IRIS,
    N_LANDMARKS,
    N_MESH,
    OUTER_EYE_CORNERS,
    RIGHT_EYE_LOOP,
    RIGHT_IRIS,
    mean_face,
    rigid_weights,
)

VERTICAL_FIELD_OF_VIEW = 63.0
"""Degrees; MediaPipe's default camera, used by the released landmarks too."""


@dataclass(frozen=True)
class MetricFaces:
    """Faces in metric space, one a frame.

    Attributes
    ----------
    vertices : ``(T, 468, 3)`` float64
        Expression and face shape without head pose: canonical space, centimetres, x right, y up, z to the camera.
    poses : ``(T, 4, 4)`` float64
        Takes canonical vertices to camera space: a rotation times a scale close to 1, and a translation in centimetres.
    """

    vertices: np.ndarray
    poses: np.ndarray

    def __len__(self) -> int:
        return len(self.poses)


def rotations_and_scales(poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations ``(..., 3, 3)`` and scales ``(...)`` of poses ``(..., 4, 4)``."""
    scales = np.cbrt(np.linalg.det(poses[..., :3, :3]))
    return poses[..., :3, :3] / scales[..., None, None], scales


def angles_of(rotations: np.ndarray) -> np.ndarray:
    """By how much rotations ``(..., 3, 3)`` turn: ``(...)`` radians, 0 to pi."""
    cosines = (np.trace(rotations, axis1=-2, axis2=-1) - 1) / 2
    return np.arccos(np.clip(cosines, -1.0, 1.0))


def eye_distance(points: np.ndarray) -> np.ndarray:
    """Between the outer corners of the eyes of faces ``(..., N, C)``: ``(...)``, in the unit of the points."""
    right, left = OUTER_EYE_CORNERS
    return np.linalg.norm(points[..., right, :] - points[..., left, :], axis=-1)


EYE_DISTANCE_CM = float(eye_distance(mean_face()))
"""Of the mean face, 9.27 cm: the unit of what is measured in canonical space."""

BLOCK = 1000
"""Frames that are worked on at once at most: what lies between landmarks and points is many times as large as
either."""


def blocks(frames: int, most: int = BLOCK) -> Iterator[slice]:
    """All frames in blocks of almost the same length, `most` at most."""
    edges = np.linspace(0, frames, -(-frames // most) + 1).astype(int)
    for first, end in pairwise(edges):
        yield slice(int(first), int(end))


def frustum_at_one(size: tuple[int, int]) -> tuple[float, float]:
    """Width and height in centimetres of what the camera sees at distance 1, for a picture of ``size`` (width,
    height)."""
    width, height = size
    high = 2.0 * np.tan(np.radians(VERTICAL_FIELD_OF_VIEW) / 2.0)
    return high * width / height, high


def similarity_transform(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The similarity that takes ``source`` closest to ``target`` in the weighted least-squares sense.

    Parameters
    ----------
    source : ``(N, 3)`` or ``(T, N, 3)``
    target : ``(T, N, 3)``
    weights : ``(N,)``, not negative

    Returns
    -------
    ``(T, 4, 4)``: rotation (never a reflection) times scale, and translation. Weighted orthogonal Procrustes.
    """
    weights = weights / weights.sum()
    source = np.broadcast_to(source, target.shape)
    source_centre = np.einsum("n,tnc->tc", weights, source)
    target_centre = np.einsum("n,tnc->tc", weights, target)
    centred = source - source_centre[:, None]
    covariance = np.einsum("n,tni,tnj->tij", weights, target - target_centre[:, None], centred)
    left, _, right = np.linalg.svd(covariance)
    left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
    rotation = left @ right
    spread = np.einsum("n,tnc,tnc->t", weights, centred, centred)
    scale = np.einsum("tij,tij->t", rotation, covariance) / spread
    transform = np.zeros((len(target), 4, 4))
    transform[:, :3, :3] = scale[:, None, None] * rotation
    transform[:, :3, 3] = target_centre - np.einsum("tij,tj->ti", transform[:, :3, :3], source_centre)
    transform[:, 3, 3] = 1.0
    return transform


def solve_metric_faces(landmarks: np.ndarray, size: tuple[int, int]) -> MetricFaces:
    """Head pose and canonical-space face of every frame.

    Parameters
    ----------
    landmarks : ``(T, N, 3)`` with N >= 468
        Normalised landmarks: x / width, y / height, z on the scale of x. Irises, if there, are not used.
    size : (width, height) of the picture in pixels.

    `project` of the result gives the x and y of the landmarks back.
    """
    wide, high = frustum_at_one(size)
    screen = np.asarray(landmarks, np.float64)[:, :N_MESH]
    x = (screen[..., 0] - 0.5) * wide
    y = (0.5 - screen[..., 1]) * high
    depth = screen[..., 2] * wide
    depth -= depth.mean(axis=1, keepdims=True)

    canonical, weights = mean_face(), rigid_weights()
    rigid = weights > 0
    canonical, weights = canonical[rigid], weights[rigid]

    def fitted_scale(points: np.ndarray) -> np.ndarray:
        transform = similarity_transform(canonical, points[:, rigid], weights)
        return np.linalg.norm(transform[:, :3, 0], axis=1)[:, None]

    def unprojected(scale: np.ndarray) -> np.ndarray:
        distance = (1.0 + depth) / scale
        return np.stack([x * distance, y * distance, -distance], axis=-1)

    first = fitted_scale(np.stack([x, y, -depth], axis=-1))
    second = fitted_scale(unprojected(first))
    points = unprojected(first * second)
    poses = similarity_transform(canonical, points[:, rigid], weights)
    inverse = np.linalg.inv(poses)
    vertices = points @ inverse[:, :3, :3].transpose(0, 2, 1) + inverse[:, None, :3, 3]
    return MetricFaces(vertices, poses)


def project(vertices: np.ndarray, poses: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Perspective projection of canonical-space vertices.

    Parameters
    ----------
    vertices : ``(T, N, 3)`` centimetres
    poses : ``(T, 4, 4)``
    size : (width, height) in pixels

    Returns
    -------
    ``(T, N, 2)`` pixels, x right, y down; may lie outside the picture. Points must lie in front of the camera (z < 0).
    """
    width, height = size
    wide, high = frustum_at_one(size)
    camera = vertices @ poses[:, :3, :3].transpose(0, 2, 1)
    camera += poses[:, None, :3, 3]
    seen: np.ndarray = camera[..., :2] / camera[..., 2:]
    seen *= (-width / wide, height / high)
    seen += (0.5 * width, 0.5 * height)
    return seen


def landmarks_of(vertices: np.ndarray, poses: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What a detector would find of metric faces: the way back of `solve_metric_faces`.

    `vertices` are ``(T, N, 3)`` of which the first 468 are the mesh, `poses` ``(T, 4, 4)``. Returns ``(T, N, 3)``
    normalised landmarks: z is what the distance from the camera differs from the mesh's mean, as large as it would be
    seen at that mean.
    """
    distance = -(vertices @ poses[:, 2:3, :3].transpose(0, 2, 1) + poses[:, None, 2:3, 3])
    depth = distance / distance[:, :N_MESH].mean(axis=1, keepdims=True) - 1.0
    return np.concatenate([project(vertices, poses, size) / size, depth / frustum_at_one(size)[0]], axis=2)


def place_irises(mesh_points: np.ndarray, driving_points: np.ndarray) -> np.ndarray:
    """Give a mesh the irises of another face, at the same place relative to the eyes (Sec. 3.1 of the paper).

    Parameters
    ----------
    mesh_points : ``(T, 468, 2)`` pixels, the face that gets the irises
    driving_points : ``(T, 478, 2)`` points of the face whose gaze is taken, in any unit

    Returns
    -------
    ``(T, 478, 2)``: ``mesh_points`` followed by the five points of the right and the five of the left iris.
    """
    return irises_at(mesh_points, iris_places(driving_points))


def with_gaze_of(points: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Points (T, 478, 2) with the irises of one `face` (478, 2), each at its place relative to the eye: who looks as
    that face does."""
    return place_irises(points[:, :N_MESH], np.repeat(face[None], len(points), axis=0))


def iris_places(points: np.ndarray) -> np.ndarray:
    """Where the irises are in the bounding boxes of their eyes' contours.

    ``(T, 478, 2)`` points in any unit give ``(T, 10, 2)``: 0 is the left or upper side of the box, 1 the right or
    lower.
    """
    places = []
    for loop, first in _EYES:
        low, extent = _bounding_box(points[:, loop])
        places.append((points[:, first : first + 5] - low) / np.maximum(extent, 1e-9))
    return np.concatenate(places, axis=1)


def irises_at(mesh_points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Put irises at given places in a mesh's eyes: ``(T, 468, 2)`` and ``(T, 10, 2)`` make ``(T, 478, 2)``."""
    placed = np.empty((len(mesh_points), N_LANDMARKS, 2))
    placed[:, :N_MESH] = mesh_points
    for index, (loop, first) in enumerate(_EYES):
        low, extent = _bounding_box(mesh_points[:, loop])
        placed[:, first : first + 5] = low + places[:, 5 * index : 5 * index + 5] * extent
    return placed


_EYES = ((RIGHT_EYE_LOOP, RIGHT_IRIS), (LEFT_EYE_LOOP, LEFT_IRIS))


def _bounding_box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low = points.min(axis=1, keepdims=True)
    return low, points.max(axis=1, keepdims=True) - low
