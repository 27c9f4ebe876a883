"""The thin-plate guess of an animated portrait."""

import numpy as np
import pytest

from followyouremoji.face.topology import mean_face
from followyouremoji.face.warping import thin_plate, warp_portrait


@pytest.fixture
def points() -> np.ndarray:
    face = mean_face()[:, :2] * [1, -1]
    face = 64 + 60 * (face - face.mean(axis=0)) / np.ptp(face, axis=0)
    return np.concatenate([face, face[:10]])


def test_a_thin_plate_reproduces_an_affine_map_and_its_own_points() -> None:
    rng = np.random.default_rng(0)
    at = rng.random((12, 2))
    matrix = np.array([[1.1, 0.2], [-0.1, 0.9]])
    weights, affine = thin_plate(at, at @ matrix + 0.3)
    np.testing.assert_allclose(weights, 0, atol=1e-9)
    np.testing.assert_allclose(affine, [[0.3, 0.3], *matrix], atol=1e-9)


def test_landmarks_at_rest_leave_the_picture_alone(points) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    assert np.abs(warp_portrait(picture, points, points).astype(int) - picture).max() <= 1


def test_a_mark_follows_its_landmark_and_the_border_stays(points) -> None:
    picture = np.zeros((128, 128, 3), np.uint8)
    x, y = points[4].astype(int)  # the tip of the nose
    picture[y - 2 : y + 3, x - 2 : x + 3] = 255
    picture[0] = 200
    moved = warp_portrait(picture, points, points + np.array([6, 3]))
    rows, columns = np.nonzero(moved[8:120, 8:120, 0] > 100)
    assert columns.mean() + 8 == pytest.approx(x + 6, abs=0.7)
    assert rows.mean() + 8 == pytest.approx(y + 3, abs=0.7)
    assert (moved[0] > 180).mean() > 0.95
