"""The 478-point face mesh: index groups, edges, triangles and the mean metric face.

The index groups are those of MediaPipe's face mesh, by point number; "right" is the person's right, which is left in
the picture. MediaPipe itself is not needed here.

`data/face_mesh.npz` holds three arrays:

- ``mean_face_cm``: the mean of 36 nearly neutral metric faces (centimetres, x right, y up, z to the camera), measured
  on pictures of 36 people with MediaPipe's face geometry and averaged point by point.
- ``rigid_weights``: MediaPipe's weights of the 33 landmarks that hardly move with an expression; zero elsewhere.
- ``triangles``: the directed 3-cycles of MediaPipe's tessellation edges, turned to one orientation by walking from
  a triangle on the border to its neighbours. The mesh is a sphere with four holes (oval, both eyes, mouth):
  468 points - 1322 edges + 852 triangles = -2.
"""

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from followyouremoji.arrays import read_arrays

N_MESH = 468
N_LANDMARKS = 478
RIGHT_IRIS = 468
"""Centre of the right iris; its rim is the four points after it."""
LEFT_IRIS = 473
"""Centre of the left iris; its rim is the four points after it."""

Edges = tuple[tuple[int, int], ...]
Loop = tuple[int, ...]


def _chain(*points: int) -> Edges:
    return tuple(pairwise(points))


def _loop(first: Loop, second: Loop) -> Loop:
    """The closed loop of two chains that share both ends."""
    return first + second[-2:0:-1]


# fmt: off
FACE_OVAL_LOOP: Loop = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
"""From the top of the forehead down the person's left side to the chin and back up."""

RIGHT_EYE_LOWER: Loop = (33, 7, 163, 144, 145, 153, 154, 155, 133)
RIGHT_EYE_UPPER: Loop = (33, 246, 161, 160, 159, 158, 157, 173, 133)
LEFT_EYE_LOWER: Loop = (263, 249, 390, 373, 374, 380, 381, 382, 362)
LEFT_EYE_UPPER: Loop = (263, 466, 388, 387, 386, 385, 384, 398, 362)

RIGHT_EYEBROW_LOWER: Loop = (46, 53, 52, 65, 55)
RIGHT_EYEBROW_UPPER: Loop = (70, 63, 105, 66, 107)
LEFT_EYEBROW_LOWER: Loop = (276, 283, 282, 295, 285)
LEFT_EYEBROW_UPPER: Loop = (300, 293, 334, 296, 336)

OUTER_LIPS_LOWER: Loop = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
OUTER_LIPS_UPPER: Loop = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
INNER_LIPS_LOWER: Loop = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
INNER_LIPS_UPPER: Loop = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)

LOWER_LIP_ROWS: tuple[Loop, ...] = (
    (95, 88, 178, 87, 14, 317, 402, 318, 324),
    (96, 89, 179, 86, 15, 316, 403, 319, 325),
    (77, 90, 180, 85, 16, 315, 404, 320, 307),
    (146, 91, 181, 84, 17, 314, 405, 321, 375),
)
"""Of the lower lip, from its inner rim, without the corners, to its outer one."""

RIGHT_CREASE: Loop = (247, 30, 29, 27, 28, 56, 190)
LEFT_CREASE: Loop = (467, 260, 259, 257, 258, 286, 414)
"""The crease above the upper lid, from the outer to the inner corner of the eye."""
# fmt: on

RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS = (33, 133), (263, 362)
"""Outer and inner."""
OUTER_EYE_CORNERS, INNER_EYE_CORNERS = (33, 263), (133, 362)
"""Of the right and of the left eye."""

RIGHT_EYE_LOOP = _loop(RIGHT_EYE_LOWER, RIGHT_EYE_UPPER)
LEFT_EYE_LOOP = _loop(LEFT_EYE_LOWER, LEFT_EYE_UPPER)
OUTER_LIPS_LOOP = _loop(OUTER_LIPS_LOWER, OUTER_LIPS_UPPER)
INNER_LIPS_LOOP = _loop(INNER_LIPS_LOWER, INNER_LIPS_UPPER)

FACE_OVAL: Edges = _chain(*FACE_OVAL_LOOP, FACE_OVAL_LOOP[0])
RIGHT_EYE: Edges = _chain(*RIGHT_EYE_LOWER) + _chain(*RIGHT_EYE_UPPER)
LEFT_EYE: Edges = _chain(*LEFT_EYE_LOWER) + _chain(*LEFT_EYE_UPPER)
RIGHT_EYEBROW: Edges = _chain(*RIGHT_EYEBROW_LOWER) + _chain(*RIGHT_EYEBROW_UPPER)
LEFT_EYEBROW: Edges = _chain(*LEFT_EYEBROW_LOWER) + _chain(*LEFT_EYEBROW_UPPER)


@cache
def _mesh_data() -> dict[str, np.ndarray]:
    arrays = read_arrays(Path(__file__).parent / "data" / "face_mesh.npz")
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


def mean_face() -> np.ndarray:
    """The mean metric face, ``(468, 3)`` float64 centimetres: x right in the picture, y up, z to the camera.

    It stands in the canonical space of the pose fit; a fresh array that the caller may change.
    """
    return _mesh_data()["mean_face_cm"].astype(np.float64)


def rigid_weights() -> np.ndarray:
    """Weights of the pose fit, ``(468,)`` float64: how little each point moves with an expression, mostly zero."""
    return _mesh_data()["rigid_weights"].copy()


TRIANGLES: np.ndarray = _mesh_data()["triangles"].astype(np.int64)
"""``(852, 3)`` point numbers, counter-clockwise seen from outside the face (normals point out). Eyes and mouth are
holes."""
TRIANGLES.setflags(write=False)
