"""Motion alignment (Sec. 3.1 of the paper): put a driving motion onto the face of a portrait.

Expression, head pose and pupils are carried over apart from each other, in the canonical space of the metric face:
the expression as offsets from a neutral driving frame onto the portrait's own vertices, the pose by one of three rules,
the pupils by their place in the eyes. So the portrait keeps its face shape, whoever drives it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args

import numpy as np

from ..errors import MotionError, SettingsError
from .detection import Landmarks
from .geometry import (
    MetricFaces,
    frustum_at_one,
    iris_places,
    irises_at,
    place_irises,
    project,
    solve_metric_faces,
)
from .motion import Motion
from .regions import region_weights
from .topology import FACE_OVAL_LOOP, N_LANDMARKS, N_MESH, mean_face

HeadMotion = Literal["relative", "absolute", "none", "image"]

RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263  # outer ones, in the mesh

NEAREST = 0.35
"""Share of the portrait's own distance to the camera that head motion leaves at least."""


BLOCK = 1000
"""Frames that are worked on at once at most: what lies between landmarks and points is many times as large as
either."""


@dataclass(frozen=True)
class AlignmentSettings:
    """How a motion is put onto a portrait.

    Attributes
    ----------
    head : `relative` turns and moves the portrait's head from its own pose as far as the driving head moves from its
        neutral frame; `absolute` takes the driving head's rotation and moves from the first frame, as the released
        code; `none` keeps the portrait's pose; `image` aligns nothing at all, see `unaligned`
    expression : strength of the whole expression; 0 keeps the portrait's own, 1 is the driving one, more exaggerates
    brows, eyes, mouth : strength of a region on top of it; regions blend softly into the rest of the face
    gaze : 0 keeps the portrait's own gaze, 1 is the driving one
    head_strength : strength of the head motion; 0 is as `none`
    neutral : number of the neutral driving frame; None finds it (see `neutral_frame`)
    """

    head: HeadMotion = "relative"
    expression: float = 1.0
    brows: float = 1.0
    eyes: float = 1.0
    mouth: float = 1.0
    gaze: float = 1.0
    head_strength: float = 1.0
    neutral: int | None = None

    def __post_init__(self) -> None:
        if self.head not in get_args(HeadMotion):
            raise SettingsError(
                f"Head motion {self.head!r} is unknown; choose one of {', '.join(get_args(HeadMotion))}."
            )
        for name in ("expression", "brows", "eyes", "mouth", "gaze", "head_strength"):
            strength = getattr(self, name)
            if not 0.0 <= strength <= 5.0:
                raise SettingsError(f"The strength {name} is {strength}; it has to lie between 0 and 5.")


DEFAULT_ALIGNMENT = AlignmentSettings()


def align_motion(
    motion: Motion, reference: Landmarks, settings: AlignmentSettings = DEFAULT_ALIGNMENT
) -> np.ndarray:
    """The driving motion on the portrait's face.

    A motion of one frame has no neutral frame to compare its expression with: it is compared with the mean face,
    looking straight ahead from the same place.

    Parameters
    ----------
    motion : the driving motion, T frames
    reference : the portrait's landmarks

    Returns
    -------
    ``(T, 478, 2)`` float64 pixels in the portrait's picture.

    Raises
    ------
    MotionError
        The neutral frame does not exist.
    """
    if settings.head == "image":
        return unaligned(motion, reference.size)
    if len(motion) == 1:
        return align_motion(after_mean_face(motion), reference, replace(settings, neutral=0))[1:]
    driving = _metric_faces(motion)
    portrait = solve_metric_faces(reference.normalised[None], reference.size)
    neutral = _checked_neutral(motion, driving, settings.neutral)

    poses = _head_poses(driving.poses, portrait.poses[0], neutral, settings)
    own_gaze = iris_places(reference.normalised[None, :, :2].astype(np.float64))
    points = np.empty((len(motion), N_LANDMARKS, 2))
    for block in _blocks(len(motion)):
        offsets = driving.vertices[block] - driving.vertices[neutral]  # V_i - V_neutral
        vertices = portrait.vertices + _vertex_strengths(settings)[:, None] * offsets
        mesh_points = project(vertices, poses[block], reference.size)

        driving_gaze = iris_places(motion.landmarks[block, :, :2].astype(np.float64))
        gaze = own_gaze + settings.gaze * (driving_gaze - own_gaze)
        points[block] = irises_at(mesh_points, gaze)
    return points


def _metric_faces(motion: Motion) -> MetricFaces:
    faces = MetricFaces(np.empty((len(motion), N_MESH, 3)), np.empty((len(motion), 4, 4)))
    for block in _blocks(len(motion)):
        solved = solve_metric_faces(motion.landmarks[block], motion.size)
        faces.vertices[block], faces.poses[block] = solved.vertices, solved.poses
    return faces


def _blocks(frames: int) -> Iterator[slice]:
    """All frames in blocks of almost the same length, `BLOCK` at most."""
    edges = np.linspace(0, frames, -(-frames // BLOCK) + 1).astype(int)
    for first, end in pairwise(edges):
        yield slice(int(first), int(end))


def after_mean_face(motion: Motion) -> Motion:
    """A motion of one frame with the mean face before it: same place and size in the picture, no turn of the head."""
    pose = solve_metric_faces(motion.landmarks, motion.size).poses
    straight = pose.copy()
    straight[0, :3, :3] = np.eye(3) * np.cbrt(np.linalg.det(pose[0, :3, :3]))
    distance = -(mean_face()[:, 2] * straight[0, 2, 2] + straight[0, 2, 3])
    depth = (distance / distance.mean() - 1.0) / frustum_at_one(motion.size)[0]
    mesh = project(mean_face()[None], straight, motion.size)
    points = place_irises(mesh, motion.landmarks[..., :2].astype(np.float64)) / motion.size
    depths = np.concatenate([depth, depth[[RIGHT_EYE_CORNER] * 5 + [LEFT_EYE_CORNER] * 5]])
    mean = np.concatenate([points, depths[None, :, None]], axis=2).astype(np.float32)
    return Motion(
        landmarks=np.concatenate([mean, motion.landmarks]),
        timestamps=motion.timestamps[0] + np.array([-1.0, 0.0]) / motion.frame_rate,
        frame_rate=motion.frame_rate,
        size=motion.size,
        source=motion.source,
        found=np.ones(2, bool),
    )


def align_in_picture(motion: Motion, reference: Landmarks) -> np.ndarray:
    """The driving landmarks as they were detected, with one shift and one scale for the whole clip.

    These bring the face oval of the first frame to the middle and size of the portrait's. It is all that the ablation
    "2D landmarks" of Table 2 can do: the driving face keeps its own proportions, and a head that is turned otherwise
    stays so. Returns ``(T, 478, 2)`` pixels in the portrait's picture.
    """
    points = motion.landmarks[..., :2].astype(np.float64) * motion.size
    oval = list(FACE_OVAL_LOOP)
    own, driving = reference.points[oval].astype(np.float64), points[0, oval]
    scale = np.linalg.norm(np.ptp(own, axis=0)) / max(float(np.linalg.norm(np.ptp(driving, axis=0))), 1e-9)
    middle = (own.min(axis=0) + own.max(axis=0)) / 2
    return middle + scale * (points - (driving.min(axis=0) + driving.max(axis=0)) / 2)


def unaligned(motion: Motion, size: tuple[int, int]) -> np.ndarray:
    """The driving points scaled to cover a picture of ``size``, centre on centre; the portrait's face is not looked at.

    So the driving person's face shape and place show in the result. Returns ``(T, 478, 2)`` pixels.
    """
    scale = max(size[0] / motion.size[0], size[1] / motion.size[1])
    centred = motion.landmarks[..., :2].astype(np.float64) - 0.5
    return centred * motion.size * scale + np.array(size) / 2


def neutral_frame(motion: Motion) -> int:
    """The number of the frame with the least expression.

    With blendshapes it is the frame whose 52 scores sum to the least (as in the released code). Without, it is found by
    geometry, see `expression_scores`. Only frames in which a face was found are candidates.
    """
    if motion.blendshapes is not None:
        scores = motion.blendshapes.sum(axis=1).astype(np.float64)
    else:
        scores = expression_scores(_metric_faces(motion))
    return _least_expressive(motion, scores)


def _least_expressive(motion: Motion, scores: np.ndarray) -> int:
    return (
        int(np.where(motion.found, scores, np.inf).argmin()) if motion.found.any() else int(scores.argmin())
    )


def expression_scores(faces: MetricFaces) -> np.ndarray:
    """How far each frame is from a relaxed face, by geometry alone: ``(T,)``, 0 is relaxed, larger is further.

    A sum of distances in units of the distance between the outer eye corners:

    - the gap between the inner lips, which is closed at rest;
    - four times how much less, or more, the eyes are open than this person's usual (75th percentile of the clip), so
      that neither a blink nor a stare counts as neutral;
    - how far mouth corners, lips and brows are from the mean face (twice), which is nearly neutral, and from their
      median place in the clip (half), which is this person's own rest if the person mostly rests;
    - the head's turn, one radian as 0.2, because a turned face is measured less well.

    The weights are set on seven real driving clips, whose frame of least score lies between the least and the median
    of all frames by the sum of 52 blendshape scores, at a fifth of the way on average.
    """
    vertices = faces.vertices
    unit = np.linalg.norm(mean_face()[RIGHT_EYE_CORNER] - mean_face()[LEFT_EYE_CORNER])

    def gap(upper: int, lower: int) -> np.ndarray:
        return (vertices[:, upper, 1] - vertices[:, lower, 1]) / unit

    mouth_gap = np.maximum(gap(13, 14), 0.0)
    openness = 0.5 * (gap(159, 145) + gap(386, 374))
    eyes = np.abs(openness - np.percentile(openness, 75))

    moving = [61, 291, 0, 17, 105, 334, 66, 296, 55, 285]  # mouth corners, lips, brows
    places = vertices[:, moving] / unit
    unusual = np.linalg.norm(places - np.median(places, axis=0), axis=-1).mean(axis=1)
    unlike_mean = np.linalg.norm(places - mean_face()[moving] / unit, axis=-1).mean(axis=1)

    rotation = faces.poses[:, :3, :3] / np.cbrt(np.linalg.det(faces.poses[:, :3, :3]))[:, None, None]
    turn = np.arccos(np.clip((np.trace(rotation, axis1=1, axis2=2) - 1) / 2, -1.0, 1.0))
    return mouth_gap + 4.0 * eyes + 2.0 * unlike_mean + 0.5 * unusual + 0.2 * turn


def _checked_neutral(motion: Motion, driving: MetricFaces, neutral: int | None) -> int:
    if neutral is None:
        if motion.blendshapes is None:
            return _least_expressive(motion, expression_scores(driving))
        return neutral_frame(motion)
    if not 0 <= neutral < len(motion):
        raise MotionError(
            f"{motion.source} has the frames 0 to {len(motion) - 1}; {neutral} cannot be its neutral frame."
        )
    return neutral


def _vertex_strengths(settings: AlignmentSettings) -> np.ndarray:
    """``(468,)``: the expression strength, times a region's own where the region is."""
    strengths = np.ones(N_MESH)
    for name, weights in region_weights().items():
        strengths += weights * (getattr(settings, name) - 1.0)
    return settings.expression * strengths


def _head_poses(
    driving: np.ndarray, portrait: np.ndarray, neutral: int, settings: AlignmentSettings
) -> np.ndarray:
    """The portrait's head pose in every frame, ``(T, 4, 4)``."""
    if settings.head == "none":
        return np.broadcast_to(portrait, driving.shape)
    rotation, scale = _rotation_and_scale(driving)
    own_rotation, own_scale = _rotation_and_scale(portrait[None])
    shift = driving[:, :3, 3]
    own_shift = portrait[:3, 3]
    strength = settings.head_strength
    if settings.head == "absolute":
        # R_i of the driving frame, t_i - t_0 + t_ref
        turn = rotation @ own_rotation[0].T
        target_shift = shift - shift[0] + own_shift
        target_scale = scale
    else:
        turn = rotation @ rotation[neutral].T
        # Depth as a ratio: a driving face that comes a tenth nearer brings the portrait a tenth nearer, however far
        # from the camera each of them is.
        target_shift = own_shift + shift - shift[neutral]
        target_shift[:, 2] = own_shift[2] * shift[:, 2] / shift[neutral, 2]
        target_scale = np.broadcast_to(own_scale, scale.shape)
    poses = np.zeros(driving.shape)
    turned = _powered(turn, strength) @ own_rotation[0]
    poses[:, :3, :3] = (own_scale + strength * (target_scale - own_scale))[:, None, None] * turned
    poses[:, :3, 3] = own_shift + strength * (target_shift - own_shift)
    poses[:, 2, 3] = np.minimum(poses[:, 2, 3], NEAREST * own_shift[2])
    poses[:, 3, 3] = 1.0
    return poses


def _rotation_and_scale(poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = np.cbrt(np.linalg.det(poses[:, :3, :3]))
    return poses[:, :3, :3] / scale[:, None, None], scale


def _powered(rotations: np.ndarray, power: float) -> np.ndarray:
    """Rotations about the same axes by ``power`` times their angles (Rodrigues' formula)."""
    if power == 1.0:
        return rotations
    cosine = np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1.0, 1.0)
    angle = np.arccos(cosine)
    skew = (rotations - rotations.transpose(0, 2, 1)) / 2
    axis = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=1)
    length = np.linalg.norm(axis, axis=1)
    turning = length > 1e-9  # a head never turns by half a circle, the other place where the axis vanishes
    axis = np.where(turning[:, None], axis / np.maximum(length, 1e-9)[:, None], 0.0)
    cross = np.zeros_like(rotations)
    cross[:, 2, 1], cross[:, 0, 2], cross[:, 1, 0] = axis.T
    cross -= cross.transpose(0, 2, 1)
    sine, versine = np.sin(power * angle), 1 - np.cos(power * angle)
    return np.eye(3) + sine[:, None, None] * cross + versine[:, None, None] * (cross @ cross)
