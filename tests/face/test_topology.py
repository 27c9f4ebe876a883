"""The mesh hangs together: counts from MediaPipe's mesh, shape from the mean face."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from followyouremoji.face import topology
from followyouremoji.face.shapes import mirror_points
from followyouremoji.face.topology import TRIANGLES, mean_face, rigid_weights

LOOPS = ("FACE_OVAL_LOOP", "LEFT_EYE_LOOP", "RIGHT_EYE_LOOP", "INNER_LIPS_LOOP", "OUTER_LIPS_LOOP")


def test_the_mesh_is_a_sphere_with_four_holes() -> None:
    directed = {
        (int(a), int(b))
        for triangle in TRIANGLES
        for a, b in zip(triangle, np.roll(triangle, -1), strict=True)
    }
    edges = {frozenset(edge) for edge in directed}
    assert len(directed) == 3 * len(TRIANGLES) == 2556  # each side once in each direction: one orientation
    assert len(np.unique(TRIANGLES)) == 468
    assert 468 - len(edges) + len(TRIANGLES) == 2 - 4
    border = {edge for edge in directed if edge[::-1] not in directed}
    holes = (
        topology.FACE_OVAL_LOOP + topology.LEFT_EYE_LOOP + topology.RIGHT_EYE_LOOP + topology.INNER_LIPS_LOOP
    )
    assert {point for edge in border for point in edge} == set(holes)


def test_triangles_face_the_camera_on_the_mean_face() -> None:
    a, b, c = (mean_face()[TRIANGLES[:, corner]] for corner in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


@pytest.mark.parametrize("name", LOOPS)
def test_loops_go_round_once_along_the_mesh(name: str) -> None:
    loop = getattr(topology, name)
    edges = {frozenset((a, b)) for triangle in TRIANGLES.tolist() for a in triangle for b in triangle}
    assert len(set(loop)) == len(loop)
    assert {frozenset((loop[i - 1], loop[i])) for i in range(len(loop))} <= edges


def test_the_mean_face_is_a_face_in_centimetres() -> None:
    face = mean_face()
    assert face.shape == (468, 3)
    assert (
        face[10, 1] > face[33, 1] > face[1, 1] > face[13, 1] > face[14, 1] > face[152, 1]
    )  # forehead to chin
    assert face[33, 0] < 0 < face[263, 0]  # the person's right eye is left in the picture
    assert face[:, 2].argmax() in (1, 4)  # the tip of the nose is nearest
    assert 8.0 < np.linalg.norm(face[33] - face[263]) < 10.0


def test_the_rigid_points_leave_out_what_an_expression_moves() -> None:
    weights = rigid_weights()
    assert weights.shape == (468,)
    assert np.count_nonzero(weights) == 33
    assert (weights >= 0).all()
    assert not weights[list(topology.INNER_LIPS_LOOP)].any()


def test_what_a_caller_changes_stays_with_the_caller() -> None:
    mean_face()[:] = 0
    rigid_weights()[:] = 0
    assert mean_face().any()
    assert rigid_weights().any()
    with pytest.raises(ValueError, match="read-only"):
        TRIANGLES[0] = 0


def test_the_room_needs_no_mediapipe_and_no_torch() -> None:
    """A machine that only trains has neither mediapipe nor a need for it."""
    code = (
        "import sys; sys.modules['mediapipe'] = None\n"
        "from followyouremoji.face import alignment, detection, drawing, geometry, motion, topology\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


BROW_AND_EYE = ("EYEBROW_UPPER", "EYEBROW_LOWER", "CREASE", "EYE_UPPER", "EYE_LOWER")
LIPS = ("OUTER_LIPS_UPPER", "INNER_LIPS_UPPER", "INNER_LIPS_LOWER", "OUTER_LIPS_LOWER")


@pytest.mark.parametrize("name", [*BROW_AND_EYE, "EYE_CORNERS", "IRIS"])
def test_what_is_on_the_left_mirrors_what_is_on_the_right(name: str) -> None:
    left, right = (np.atleast_1d(getattr(topology, f"{side}_{name}")) for side in ("LEFT", "RIGHT"))
    mirror = np.append(mirror_points(), np.r_[473:478, 468:473])
    np.testing.assert_array_equal(mirror[left], right)


@pytest.mark.parametrize("row", [*(getattr(topology, name) for name in LIPS), *topology.LOWER_LIP_ROWS])
def test_a_row_of_a_lip_mirrors_itself(row: topology.Loop) -> None:
    np.testing.assert_array_equal(mirror_points()[list(row)], row[::-1])


@pytest.mark.parametrize(
    "row", [*(getattr(topology, f"LEFT_{name}") for name in BROW_AND_EYE), *topology.LOWER_LIP_ROWS]
)
def test_rows_go_along_the_mesh(row: topology.Loop) -> None:
    edges = {frozenset((a, b)) for triangle in TRIANGLES.tolist() for a in triangle for b in triangle}
    assert {frozenset(pair) for pair in pairwise(row)} <= edges


@pytest.mark.parametrize(
    "rows",
    [
        [getattr(topology, f"LEFT_{name}") for name in BROW_AND_EYE],
        [getattr(topology, name) for name in LIPS],
        topology.LOWER_LIP_ROWS,
    ],
)
def test_rows_lie_below_each_other(rows: list[topology.Loop]) -> None:
    heights = [mean_face()[list(row), 1].mean() for row in rows]
    assert heights == sorted(heights, reverse=True)


def test_the_corners_of_the_eyes_are_the_ends_of_their_lids() -> None:
    for side in ("RIGHT", "LEFT"):
        lid, corners = (getattr(topology, f"{side}_{name}") for name in ("EYE_UPPER", "EYE_CORNERS"))
        assert corners == (lid[0], lid[-1])
    both = np.array([topology.RIGHT_EYE_CORNERS, topology.LEFT_EYE_CORNERS])
    np.testing.assert_array_equal(both.T, [topology.OUTER_EYE_CORNERS, topology.INNER_EYE_CORNERS])
