"""The portrait warped by its landmarks."""

import numpy as np
import pytest

from followyouremoji.face.topology import mean_face
from followyouremoji.face.warping import (
    ThinPlateSpline,
    warp_into_window,
    warp_portrait,
)
from followyouremoji.face.window import face_window


@pytest.fixture
def points() -> np.ndarray:
    face = mean_face()[:, :2] * [1, -1]
    face = 64 + 60 * (face - face.mean(axis=0)) / np.ptp(face, axis=0)
    return np.concatenate([face, face[:10]])


def test_a_thin_plate_reproduces_an_affine_map(points) -> None:
    small = np.array([[0.96, 0.02], [-0.01, 0.97]])
    moved = (points - 64) @ small + 64
    spline = ThinPlateSpline.between(points, moved, (128, 128))
    np.testing.assert_allclose(spline.sources(moved), points, atol=0.25)


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


def test_a_part_is_that_of_the_whole(points) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (128, 128, 3), np.uint8)
    moved = points + np.array([3, -2]) + 0.05 * (points[:, ::-1] - 64)
    whole = warp_portrait(picture, points, moved)
    for part in ((slice(20, 100), slice(0, 77)), (slice(64, 128), slice(50, 51))):
        np.testing.assert_array_equal(warp_portrait(picture, points, moved, part), whole[part])


def test_a_window_of_the_bent_portrait_is_the_bent_portrait_in_that_window(points) -> None:
    smooth = np.indices((128, 128)).sum(0)[..., None].repeat(3, axis=2).astype(np.uint8)
    turned = points + np.array([5, -3]) + 0.1 * (points[:, ::-1] - 64)
    window = face_window(turned, 96)
    direct = warp_into_window(smooth, points, turned, window)
    detour = window.cut(warp_portrait(smooth, points, turned))
    assert np.abs(direct.astype(int) - detour)[10:-10, 10:-10].mean() < 1.0


def test_a_plate_is_of_its_landmarks_also_when_they_change_in_place(points) -> None:
    moved = points + np.array([6.0, 3.0])
    first = ThinPlateSpline.between(points, moved, (128, 128))
    moved += 4
    assert np.abs(ThinPlateSpline.between(points, moved, (128, 128)).sources(moved) - points).max() < 1.0
    assert not np.array_equal(ThinPlateSpline.between(points, moved, (128, 128)).weights, first.weights)


def test_a_plate_has_its_values_at_its_guides_and_stays_at_the_border() -> None:
    guides = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.8]])
    values = guides + np.array([[0.05, 0.0], [0.0, 0.04], [-0.03, 0.0]])
    spline = ThinPlateSpline.through(guides, values)
    np.testing.assert_allclose(spline.sources(guides), values, atol=2e-3)
    corners = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    np.testing.assert_allclose(spline.sources(corners), corners, atol=2e-3)
