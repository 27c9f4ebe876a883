import cv2
import numpy as np
import pytest

from followyouremoji.benchmark.metrics.aligned_faces import (
    ARCFACE_POINTS,
    aligned_face,
    five_points,
    similarity,
)
from followyouremoji.face.topology import LEFT_IRIS, RIGHT_IRIS
from tests.benchmark.metrics.small_networks import landmarks


def moved(points: np.ndarray, scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T * scale + shift


def test_similarity_undoes_a_turn_a_scale_and_a_shift() -> None:
    matrix = similarity(moved(ARCFACE_POINTS, 2.5, 30, (40, -7)), ARCFACE_POINTS)
    back = moved(ARCFACE_POINTS, 2.5, 30, (40, -7)) @ matrix[:, :2].T + matrix[:, 2]
    assert back == pytest.approx(ARCFACE_POINTS, abs=1e-9)
    assert np.linalg.det(matrix[:, :2]) == pytest.approx(1 / 2.5**2)


def test_similarity_is_the_least_squares_one_of_scikit_image() -> None:
    transform = pytest.importorskip("skimage.transform")
    rng = np.random.default_rng(0)
    for _ in range(5):
        points = moved(ARCFACE_POINTS, 1.7, rng.uniform(-60, 60), (20, 30)) + rng.normal(0, 4, (5, 2))
        expected = transform.SimilarityTransform.from_estimate(points, ARCFACE_POINTS).params[:2]
        assert similarity(points, ARCFACE_POINTS) == pytest.approx(expected, abs=1e-9)


def test_an_eye_stays_where_it_is_when_it_looks_elsewhere() -> None:
    points = landmarks(ARCFACE_POINTS)
    looking = points.copy()
    looking[[RIGHT_IRIS, LEFT_IRIS]] = 99
    assert five_points(points) == pytest.approx(ARCFACE_POINTS)
    assert np.array_equal(five_points(looking), five_points(points))


def test_marks_on_a_face_come_to_lie_where_arcface_has_them() -> None:
    # A dot on each of the five points, of a face that is turned and twice as large.
    where = moved(ARCFACE_POINTS, 2, 20, (60, 10))
    frame = np.zeros((320, 320, 3), np.uint8)
    for x, y in where:
        cv2.circle(frame, (round(x * 16), round(y * 16)), 4 * 16, (255, 255, 255), -1, cv2.LINE_AA, shift=4)
    face = aligned_face(frame, landmarks(where + 0.5))  # landmarks have the first pixel's centre at 0.5
    assert face.shape == (112, 112, 3)
    assert face.dtype == np.uint8
    _, _, _, centres = cv2.connectedComponentsWithStats((face[..., 0] > 100).astype(np.uint8))
    found = centres[1:][np.lexsort((centres[1:, 0], centres[1:, 1] // 10))]
    expected = ARCFACE_POINTS[np.lexsort((ARCFACE_POINTS[:, 0], ARCFACE_POINTS[:, 1] // 10))]
    assert found == pytest.approx(expected, abs=0.4)
