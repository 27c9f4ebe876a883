"""Gaze in degrees, on eyes whose gaze is known."""

import numpy as np
import pytest

from followyouremoji.benchmark.metrics import gaze
from followyouremoji.face.gaze import RADIUS, Gaze
from tests.benchmark.metrics.faces_at_hand import (
    case_at_hand,
    landmarks_of,
    observed,
    pictures_of,
    poses_of,
    smiling,
)

FRAMES = 8


def gaze_of(directions: np.ndarray, trust: float = 1.0) -> Gaze:
    return Gaze(directions, np.full(directions.shape[:2], trust))


@pytest.fixture
def directions() -> np.ndarray:
    return np.random.default_rng(0).uniform(-25, 25, (FRAMES, 2, 2))


def test_the_error_is_signed_for_each_eye_and_axis(directions) -> None:
    away = np.array([[3.0, 0.0], [0.0, -5.0]])
    errors = gaze.gaze_errors(gaze_of(directions + away), gaze_of(directions), same_face=True)
    assert errors == pytest.approx(np.broadcast_to(away, errors.shape))


def test_of_another_face_a_constant_error_is_the_detectors(directions) -> None:
    away = np.array([[3.0, 0.0], [0.0, -5.0]])
    other = gaze_of(directions + away)
    assert gaze.gaze_errors(other, gaze_of(directions), same_face=False) == pytest.approx(0, abs=1e-9)
    still = gaze_of(np.zeros_like(directions))
    assert np.abs(gaze.gaze_errors(still, gaze_of(directions), same_face=False)).mean() > 8


def test_closed_eyes_have_no_gaze(directions) -> None:
    for ours, theirs in ((0.0, 1.0), (1.0, 0.0)):
        errors = gaze.gaze_errors(gaze_of(directions, ours), gaze_of(directions, theirs), same_face=False)
        assert np.isnan(errors).all()


@pytest.mark.parametrize("direction", [(0.0, 0.0), (20.0, 0.0), (-10.0, 15.0)])
@pytest.mark.parametrize("turn", [(12.0, 0.0), (0.0, -9.0)])
def test_a_shift_of_the_iris_is_the_turn_of_the_ball_under_it(direction, turn) -> None:
    def place(azimuth: float, elevation: float) -> np.ndarray:
        a, e = np.radians([azimuth, elevation])
        return RADIUS * np.array([np.sin(a) * np.cos(e), -np.sin(e)])  # down is positive in pictures

    turned = np.add(direction, turn)
    shift = place(*turned) - place(*direction)
    assert gaze.turned_by(np.array(direction), shift) == pytest.approx(np.array(turn))
    assert np.isfinite(gaze.turned_by(np.array(direction), np.array([2.0, -2.0]))).all()  # off the ball


def test_a_result_that_looks_aside_is_so_many_degrees_off() -> None:
    poses = poses_of(np.zeros(FRAMES))
    faces = smiling(np.zeros(FRAMES))
    ahead, aside = landmarks_of(faces, poses), landmarks_of(faces, poses, gaze_cm=0.3)
    case = case_at_hand(ahead)
    found = {one.metric: one.value for one in gaze.measure(observed(case, pictures_of(FRAMES), aside))}
    width = np.linalg.norm(faces[0, 33] - faces[0, 133])
    by_hand = np.degrees(0.3 / (RADIUS * width))  # straight ahead: about the sine
    for eye in ("right", "left"):
        assert found[f"gaze_{eye}_x"] == pytest.approx(by_hand, rel=0.1)
        assert found[f"gaze_{eye}_y"] < 0.5
    assert found["gaze"] == pytest.approx(by_hand, rel=0.1)
    assert found["iris"] == pytest.approx(0, abs=0.5)  # the pictures are the true ones


def test_what_is_not_known_has_no_value() -> None:
    landmarks = landmarks_of(smiling(np.zeros(FRAMES)), poses_of(np.zeros(FRAMES)))
    case = case_at_hand(landmarks, truth=False)
    found = {one.metric: one.value for one in gaze.measure(observed(case, case.driving, landmarks))}
    assert np.isnan([found.pop(name) for name in ("iris", "iris_x", "iris_y")]).all()
    assert found == pytest.approx(dict.fromkeys(found, 0.0), abs=1e-6)
