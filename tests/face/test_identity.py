"""Identity and expression apart: what is put together is taken apart again, and faces at rest are left alone."""

from pathlib import Path

import numpy as np
import pytest

from followyouremoji.face.geometry import eye_distance
from followyouremoji.face.identity import (
    Amounts,
    certainty,
    lid_opening,
    lip_gap,
    relaxed,
    separate,
    with_wider_lip_gaps,
)
from followyouremoji.face.shapes import face_shapes
from followyouremoji.face.topology import mean_face

MEASURED = Path(__file__).parents[2].parent / "shared" / "data" / "metric_faces.npz"
NAMES = list(face_shapes()["expression_names"])
SHOUT = {"jaw_open": 0.9, "smile_left": 0.6, "smile_right": 0.6, "brow_inner_up": 0.8}


def somebody(seed: int) -> np.ndarray:
    """(468, 3): a neutral face with a remainder that the model has no shape for, half a millimetre."""
    shapes = face_shapes()
    rng = np.random.default_rng(seed)
    own = np.tensordot(rng.normal(size=12), shapes["neutral_shapes_cm"], axes=1)
    return shapes["neutral_face_cm"] + own + rng.normal(0.0, 0.05, (468, 3))


def doing(face: np.ndarray, **controls: float) -> np.ndarray:
    vector = np.array([controls.get(name, 0.0) for name in NAMES])
    return face + np.tensordot(vector, face_shapes()["expression_shapes_cm"], axes=1)


def test_the_neutral_face_has_its_mouth_closed_and_its_eyes_open() -> None:
    neutral = face_shapes()["neutral_face_cm"]
    assert abs(lip_gap(neutral)) < 0.005
    assert lip_gap(mean_face()) > 0.05  # two of the 36 faces that it is the mean of shout
    for eye in ("right_eye", "left_eye"):
        assert 0.28 < lid_opening(neutral, eye) < 0.38


@pytest.mark.parametrize("seed", range(3))
def test_one_frame_gives_most_of_a_strong_expression_back(seed: int) -> None:
    face = somebody(seed)
    fitted = separate(doing(face, **SHOUT)[None]).expressions[0]
    rest = relaxed(doing(face, **SHOUT), fitted, Amounts(1.0, 1.0, 0.0, 0.0))
    before = np.linalg.norm(doing(face, **SHOUT) - face, axis=1).mean()
    assert np.linalg.norm(rest - face, axis=1).mean() < 0.45 * before
    assert abs(lip_gap(rest)) < 1e-9


def test_many_frames_of_one_person_tell_the_identity_better_than_one() -> None:
    face = somebody(5)
    expressive = doing(face, **SHOUT)
    clip = np.stack([doing(face, jaw_open=0.4 * (i % 3 == 0), smile_left=0.2 * (i % 2)) for i in range(12)])
    truth = separate(face[None]).identity
    alone = separate(expressive[None]).identity
    among = separate(np.concatenate([clip, expressive[None]])).identity
    assert np.linalg.norm(among - truth) < 0.5 * np.linalg.norm(alone - truth)


def test_expressions_are_never_negative_but_sideways() -> None:
    thin = doing(somebody(1), jaw_open=-0.5, smile_left=-0.5, mouth_side=-0.6)
    found = dict(zip(NAMES, separate(thin[None]).expressions[0], strict=True))
    assert min(value for name, value in found.items() if not name.endswith("_side")) >= 0.0
    assert found["mouth_side"] < -0.2


def test_faces_at_rest_show_nothing_for_certain_and_strong_ones_do() -> None:
    for seed in range(8):
        face = somebody(seed)
        shows = certainty(face, separate(face[None]).expressions[0])
        assert shows == Amounts()
    shout = doing(somebody(0), **SHOUT)
    assert certainty(shout, separate(shout[None]).expressions[0]).mouth == 1.0


def test_of_the_measured_people_those_who_shout_or_grin_are_the_certain_ones() -> None:
    if not MEASURED.is_file():
        pytest.skip("the measured faces are not beside this checkout")
    faces = np.load(MEASURED)["faces_cm"].astype(np.float64)
    mouths = [certainty(face, separate(face[None]).expressions[0]).mouth for face in faces]
    assert np.flatnonzero(np.array(mouths) == 1.0).tolist() == [17, 21]  # gaps of 0.38 and 0.47
    assert np.median(mouths) == 0.0


def test_closed_eyes_are_opened_as_usual_and_only_they() -> None:
    shut = face_shapes()["neutral_face_cm"].copy()
    upper, lower = [246, 161, 160, 159, 158, 157, 173], [7, 163, 144, 145, 153, 154, 155]
    shut[upper, 1] = shut[lower, 1] + 0.05
    fitted = separate(shut[None]).expressions[0]
    shows = certainty(shut, fitted)
    assert (shows.right_eye, shows.left_eye) == (1.0, 0.0)
    opened = relaxed(shut, fitted, shows)
    assert lid_opening(opened, "right_eye") == pytest.approx(0.33, abs=0.01)
    assert lid_opening(opened, "left_eye") == lid_opening(shut, "left_eye")


def test_lips_that_open_further_take_the_lower_lip_along() -> None:
    offsets = (doing(somebody(2), jaw_open=0.5) - somebody(2))[None]
    wider = with_wider_lip_gaps(offsets, np.array([1.3]))
    assert lip_gap(wider[0]) == pytest.approx(1.3 * lip_gap(offsets[0]))
    assert np.array_equal(wider[0, 13], offsets[0, 13])


def test_the_remainder_is_the_person_s() -> None:
    face = somebody(3)
    np.testing.assert_array_equal(relaxed(face, np.zeros(18), Amounts()), face)
    assert eye_distance(face) == pytest.approx(eye_distance(mean_face()), rel=0.15)
