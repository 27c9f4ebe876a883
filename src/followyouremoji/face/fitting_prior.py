"""What is expected of a face's points before they are seen: how people's faces differ, and how others may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from .placed_points import POINTS
from .shapes import face_shapes
from .topology import (
    LEFT_CREASE,
    LEFT_EYE_CORNERS,
    LEFT_EYE_LOOP,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    N_MESH,
    RIGHT_CREASE,
    RIGHT_EYE_CORNERS,
    RIGHT_EYE_LOOP,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
    Loop,
)

_LIDS = (
    (RIGHT_EYE_UPPER, RIGHT_EYE_LOWER, RIGHT_CREASE),
    (LEFT_EYE_UPPER, LEFT_EYE_LOWER, LEFT_CREASE),
)
EYES = (
    ("right_pupil", RIGHT_EYE_LOOP, RIGHT_EYE_CORNERS),
    ("left_pupil", LEFT_EYE_LOOP, LEFT_EYE_CORNERS),
)

CARE_CM = 0.12
"""How exactly a person places a point: 2 pixels where a face is 250 pixels wide."""

ROUGH_CM: Mapping[str, float] = {"chin": 0.25} | {name: 0.2 for name in POINTS if "brow" in name}
"""The same of what has no exact place."""

GLANCE_CM = 0.5
"""How far a pupil is from the middle of its eye."""

PROFILE = 70.0
"""Degrees that a head is expected to be turned of which one side alone has points."""

SMOOTH_CM = ((4.0, 1.0), (1.5, 0.5))
"""The remainder: reach and standard deviation, at a strength of 1, of the Gaussian kernels that it is made of."""

ONE_SIDED = 0.25
"""Share of the remainder's variance that is free to differ between left and right."""

UPPER_LID, LOWER_LID = 0.5, 0.25
"""Standard deviations of how far a lid closes the eye: 1 is closed."""

EYE_SIZE, EYE_REACH = 0.3, 0.4
"""Standard deviation of how much larger both eyes are, in which drawings and animals differ first; and the reach of
that, over an eye's width."""


@dataclass(frozen=True, eq=False)
class Prior:
    """What is expected of n named points of a face, before they are seen: all in centimetres of canonical space.

    Attributes
    ----------
    middles : (n, 468), which of the mesh's points a named one is the middle of
    mean : (n, 3)
    modes : (k, 3n), by one standard deviation of each mode of people
    unlike : (3, n, n), how the remainder lets them vary together, along each axis, at a strength of 1
    mesh_unlike : (3, 468, n), the same of the whole mesh with them
    noise : (n,)
    camera : (2,), right and up in the direction to the camera; NaN where nothing is known. People look at who portrays
        them, so a face whose proportions speak for a nod may as well be an animal's; and who places one side alone sees
        a profile
    """

    middles: np.ndarray
    mean: np.ndarray
    modes: np.ndarray
    unlike: np.ndarray
    mesh_unlike: np.ndarray
    noise: np.ndarray
    camera: np.ndarray

    @staticmethod
    @lru_cache(maxsize=32)
    def of(names: tuple[str, ...]) -> Prior:
        middles = np.stack([_middle(name) for name in names])
        modes = np.einsum("kmc,nm->knc", _people(), middles, optimize=True)
        mesh_unlike = _unlike() @ middles.T
        sides = {side for side in ("right", "left") if any(side in name for name in names)}
        turned = np.sin(np.radians(PROFILE)) * (1 if sides == {"left"} else -1)
        noise = [GLANCE_CM if "pupil" in name else ROUGH_CM.get(name, CARE_CM) for name in names]
        return Prior(
            middles=middles,
            mean=middles @ face_shapes()["neutral_face_cm"],
            modes=modes.reshape(len(modes), -1),
            unlike=middles @ mesh_unlike,
            mesh_unlike=mesh_unlike,
            noise=np.array(noise),
            camera=np.array([turned if len(sides) == 1 else np.nan, 0.0]),
        )

    def varying(self, strength: float) -> np.ndarray:
        """(3n, 3n), how the points vary together with a remainder of some strength."""
        n = len(self.mean)
        varying = self.modes.T @ self.modes
        for axis in range(3):
            varying.reshape(n, 3, n, 3)[:, axis, :, axis] += strength**2 * self.unlike[axis]
        return varying

    def mesh(self, pull: np.ndarray, strength: float) -> np.ndarray:
        """(468, 3), the most probable face whose named points are pulled (n, 3)."""
        people = np.tensordot(self.modes @ pull.reshape(-1), _people(), axes=1)
        unlike = np.einsum("cmn,nc->mc", self.mesh_unlike, pull)
        face: np.ndarray = face_shapes()["neutral_face_cm"] + people + strength**2 * unlike
        return face


def _middle(name: str) -> np.ndarray:
    """(468,) shares of the mesh's points in a named point; a pupil is in the middle of its eye."""
    eyes = {"right_pupil": RIGHT_EYE_LOOP, "left_pupil": LEFT_EYE_LOOP}
    within = list(eyes.get(name, POINTS[name].landmarks))
    shares = np.zeros(N_MESH)
    shares[within] = 1 / len(within)
    return shares


@cache
def _people() -> np.ndarray:
    """(k, 468, 3): modes of identity, expression, lids and the eyes' size, by one standard deviation."""
    shapes = face_shapes()
    expressions = shapes["expression_shapes_cm"] * shapes["expression_deviations"][:, None, None]
    closing = [UPPER_LID * _closing(upper, lower, crease) for upper, lower, crease in _LIDS]
    closing += [LOWER_LID * _closing(lower, upper) for upper, lower, _ in _LIDS]
    return np.concatenate([shapes["neutral_shapes_cm"], expressions, closing, [EYE_SIZE * _larger_eyes()]])


def _larger_eyes() -> np.ndarray:
    """(468, 3) centimetres by which both eyes become twice as large, and what is around them gives way."""
    face = face_shapes()["neutral_face_cm"]
    larger = np.zeros((N_MESH, 3))
    for _, loop, corners in EYES:
        middle = face[list(loop)].mean(axis=0)
        reach = EYE_REACH * float(np.linalg.norm(face[corners[0]] - face[corners[1]]))
        larger += kernel(face, middle[None], reach) * (face - middle)
    return larger


def _closing(lid: Loop, other: Loop, crease: Loop = ()) -> np.ndarray:
    """(468, 3) centimetres by which one lid goes to the other; the skin over the upper one follows."""
    face = face_shapes()["neutral_face_cm"]
    way = face[list(other[1:-1])] - face[list(lid[1:-1])]
    closing = np.zeros((N_MESH, 3))
    closing[list(lid[1:-1])] = way
    closing[list(crease)] = 0.3 * way[: len(crease)]
    return closing


@cache
def _unlike() -> np.ndarray:
    """(3, 468, 468): how the remainder lets the mesh's points vary together along each axis, at a strength of 1."""
    face = face_shapes()["neutral_face_cm"]
    same, across = (
        sum(deviation**2 * kernel(face, other, reach) for reach, deviation in SMOOTH_CM)
        for other in (face, face * (-1, 1, 1))
    )
    return np.stack([same + (1 - ONE_SIDED) * sign * across for sign in (-1, 1, 1)])


def kernel(points: np.ndarray, others: np.ndarray, reach: float) -> np.ndarray:
    """The Gaussian kernel between points (m, 3) and others (n, 3): (m, n)."""
    kernel: np.ndarray = np.exp(-0.5 * ((points[:, None] - others) ** 2).sum(axis=-1) / reach**2)
    return kernel
