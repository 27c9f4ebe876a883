"""Landmark accuracy, expression and pose, on faces whose figures are known."""

import numpy as np
import pytest

from followyouremoji.benchmark.metrics import faces
from followyouremoji.face.geometry import EYE_DISTANCE_CM, MetricFaces, solve_metric_faces
from followyouremoji.face.regions import REGIONS
from followyouremoji.face.topology import LEFT_IRIS, RIGHT_IRIS
from tests.benchmark.metrics.faces_at_hand import (
    SIZE,
    case_at_hand,
    landmarks_of,
    observed,
    pictures_of,
    poses_of,
    smiling,
)

FRAMES = 12
MOUTH = list(REGIONS["mouth"])
AMOUNTS = np.clip((np.arange(FRAMES) - 4) / 2, 0, 1)  # a smile from the fifth frame on


def points_of(landmarks: np.ndarray) -> np.ndarray:
    return landmarks[..., :2] * SIZE


@pytest.fixture
def landmarks() -> np.ndarray:
    return landmarks_of(smiling(AMOUNTS), poses_of(np.linspace(0, 20, FRAMES)))


def figures(case, landmarks: np.ndarray) -> dict[str, float]:
    return {one.metric: one.value for one in faces.measure(observed(case, pictures_of(FRAMES), landmarks))}


def test_a_perfect_face_has_perfect_figures(landmarks) -> None:
    found = figures(case_at_hand(landmarks), landmarks)
    assert found.pop("found") == 1
    assert found.pop("landmark_accuracy") == found.pop("landmark_auc") == 100
    assert found == pytest.approx(dict.fromkeys(found, 0.0), abs=2e-6)
    assert {"aed", "aed_mouth", "apd", "apd_relative", "landmark_error"} <= set(found)


def test_points_away_by_a_share_of_the_pupil_distance_count_above_it(landmarks) -> None:
    wanted = points_of(landmarks)
    pupils = np.median(np.linalg.norm(wanted[:, LEFT_IRIS] - wanted[:, RIGHT_IRIS], axis=-1))
    moved = wanted + np.array([0.03, 0.04]) * pupils * 1.05  # 0.0525
    distances = faces.landmark_distances(moved, wanted)
    assert distances.shape == (FRAMES, 74)
    assert distances == pytest.approx(0.0525, rel=1e-4)
    assert faces.accuracy_curve(distances).tolist() == [0] * 5 + [1] * 15


def test_of_another_face_points_count_by_how_they_move(landmarks) -> None:
    wanted = points_of(landmarks)
    elsewhere = wanted + np.random.default_rng(0).normal(0, 3, (1, 478, 2))  # another face, at another place
    assert faces.landmark_distances(elsewhere, wanted, same_face=False) == pytest.approx(0, abs=1e-4)
    still = np.repeat(elsewhere[:1], FRAMES, axis=0)
    assert faces.accuracy_curve(faces.landmark_distances(still, wanted, same_face=False))[4] < 0.6
    lost = np.full_like(wanted, np.nan)
    assert np.isinf(faces.landmark_distances(lost, wanted, same_face=False)).all()


def test_a_frame_without_a_face_has_no_point_right_and_no_error(landmarks) -> None:
    lost = landmarks.copy()
    lost[:3] = np.nan
    found = figures(case_at_hand(landmarks), lost)
    assert found["found"] == found["landmark_accuracy"] / 100 == found["landmark_auc"] / 100 == 0.75
    assert found["landmark_error"] == pytest.approx(0, abs=1e-6)
    assert np.isnan(faces.landmark_distances(points_of(landmarks), points_of(lost))[:3]).all()
    gone = figures(case_at_hand(landmarks), np.full_like(landmarks, np.nan))
    assert gone["found"] == gone["landmark_accuracy"] == 0
    assert all(np.isnan(gone[name]) for name in ("landmark_error", "aed", "apd", "apd_relative"))


def test_a_late_smile_is_not_perfect(landmarks) -> None:
    # Every driving frame has a like frame somewhere in the result: a minimum over frames would call this perfect.
    late = landmarks_of(smiling(np.roll(AMOUNTS, 3)), poses_of(np.linspace(0, 20, FRAMES)))
    found = figures(case_at_hand(landmarks), late)
    assert found["landmark_accuracy"] < 95
    assert found["aed_mouth"] > 3
    assert found["aed_mouth"] > 3 * max(found["aed_brows"], found["aed_eyes"])
    assert found["apd"] < 0.5


def test_the_expression_distance_is_that_of_the_displacements() -> None:
    rest, wide = smiling(np.zeros(FRAMES)), smiling(AMOUNTS)
    poses = poses_of(np.zeros(FRAMES))
    apart = faces.expression_differences(MetricFaces(rest, poses), MetricFaces(wide, poses))
    by_hand = np.linalg.norm(wide - rest, axis=-1) / faces.PUPIL_DISTANCE_CM
    assert apart == pytest.approx(by_hand, abs=1e-12)
    assert pytest.approx(0.68 * EYE_DISTANCE_CM, rel=0.05) == faces.PUPIL_DISTANCE_CM  # 63 of 93 mm in adults


def test_neither_another_face_nor_another_pose_is_another_expression(landmarks) -> None:
    shape = smiling(np.ones(1))[0] * np.array([1.05, 0.97, 1.0])  # a broader face whose rest is a smile
    other = landmarks_of(smiling(AMOUNTS, shape), poses_of(np.full(FRAMES, -10.0), distance=45.0))
    found = figures(case_at_hand(landmarks), other)
    assert found["aed"] < 0.6  # what the pose fit makes of it
    assert found["apd"] > 10


def test_the_pose_distance_is_the_angle_between_the_heads() -> None:
    there = poses_of(np.array([0.0, 10.0, 20.0]))
    here = poses_of(np.array([5.0, 15.0, 35.0]))
    here[:, :3, :3] *= 1.07  # poses hold a scale, too
    assert faces.pose_differences(here, there) == pytest.approx([5, 5, 15])
    assert faces.pose_differences(here, there, relative=True) == pytest.approx([0, 0, 10], abs=1e-5)
    here[0] = np.nan
    assert faces.pose_differences(here, there, relative=True) == pytest.approx(
        [np.nan, 0, 10], abs=1e-5, nan_ok=True
    )


def test_solved_heads_are_as_far_apart_as_they_were_turned() -> None:
    landmarks = landmarks_of(smiling(np.zeros(3)), poses_of(np.array([-15.0, 0.0, 15.0])))
    poses = solve_metric_faces(landmarks, (SIZE, SIZE)).poses
    assert faces.pose_differences(poses, poses[[1, 1, 1]]) == pytest.approx([15, 0, 15], abs=0.7)


def test_without_truth_the_driving_aligned_to_the_portrait_is_wanted(landmarks) -> None:
    case = case_at_hand(landmarks, truth=False)
    found = figures(case, landmarks)  # a clip that drives its own first frame comes out as it is
    assert found["landmark_accuracy"] > 99
    assert found["aed"] == pytest.approx(0, abs=1e-6)
    still = figures(case, np.repeat(landmarks[:1], FRAMES, axis=0))
    assert still["landmark_accuracy"] < 60
    assert still["apd_relative"] == pytest.approx(10, abs=0.7)  # half of 20 degrees on average
