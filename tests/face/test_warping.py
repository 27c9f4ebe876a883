"""The thin-plate guess of an animated portrait."""

import numpy as np
import pytest

from followyouremoji.face.topology import mean_face
from followyouremoji.face.warping import ThinPlate, warp_into_window, warp_portrait, with_texture_of_guess
from followyouremoji.face.window import face_window


@pytest.fixture
def points() -> np.ndarray:
    face = mean_face()[:, :2] * [1, -1]
    face = 64 + 60 * (face - face.mean(axis=0)) / np.ptp(face, axis=0)
    return np.concatenate([face, face[:10]])


def test_a_thin_plate_reproduces_an_affine_map(points) -> None:
    small = np.array([[0.96, 0.02], [-0.01, 0.97]])
    moved = (points - 64) @ small + 64
    plate = ThinPlate.bend(points, moved, (128, 128))
    np.testing.assert_allclose(plate.sources(moved), points, atol=0.25)


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


def test_a_window_of_the_bent_portrait_is_the_bent_portrait_in_that_window(points) -> None:
    smooth = np.indices((128, 128)).sum(0)[..., None].repeat(3, axis=2).astype(np.uint8)
    turned = points + np.array([5, -3]) + 0.1 * (points[:, ::-1] - 64)
    window = face_window(turned, 96)
    direct = warp_into_window(smooth, points, turned, window)
    detour = window.cut(warp_portrait(smooth, points, turned))
    assert np.abs(direct.astype(int) - detour)[10:-10, 10:-10].mean() < 1.0


def test_an_unchanged_guess_keeps_its_own_pixels_and_a_changed_one_is_replaced(points) -> None:
    rng = np.random.default_rng(0)
    guess = rng.integers(0, 255, (128, 128, 3), np.uint8)
    window = face_window(points, 64)
    coded = window.cut(guess)
    inside = np.s_[50:78, 50:78]
    same = with_texture_of_guess(guess, coded, coded, window)
    np.testing.assert_allclose(same[inside], guess[inside], atol=1e-3)
    black = with_texture_of_guess(guess, np.zeros_like(coded), np.full_like(coded, 200), window)
    np.testing.assert_allclose(black[inside], 0, atol=1e-3)
