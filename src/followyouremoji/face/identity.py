"""A face's identity apart from its expression: what stays of a face when it relaxes.

A linear model, as those of Blanz and Vetter (1999) and FLAME (Li et al. 2017), over metric faces in canonical space:

    vertices = neutral face + identity shapes * a + expression shapes * b + remainder

`a` (12,) and the remainder are the person, `b` (18,) is what the face does (`face.shapes`). Both are found at once by
regularised least squares, which is the most probable pair for Gaussian shapes: each component counts in its standard
deviations, and the misfit in units of `MISFIT_CM`. Expressions are controls that cannot be negative (a mouth is not
opened by less than nothing), but for the two that go to either side. Lips and lids are set by their gaps beside, since
there a residual of half a millimetre shows: a neutral mouth is closed, and a neutral eye is as open as eyes are.
"""

from dataclasses import astuple, dataclass
from functools import cache

import numpy as np

from .easing import smooth_step
from .geometry import EYE_DISTANCE_CM
from .regions import REGIONS
from .shapes import face_shapes
from .topology import (
    INNER_LIPS_LOWER,
    INNER_LIPS_UPPER,
    LEFT_CREASE,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    LOWER_LIP_ROWS,
    N_MESH,
    RIGHT_CREASE,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
    Loop,
    mean_face,
)

EXPRESSIONS = 18
"""How many controls there are."""

MISFIT_CM = 1.0
"""What a coordinate's misfit is measured in. Residuals are some half a millimetre and common to large parts of the
face, so the 1404 coordinates must not count as so many witnesses. Of 0.3, 1 and 3 cm, 0.3 and 1 recover four fifths of
the measured movement of 7 filmed people from single frames and 3 less, and 1 disturbs relaxed frames less than 0.3."""

ROUNDS = 5
"""Rounds of reweighting in a clip; the weights change by less than a hundredth after."""

SWEEPS = 40
"""Sweeps of coordinate descent: what it settles to within a thousandth."""

OPEN_LIPS = (0.06, 0.15)
"""Gap between the inner lips, in eye distances: up to the first they are merely parted, from the second on the mouth is
open for sure. Of the 36 people that the model is of two thirds stay below the first, and all but the two who shout
below the second."""

STRONG_MOUTH = (0.06, 0.11)
"""Displacement of the lips by the mouth's expression, root mean square in eye distances: 32 of the 36 people stay below
the first, and six of 7 filmed people, when they laugh or shout, reach the second."""

STRONG_BROWS = (0.015, 0.03)
"""The same of the brows: none of the 36 people reaches the first; half of the second is what the model sees of the
strongest raise of the filmed."""

CLOSED_LIDS = (0.19, 0.13)
"""Opening of an eye over its width: from the first on it is open, if sleepily (0.19 is the least of the 36), and at the
second it is closed for certain (blinks of the filmed go to 0.05 and below, detected in drawings to 0.14)."""

USUAL_OPENING = 0.33
"""Median of the same over the 36 people."""

_EYES: dict[str, tuple[Loop, Loop, Loop]] = {
    "right_eye": (RIGHT_EYE_UPPER, RIGHT_EYE_LOWER, RIGHT_CREASE),
    "left_eye": (LEFT_EYE_UPPER, LEFT_EYE_LOWER, LEFT_CREASE),
}
_UPPER_LIP, _LOWER_LIP = list(INNER_LIPS_UPPER[1:-1]), list(INNER_LIPS_LOWER[1:-1])
_LIP_SHARES = (1.0, 0.9, 0.75, 0.6)  # of a closing mouth's movement, by `LOWER_LIP_ROWS`


@dataclass(frozen=True)
class Separation:
    """Faces of one person: `identity` ``(12,)`` standard deviations, and the `expressions` ``(T, 18)`` in units of the
    controls."""

    identity: np.ndarray
    expressions: np.ndarray


@dataclass(frozen=True)
class Amounts:
    """By part of the face a share in [0, 1]: of its expression, or of certainty that there is one."""

    brows: float = 0.0
    mouth: float = 0.0
    right_eye: float = 0.0
    left_eye: float = 0.0


def separate(vertices: np.ndarray) -> Separation:
    """Identity and expressions of the metric faces ``(T, 468, 3)`` of one person.

    One identity is fitted to all frames together. Frames of a strong expression count less for it: expressions are
    taken to be Cauchy distributed, whose most probable identity is found by iteratively reweighted least squares. The
    frames' weighted mean counts as one face, not as T independent ones, for the misfit is the same in all of them.
    """
    flat = vertices.reshape(len(vertices), -1)
    deviations = face_shapes()["expression_deviations"]
    weights = np.full(len(flat), 1.0 / len(flat))
    for _ in range(ROUNDS if len(flat) > 1 else 1):
        identity = _identity(weights @ flat)
        expressions = _expressions(flat, identity)
        weights = 1.0 / (1.0 + ((expressions / deviations) ** 2).sum(axis=1))
        weights /= weights.sum()
    return Separation(identity, expressions)


def certainty(vertices: np.ndarray, expression: np.ndarray) -> Amounts:
    """How certain it is that a face ``(468, 3)`` with the fitted `expression` ``(18,)`` shows one: 0 for what is common
    in relaxed faces, 1 for what is not seen in them, smooth between."""
    strength = {
        part: np.sqrt((_offsets(expression, part)[list(REGIONS[part])] ** 2).sum(axis=1).mean())
        / EYE_DISTANCE_CM
        for part in ("brows", "mouth")
    }
    # Eyes mostly close together, and a detector does not see both equally well, so the smaller opening counts for both;
    # but not as much as that a wink closes the other eye, too.
    openings = {eye: lid_opening(vertices, eye) for eye in _EYES}
    smaller = min(openings.values())
    lids = {
        eye: float(smooth_step(0.6 * opening + 0.4 * smaller, *CLOSED_LIDS))
        for eye, opening in openings.items()
    }
    return Amounts(
        brows=float(smooth_step(strength["brows"], *STRONG_BROWS)),
        mouth=float(
            max(smooth_step(strength["mouth"], *STRONG_MOUTH), smooth_step(lip_gap(vertices), *OPEN_LIPS))
        ),
        **lids,
    )


def relaxed(
    vertices: np.ndarray, expression: np.ndarray, amounts: Amounts, gaps: Amounts | None = None
) -> np.ndarray:
    """A face ``(468, 3)`` with as much of its fitted `expression` ``(18,)`` taken off as `amounts` say.

    `gaps` say the same of the gaps between lips and lids, where they are treated otherwise than the rest.
    """
    face = vertices - sum(getattr(amounts, part) * _offsets(expression, part) for part in ("brows", "mouth"))
    gaps = gaps or amounts
    face = with_lip_gaps(face, (1.0 - gaps.mouth) * lip_gaps(vertices))
    for eye in _EYES:
        face = _opened_as_usual(face, eye, getattr(gaps, eye))
    return face


def lip_gaps(vertices: np.ndarray) -> np.ndarray:
    """Between the inner lips of a face ``(468, 3)``, from corner to corner: ``(9,)`` centimetres."""
    gaps: np.ndarray = vertices[_UPPER_LIP, 1] - vertices[_LOWER_LIP, 1]
    return gaps


def with_lip_gaps(vertices: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """A face ``(468, 3)`` whose lower lip stands so that the inner lips are `gaps` ``(9,)`` centimetres apart."""
    face = vertices.copy()
    rise = lip_gaps(vertices) - gaps
    for row, share in zip(LOWER_LIP_ROWS, _LIP_SHARES, strict=True):
        face[list(row), 1] += share * rise
    return face


def with_wider_lip_gaps(offsets: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Displacements ``(T, 468, 3)`` of faces, with lips that open by `factors` ``(T,)`` as far."""
    wider = offsets.copy()
    opening = offsets[:, _UPPER_LIP, 1] - offsets[:, _LOWER_LIP, 1]
    for row, share in zip(LOWER_LIP_ROWS, _LIP_SHARES, strict=True):
        wider[:, list(row), 1] -= share * (factors[:, None] - 1.0) * opening
    return wider


def largest(first: Amounts, second: Amounts) -> Amounts:
    """The larger share of each part."""
    return Amounts(*map(max, astuple(first), astuple(second)))


def lip_gap(vertices: np.ndarray) -> float:
    """Between the middles of the inner lips, in eye distances."""
    return float(vertices[13, 1] - vertices[14, 1]) / EYE_DISTANCE_CM


def lid_opening(vertices: np.ndarray, eye: str) -> float:
    """Height over width of the `right_eye` or the `left_eye`."""
    upper, lower, _ = _EYES[eye]
    height = vertices[upper[4], 1] - vertices[lower[4], 1]
    return float(height / np.linalg.norm(vertices[upper[0]] - vertices[upper[-1]]))


def _opened_as_usual(vertices: np.ndarray, eye: str, amount: float) -> np.ndarray:
    """A face with an eye opened, by `amount` of the way, as eyes usually are. The upper lid does most."""
    upper, lower, crease = _EYES[eye]
    up, low, above = list(upper[1:-1]), list(lower[1:-1]), list(crease)
    width = np.linalg.norm(vertices[upper[0]] - vertices[upper[-1]])
    missing = amount * (USUAL_OPENING * width * _lid_profile() - (vertices[up, 1] - vertices[low, 1]))
    face = vertices.copy()
    face[up, 1] += 0.8 * missing
    face[low, 1] -= 0.2 * missing
    face[above, 1] += 0.3 * missing
    return face


@cache
def _lid_profile() -> np.ndarray:
    """Opening along an eye from the outer to the inner corner, 1 in its middle: (7,), both eyes of the mean face."""
    face = mean_face()
    gaps = [face[list(up[1:-1]), 1] - face[list(low[1:-1]), 1] for up, low, _ in _EYES.values()]
    profile: np.ndarray = np.mean([gap / gap[3] for gap in gaps], axis=0)
    return profile


def _offsets(expression: np.ndarray, part: str) -> np.ndarray:
    """What an expression (18,) moves in the `brows`, or all else, which goes with the `mouth`: (468, 3) centimetres."""
    shapes = face_shapes()
    brows = np.char.startswith(shapes["expression_names"], "brow")
    own = brows if part == "brows" else ~brows
    offsets: np.ndarray = np.tensordot(expression * own, shapes["expression_shapes_cm"], axes=1)
    return offsets


@cache
def _model() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The neutral face (1404,), and one deviation of each identity (12, 1404) and expression (18, 1404) shape."""
    shapes = face_shapes()
    expressions = shapes["expression_shapes_cm"] * shapes["expression_deviations"][:, None, None]
    return (
        shapes["neutral_face_cm"].reshape(-1),
        shapes["neutral_shapes_cm"].reshape(-1, 3 * N_MESH),
        expressions.reshape(-1, 3 * N_MESH),
    )


@cache
def _least_expression() -> np.ndarray:
    """(18,): 0, or minus infinity for controls that go to either side."""
    sideways = np.char.endswith(face_shapes()["expression_names"], "_side")
    return np.where(sideways, -np.inf, 0.0)


def _identity(face: np.ndarray) -> np.ndarray:
    """The identity (12,) of one face (1404,), whose expression is fitted along."""
    neutral, people, expressions = _model()
    least = np.concatenate([np.full(len(people), -np.inf), _least_expression()])
    return _bounded_ridge((face - neutral)[None], np.concatenate([people, expressions]), least)[
        0, : len(people)
    ]


def _expressions(faces: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """The expressions (T, 18) of faces (T, 1404) of a known identity."""
    neutral, people, expressions = _model()
    fitted = _bounded_ridge(faces, expressions, _least_expression(), neutral + identity @ people)
    return fitted * face_shapes()["expression_deviations"]


def _bounded_ridge(
    targets: np.ndarray, shapes: np.ndarray, least: np.ndarray, origin: np.ndarray | float = 0.0
) -> np.ndarray:
    """The z (T, k), none less than `least` (k,), of least |targets - origin - z shapes|^2 / MISFIT_CM^2 + |z|^2, by
    cyclic coordinate descent from the clipped solution without bounds."""
    normal = shapes @ shapes.T + MISFIT_CM**2 * np.eye(len(shapes))
    right = targets @ shapes.T - (np.broadcast_to(origin, shapes.shape[1:]) @ shapes.T)
    z = np.maximum(np.linalg.solve(normal, right.T).T, least)
    for _ in range(SWEEPS):
        for k in range(len(shapes)):
            z[:, k] = np.maximum(z[:, k] + (right[:, k] - z @ normal[:, k]) / normal[k, k], least[k])
    return z
