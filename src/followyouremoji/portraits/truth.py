"""What is exactly known of a portrait without drawing it: its landmarks in three dimensions, and where its eyes look.
Needs no skia."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from followyouremoji.face.gaze import NOT_TRUSTED, Eyes, eye_openings, measure_gaze
from followyouremoji.face.geometry import MetricFaces
from followyouremoji.face.topology import N_MESH

from .anatomy import expressive_face, face_at_rest, place_eyes
from .head import FULL_VIEW, HEAD_DISTANCE, PICTURE_CM, head_pose, staged, to_picture, turned
from .performance import Performance
from .styles import Identity


def posed_faces(identity: Identity, performances: Sequence[Performance]) -> MetricFaces:
    """Mesh and irises in canonical space, ``(T, 478, 3)`` centimetres, and their poses to camera space."""
    shape = identity.shape
    vertices = [
        np.concatenate([expressive_face(shape, np.array(moment.controls)), place_eyes(shape, moment.gaze)])
        for moment in performances
    ]
    return MetricFaces(
        np.stack(vertices), np.stack([head_pose(staged(identity, moment)) for moment in performances])
    )


def exact_landmarks(identity: Identity, performances: Sequence[Performance]) -> np.ndarray:
    """``(T, 478, 3)`` normalised landmarks in MediaPipe's convention: x and y as they are seen, z on the scale of x.

    That is a weak perspective: z is what the distance from the camera differs from the mesh's mean, as large as it
    would be seen at that mean.
    """
    faces = posed_faces(identity, performances)
    landmarks = np.empty(faces.vertices.shape)
    for frame, (vertices, pose) in enumerate(zip(faces.vertices, faces.poses, strict=True)):
        distance = -turned(vertices, pose)[:, 2]
        landmarks[frame, :, :2] = to_picture(vertices, pose, 1)
        landmarks[frame, :, 2] = (distance / distance[:N_MESH].mean() - 1.0) * (HEAD_DISTANCE / PICTURE_CM)
    return landmarks


def exact_gaze(identity: Identity, performances: Sequence[Performance]) -> np.ndarray:
    """``(T, 2, 2)`` degrees in which the right and the left eye look relative to the head, to the picture's right and
    up; NaN where the lids hide the pupil: open by less than
    `NOT_TRUSTED` of what they are at rest.

    Irises are drawn where they are; the direction is that of an eyeball (as `face.gaze` has it, in the identity's eye
    at rest) whose iris is seen there, with the very camera, face and pose of the drawing.
    """
    faces = posed_faces(identity, performances)
    landmarks = exact_landmarks(identity, performances)
    landmarks[..., :2] = (landmarks[..., :2] - 0.5) / FULL_VIEW + 0.5  # in the whole view of the camera
    mesh = MetricFaces(faces.vertices[:, :N_MESH], faces.poses)
    rest = face_at_rest(identity.shape)[None]
    gaze = measure_gaze(landmarks, mesh, (1, 1), Eyes.of(rest))
    open_as_far = eye_openings(mesh.vertices[..., :2]) / eye_openings(rest[..., :2])
    return np.where(open_as_far[..., None] > NOT_TRUSTED, gaze.directions, np.nan)
