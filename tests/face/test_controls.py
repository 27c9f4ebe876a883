"""What the controls do to a metric face."""

import numpy as np
import pytest

from followyouremoji.face.controls import bounded, keep_lips_apart, linear_offsets, move_lids
from followyouremoji.face.expressions import CONTROLS, EXPRESSIONS, GROUPS, NAMED_EXPRESSIONS, expression
from followyouremoji.face.gaze import LOWER_LIDS, UPPER_LIDS
from followyouremoji.face.identity import lip_gaps
from followyouremoji.face.shapes import mirror_points
from followyouremoji.face.topology import mean_face


def weights(**given: float) -> np.ndarray:
    return expression(**given).vector()


def lid_gaps(face: np.ndarray) -> np.ndarray:
    """Of both eyes without the corners, (2, 7) centimetres."""
    gaps: np.ndarray = face[UPPER_LIDS[:, 1:-1], 1] - face[LOWER_LIDS[:, 1:-1], 1]
    return gaps


def test_controls_of_one_side_mirror_those_of_the_other() -> None:
    """To half a millimetre, where they move points by 4 to 10."""
    for left in (name for name in CONTROLS if name.endswith("_left")):
        one, other = (linear_offsets(weights(**{name: 1.0})) for name in (left, f"{left[:-5]}_right"))
        np.testing.assert_allclose(one, other[mirror_points()] * [-1.0, 1.0, 1.0], atol=0.05)


def test_many_faces_move_as_each_alone() -> None:
    some = np.stack([EXPRESSIONS[name].vector() for name in NAMED_EXPRESSIONS])
    faces = mean_face() + linear_offsets(some)
    move_lids(faces, some)
    keep_lips_apart(faces)
    for face, one in zip(faces, some, strict=True):
        alone = mean_face() + linear_offsets(one)
        move_lids(alone, one)
        keep_lips_apart(alone)
        np.testing.assert_allclose(face, alone, atol=1e-12)


@pytest.mark.parametrize("eye", [0, 1])
def test_a_blink_closes_its_eye_alone(eye: int) -> None:
    face = mean_face()
    before = lid_gaps(face)
    move_lids(face, weights(**{("blink_right", "blink_left")[eye]: 1.0}))
    after = lid_gaps(face)
    np.testing.assert_allclose(after[eye], 0.04)
    np.testing.assert_array_equal(after[1 - eye], before[1 - eye])


def test_lips_touch_and_never_cross() -> None:
    faces = mean_face() + linear_offsets(weights(lips_press=2.0, jaw_open=-1.0)) * np.ones((2, 1, 1))
    assert lip_gaps(faces[0]).min() < 0.0
    keep_lips_apart(faces)
    assert lip_gaps(faces[0]).min() > 0.0


def test_weights_stay_within_the_limits() -> None:
    for sign in (-9.0, 9.0):
        kept = dict(zip(CONTROLS, bounded(np.full((3, len(CONTROLS)), sign))[1], strict=True))
        assert (kept["jaw_side"], kept["mouth_side"]) == (np.sign(sign), np.sign(sign))
        assert kept["blink_left"] == kept["blink_right"] == max(0.0, np.sign(sign))
        assert all(-1.0 <= one <= 2.0 for one in kept.values())
    np.testing.assert_array_equal(
        bounded(weights(smile=0.5, jaw_side=-0.3)), weights(smile=0.5, jaw_side=-0.3)
    )


def test_the_named_expressions_are_eighteen_in_groups() -> None:
    assert len(set(NAMED_EXPRESSIONS)) == 18 == 3 * len(GROUPS)
    assert set(NAMED_EXPRESSIONS) < set(EXPRESSIONS)
