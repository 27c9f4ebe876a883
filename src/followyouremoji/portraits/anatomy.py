"""The face below the drawing: a person's shape, its expression, eyes and gaze, all in metric space.

Everything is centimetres in the canonical space of `face.topology.mean_face`: x right in the picture, y up, z to the
camera. Shapes and expressions are the measured ones of `face.shapes`; `data/face_agreement.npz` holds
``agreement_<style>_cm`` ``(468, 2)``: how far a face detector (MediaPipe's face mesh) sees the points of jaw, cheeks,
nose and forehead from where they were, median over 20 drawings a style, repeated until little remained.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from followyouremoji.face.controls import bump, keep_lips_apart, linear_offsets, move_lids
from followyouremoji.face.easing import smooth_step
from followyouremoji.face.expressions import MEASURED_CONTROLS
from followyouremoji.face.identity import lip_gaps, with_lip_gaps
from followyouremoji.face.regions import REGIONS
from followyouremoji.face.shapes import face_shapes, mirror_points
from followyouremoji.face.topology import (
    LEFT_CREASE,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    RIGHT_CREASE,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
    mean_face,
)

IRIS_RADIUS = 0.60
"""Centimetres on the mean face; adults' irises are 11.7 mm across."""


@dataclass(frozen=True)
class FaceShape:
    """The difference of one face from the mean face; the defaults are the mean face.

    Attributes
    ----------
    principal : weights of the measured principal shapes, standard deviations
    eyes, irises, nose, mouth, lips : sizes relative to the mean face
    width, jaw : breadth of the whole face and of its lower part, relative
    chin, brow_height : centimetres longer, higher
    smile : centimetres that the corners of the mouth stand higher at rest
    flatness : 0 keeps the relief of the face, 1 lays it on a sphere (emoji)
    muzzle : centimetres that nose and mouth stand out (animals)
    liveliness : how far expressions go, relative to measured people
    kind : the style whose agreement with face detectors is applied
    """

    principal: tuple[float, ...] = ()
    eyes: float = 1.0
    irises: float = 1.0
    nose: float = 1.0
    mouth: float = 1.0
    lips: float = 1.0
    width: float = 1.0
    jaw: float = 1.0
    chin: float = 0.0
    brow_height: float = 0.0
    smile: float = 0.0
    flatness: float = 0.0
    muzzle: float = 0.0
    liveliness: float = 1.0
    kind: str = "person"


@cache
def _agreement() -> dict[str, np.ndarray]:
    with (files(__package__) / "data" / "face_agreement.npz").open("rb") as file, np.load(file) as data:
        return {name: data[name] for name in data.files}


def _scaled_around(
    points: np.ndarray, indices: tuple[int, ...], spread: tuple[float, float], factors: np.ndarray
) -> None:
    """Scale the region around the mean of ``indices`` in place, fading out with distance."""
    centre = points[list(indices)].mean(axis=0)
    weight = bump(points, (centre[0], centre[1]), spread)
    points += weight * (points - centre) * (factors - 1.0)


def _enlarge_eye(face: np.ndarray, corners: tuple[int, int], gain: float) -> None:
    """Make an eye larger in place: mostly by a higher upper lid; the line between the corners stays."""
    centre = face[list(corners)].mean(axis=0)
    weight = bump(face, (centre[0], centre[1] + 0.2), (2.1, 1.6))
    offset = face - centre
    rise = np.where(offset[:, 1:2] > 0.0, 0.95, 0.75)
    face += (
        gain * weight * offset * np.concatenate([np.full_like(rise, 0.5), rise, np.zeros_like(rise)], axis=1)
    )


@cache
def face_at_rest(shape: FaceShape) -> np.ndarray:
    """The mesh of a face without expression, ``(468, 3)`` centimetres; shared, not to be changed."""
    face = mean_face()
    if shape.principal:
        basis = face_shapes()["identity_shapes_cm"][: len(shape.principal)]
        face += np.tensordot(np.array(shape.principal[: len(basis)]), basis, axes=1)
    # Measured at rest, mouths are a little open and stern; drawn ones start closed, with the corners up.
    measured = dict(zip(MEASURED_CONTROLS, face_shapes()["expression_shapes_cm"], strict=True))
    face += 0.55 * (measured["smile_left"] + measured["smile_right"]) - 0.23 * measured["jaw_open"]
    face += 0.35 * measured["brow_inner_up"]
    face = 0.5 * (face + face[mirror_points()] * [-1.0, 1.0, 1.0])
    # The mean of the measured faces is a little sleepy; drawn ones start awake.
    for upper, crease in ((RIGHT_EYE_UPPER, RIGHT_CREASE), (LEFT_EYE_UPPER, LEFT_CREASE)):
        face[list(upper[1:-1]), 1] += 0.16 * np.sin(np.linspace(0, np.pi, 9)[1:-1])
        face[list(crease), 1] += 0.10
    face = with_lip_gaps(face, np.minimum(lip_gaps(face), 0.03))  # they touch
    brows = face[list(REGIONS["brows"])]
    nose, mouth = (1, 2, 98, 327), (61, 291, 0, 17)
    _scaled_around(face, nose, (1.5, 2.2), np.array([shape.nose, 0.5 + 0.5 * shape.nose, shape.nose]))
    _scaled_around(face, mouth, (2.8, 1.7), np.array([shape.mouth, shape.lips, 1.0]))
    for upper in (RIGHT_EYE_UPPER, LEFT_EYE_UPPER):
        _enlarge_eye(face, (upper[0], upper[-1]), shape.eyes - 1.0)
    face[list(REGIONS["brows"])] = brows + np.array([0.0, 0.55 * (shape.eyes - 1.0), 0.0])
    face[:, 1:2] += shape.brow_height * bump(face, (0.0, 5.0), (9.0, 1.3))
    low = smooth_step(-face[:, 1:2], 0.5, 6.5)
    face[:, 0:1] *= shape.width * (1.0 + (shape.jaw - 1.0) * low)
    face[:, 1:2] -= shape.chin * smooth_step(-face[:, 1:2], 4.5, 8.5)
    if shape.muzzle:
        face[:, 2:3] += shape.muzzle * bump(face, (0.0, -2.6), (2.5, 2.4))
    reach = 2.5 * shape.mouth
    lips = bump(face, (0.0, face[13, 1]), (2.2 * reach, 1.3))
    face[:, 1:2] += shape.smile * lips * (np.clip((face[:, :1] / reach) ** 2, 0.0, 1.4) - 0.35)
    agreement = _agreement().get(f"agreement_{shape.kind}_cm")
    if agreement is not None:
        face[:, :2] += agreement
    keep_lips_apart(face)
    if shape.flatness:
        radius, centre = EMOJI_RADIUS, EMOJI_CENTRE
        inside = np.clip(radius**2 - ((face[:, :2] - centre[:2]) ** 2).sum(axis=1), 1.0, None)
        face[:, 2] += shape.flatness * (centre[2] + np.sqrt(inside) - face[:, 2])
    face.setflags(write=False)
    return face


EMOJI_RADIUS = 9.9
EMOJI_CENTRE = np.array([0.0, -0.3, -2.6])
"""The ball that an emoji's face lies on, centimetres."""


def expressive_face(shape: FaceShape, controls: np.ndarray) -> np.ndarray:
    """The mesh of a face with an expression, in canonical space.

    Parameters
    ----------
    shape : whose face
    controls : ``(K,)`` weights in the order of `face.expressions.CONTROLS`

    Returns
    -------
    ``(468, 3)`` centimetres.
    """
    face = face_at_rest(shape)
    # A smaller mouth moves less; brows keep their reach.
    reach = 0.5 + 0.5 * shape.mouth
    face = face + shape.liveliness * linear_offsets(controls) * [reach, 1.0, 1.0 - 0.6 * shape.flatness]
    move_lids(face, controls)
    keep_lips_apart(face)
    return face


def place_eyes(shape: FaceShape, gaze: tuple[tuple[float, float], tuple[float, float]]) -> np.ndarray:
    """The irises in canonical space, centre and four rim points (right, top, left, bottom in the picture) per eye.

    Parameters
    ----------
    gaze : (x, y) of the right and of the left eye in ``[-1, 1]``: x to the picture's right, y up

    Returns
    -------
    ``(10, 3)`` centimetres: the person's right iris, then the left one, in the order of landmarks 468 to 477.
    """
    rest = face_at_rest(shape)
    radius = iris_radius(shape)
    rim = radius * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]], float)
    irises = []
    for (x, y), upper, lower in zip(
        gaze, (RIGHT_EYE_UPPER, LEFT_EYE_UPPER), (RIGHT_EYE_LOWER, LEFT_EYE_LOWER), strict=True
    ):
        outline = rest[list(upper + lower[1:-1])]
        low, high = outline.min(axis=0), outline.max(axis=0)
        reach = np.array([0.5 * (high[0] - low[0]) - 0.75 * radius, 0.42 * (high[1] - low[1]), 0.0])
        centre = 0.5 * (low + high) + [0.0, 0.02, 0.0]
        # Depth of the surface between the corners, so that the iris lies in the opening and not in front of it.
        centre[2] = outline[:, 2].mean()
        irises.append(centre + reach * [x, y, 0.0] + rim)
    return np.concatenate(irises)


def iris_radius(shape: FaceShape) -> float:
    """Centimetres; grows with the eyes, but less."""
    return IRIS_RADIUS * shape.irises * (0.40 + 0.60 * shape.eyes)
