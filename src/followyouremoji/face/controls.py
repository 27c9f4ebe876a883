"""What the controls of `expressions` do to a metric face: displacements of its mesh, lids that close, lips that touch.

Everything is centimetres in the canonical space of `topology.mean_face`: x right in the picture, y up, z to the camera.
Weights are 0 at rest and 1 for a full movement; ``mouth_side`` and ``jaw_side`` are signed: positive goes to the
person's left.
"""

from functools import cache

import numpy as np

from .easing import smooth_step
from .expressions import CONTROLS, FORMED_CONTROLS, MEASURED_CONTROLS
from .shapes import face_shapes
from .topology import (
    INNER_LIPS_LOWER,
    INNER_LIPS_UPPER,
    LEFT_CREASE,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    RIGHT_CREASE,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
    mean_face,
)

SIGNED = ("mouth_side", "jaw_side")
AT_MOST_FULL = ("jaw_open", "kiss", "smile_left", "smile_right", "puff")

LIDS = {
    "right": (RIGHT_EYE_UPPER, RIGHT_EYE_LOWER, RIGHT_CREASE),
    "left": (LEFT_EYE_UPPER, LEFT_EYE_LOWER, LEFT_CREASE),
}
_INNER_UPPER, _INNER_LOWER = list(INNER_LIPS_UPPER[1:-1]), list(INNER_LIPS_LOWER[1:-1])


def bounded(weights: np.ndarray) -> np.ndarray:
    """Weights ``(..., K)`` within the mesh's limits: at most 2, blinks at most 1, and jaw and kiss not far open at
    once."""
    result = np.clip(weights, 0.0, 2.0)
    for name in SIGNED:
        place = CONTROLS.index(name)
        result[..., place] = np.clip(weights[..., place], -1.0, 1.0)
    for name, most in [("blink_left", 1.0), ("blink_right", 1.0), *((name, 1.1) for name in AT_MOST_FULL)]:
        place = CONTROLS.index(name)
        result[..., place] = np.minimum(result[..., place], most)
    return result


def linear_offsets(weights: np.ndarray) -> np.ndarray:
    """What all controls but the lids' move the mesh by: weights ``(..., K)`` give ``(..., 468, 3)``."""
    linear = len(_displacements())
    return (weights[..., :linear] @ _displacements()).reshape(*weights.shape[:-1], -1, 3)


def move_lids(faces: np.ndarray, weights: np.ndarray) -> None:
    """Close the eyes of faces ``(..., 468, 3)``, or open them wider, in place: lids meet a little above the lower lid,
    with a squint halfway. Weights are ``(K,)`` or ``(..., K)``."""
    for side, (upper, lower, crease) in LIDS.items():
        blink, wide, squint = (
            weights[..., CONTROLS.index(f"{name}_{side}"), None] for name in ("blink", "wide", "squint")
        )
        up, low = list(upper[1:-1]), list(lower[1:-1])
        gap = np.clip(faces[..., up, 1] - faces[..., low, 1], 0.0, None)
        opened = gap * (1.0 + 0.28 * wide) * (1.0 - np.clip(blink, 0.0, 1.0))
        # At least a hair's breadth stays between the lids, as on detected faces.
        opened = np.maximum(opened, 0.04)
        meet = faces[..., low, 1] + (0.2 + 0.4 * np.minimum(squint, 1.0)) * gap * np.clip(blink, 0.0, 1.0)
        risen = meet + opened - faces[..., up, 1]
        faces[..., low, 1] = meet
        faces[..., up, 1] += risen
        faces[..., list(crease), 1] += 0.3 * risen


def keep_lips_apart(faces: np.ndarray) -> None:
    """Lips touch but never cross: the upper inner lip of faces ``(..., 468, 3)`` stays on or above the lower one, in
    place."""
    crossing = np.clip(faces[..., _INNER_LOWER, 1] + 0.02 - faces[..., _INNER_UPPER, 1], 0.0, None)
    faces[..., _INNER_UPPER, 1] += 0.5 * crossing
    faces[..., _INNER_LOWER, 1] -= 0.5 * crossing


def bump(points: np.ndarray, centre: tuple[float, float], spread: tuple[float, float]) -> np.ndarray:
    """A Gaussian over the face's front plane, ``(N, 1)``, 1 at ``centre``."""
    offset = (points[:, :2] - centre) / spread
    return np.exp(-0.5 * (offset**2).sum(axis=1, keepdims=True))


@cache
def _formed_shapes() -> dict[str, np.ndarray]:
    """Displacements of the hand-formed controls that are linear, each ``(468, 3)`` centimetres."""
    face = mean_face()
    mouth = bump(face, (0.0, -4.2), (2.6, 1.7))
    side = np.sign(face[:, :1]) * smooth_step(np.abs(face[:, :1]), 0.0, 1.2)
    kiss = mouth * (face - [0.0, -4.2, 0.0]) * [-0.52, 0.10, 0.0] + mouth * [0.0, 0.0, 0.9]
    left_corner, right_corner = (bump(face, (s * 2.5, -4.3), (1.5, 1.3)) for s in (1, -1))
    cheeks = bump(face, (4.6, -3.4), (2.0, 2.2)) + bump(face, (-4.6, -3.4), (2.0, 2.2))
    nose = bump(face, (1.6, -0.6), (1.2, 1.3)) + bump(face, (-1.6, -0.6), (1.2, 1.3))
    inner_brows = bump(face, (1.6, 5.1), (1.7, 1.2)) + bump(face, (-1.6, 5.1), (1.7, 1.2))
    outer_brows = bump(face, (5.6, 4.9), (1.5, 1.2)) + bump(face, (-5.6, 4.9), (1.5, 1.2))
    brows = inner_brows * ([0.0, -0.85, 0.15] - 0.35 * side * [1.0, 0.0, 0.0]) + outer_brows * [
        0.0,
        0.30,
        0.0,
    ]
    above_eyes = smooth_step(face[:, 1:2], 3.1, 3.9)
    return {
        "kiss": kiss,
        "frown_left": left_corner * [0.05, -1.0, 0.0],
        "frown_right": right_corner * [-0.05, -1.0, 0.0],
        "puff": cheeks * side * [0.9, 0.0, 0.0] + cheeks * [0.0, 0.0, 1.0],
        "sneer": nose * [0.0, 0.45, 0.15] + bump(face, (0.0, -3.3), (1.6, 0.7)) * [0.0, 0.35, 0.0],
        "brow_knit": brows * above_eyes,
    }


@cache
def _displacements() -> np.ndarray:
    """All linear controls in the order of `CONTROLS`, ``(K, 468 * 3)``."""
    data = face_shapes()
    if tuple(data["expression_names"]) != MEASURED_CONTROLS:
        raise ValueError("face/data/face_shapes.npz does not hold the controls of this version")
    formed = _formed_shapes()
    linear = [formed[name] for name in FORMED_CONTROLS if name in formed]
    stacked = np.concatenate([data["expression_shapes_cm"], np.stack(linear)])
    return stacked.reshape(len(stacked), -1)
