"""Motion alignment (Sec. 3.1 of the paper): put a driving motion onto the face of a portrait.

Expression, head pose and pupils are carried over apart from each other, in the canonical space of the metric face:
the expression as offsets from a neutral driving frame onto the portrait's own vertices, the pose by one of three rules,
the pupils by their place in the eyes. So the portrait keeps its face shape, whoever drives it.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..errors import MotionError, SettingsError
from .detection import Landmarks
from .geometry import (
    MetricFaces,
    iris_places,
    irises_at,
    project,
    solve_metric_faces,
)
from .motion import Motion
from .regions import region_weights
from .topology import N_MESH, mean_face

HeadMotion = Literal["relative", "absolute", "none", "image"]
Origin = Literal["neutral", "first"]

NEAREST = 0.35
"""Share of the portrait's own distance to the camera that head motion leaves at least."""


@dataclass(frozen=True)
class AlignmentSettings:
    """How a motion is put onto a portrait.

    Attributes
    ----------
    head : `relative` turns and moves the portrait's head from its own pose as far as the driving head moves from its
        origin frame; `absolute` takes the driving head's rotation and moves from the first frame, as the released code;
        `none` keeps the portrait's pose; `image` aligns nothing at all (the "2D landmarks" of Table 2, see `plain_2d`).
    origin : the frame that `relative` counts from: the `neutral` frame or the `first`
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
    origin: Origin = "neutral"

    def __post_init__(self) -> None:
        if self.head not in get_args(HeadMotion):
            raise SettingsError(
                f"Head motion {self.head!r} is unknown; choose one of {', '.join(get_args(HeadMotion))}."
            )
        if self.origin not in get_args(Origin):
            raise SettingsError(f"Origin {self.origin!r} is unknown; choose neutral or first.")
        for name in ("expression", "brows", "eyes", "mouth", "gaze", "head_strength"):
            strength = getattr(self, name)
            if not 0.0 <= strength <= 5.0:
                raise SettingsError(f"The strength {name} is {strength}; it has to lie between 0 and 5.")


DEFAULT_ALIGNMENT = AlignmentSettings()


def align_motion(
    motion: Motion, reference: Landmarks, settings: AlignmentSettings = DEFAULT_ALIGNMENT
) -> np.ndarray:
    """The driving motion on the portrait's face.

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
        return plain_2d(motion, reference.size)
    driving = solve_metric_faces(motion.landmarks, motion.size)
    portrait = solve_metric_faces(reference.normalised[None], reference.size)
    neutral = _checked_neutral(motion, driving, settings.neutral)

    offsets = driving.vertices - driving.vertices[neutral]  # V_i - V_neutral
    vertices = portrait.vertices + _vertex_strengths(settings)[:, None] * offsets
    poses = _head_poses(driving.poses, portrait.poses[0], neutral, settings)
    mesh_points = project(vertices, poses, reference.size)

    own_gaze = iris_places(reference.normalised[None, :, :2].astype(np.float64))
    gaze = own_gaze + settings.gaze * (iris_places(motion.landmarks[..., :2].astype(np.float64)) - own_gaze)
    return irises_at(mesh_points, gaze)


def plain_2d(motion: Motion, size: tuple[int, int]) -> np.ndarray:
    """No alignment: the driving points scaled to cover a picture of ``size``, centre on centre.

    The "2D landmarks" variant of Table 2, in which the driving person's face shape and place leak into the result.
    Returns ``(T, 478, 2)`` pixels.
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
        scores = expression_scores(solve_metric_faces(motion.landmarks, motion.size))
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
    unit = np.linalg.norm(mean_face()[33] - mean_face()[263])

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
        origin = neutral if settings.origin == "neutral" else 0
        turn = rotation @ rotation[origin].T
        # Depth as a ratio: a driving face that comes a tenth nearer brings the portrait a tenth nearer, however far
        # from the camera each of them is.
        target_shift = own_shift + shift - shift[origin]
        target_shift[:, 2] = own_shift[2] * shift[:, 2] / shift[origin, 2]
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
