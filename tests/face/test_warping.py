"""The thin-plate guess of an animated portrait."""

import cv2
import numpy as np
import pytest

from followyouremoji.face.topology import mean_face
from followyouremoji.face.warping import (
    ThinPlate,
    blend_face,
    place_face,
    warp_into_window,
    warp_portrait,
    with_texture_of_guess,
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


def test_a_plate_is_of_its_landmarks_also_when_they_change_in_place(points) -> None:
    moved = points + np.array([6.0, 3.0])
    first = ThinPlate.bend(points, moved, (128, 128))
    moved += 4
    assert np.abs(ThinPlate.bend(points, moved, (128, 128)).sources(moved) - points).max() < 1.0
    assert not np.array_equal(ThinPlate.bend(points, moved, (128, 128)).weights, first.weights)


def test_a_plate_has_its_values_at_its_guides_and_stays_at_the_border() -> None:
    guides = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.8]])
    values = guides + np.array([[0.05, 0.0], [0.0, 0.04], [-0.03, 0.0]])
    plate = ThinPlate.through(guides, values)
    np.testing.assert_allclose(plate.sources(guides), values, atol=2e-3)
    corners = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    np.testing.assert_allclose(plate.sources(corners), corners, atol=2e-3)


@pytest.mark.parametrize("size", [128, 300])
def test_a_face_is_placed_as_it_is_textured_and_blended(points, size) -> None:
    rng = np.random.default_rng(1)
    points = points * (size / 128) + np.array([0.1, -0.2]) * size  # in part above the picture
    guess = rng.integers(0, 255, (size, size, 3), np.uint8)
    generated, coded = (cv2.resize(small, (64, 64)) for small in rng.integers(0, 255, (2, 6, 6, 3), np.uint8))
    window = face_window(points, 64)
    placed = place_face(guess, generated, coded, window, points)
    expected = blend_face(guess, with_texture_of_guess(guess, generated, coded, window), points)
    assert np.abs(placed.astype(int) - expected).max() <= 3  # OpenCV resamples in steps of 1/32 pixel
    changed = (placed != guess).any(axis=-1)
    assert 0.1 < changed.mean() < 0.6
    np.testing.assert_array_equal(place_face(guess, generated, coded, window, points + 3 * size), guess)


def test_the_edge_of_a_blended_face_is_soft_and_inside_its_contour(points) -> None:
    scaled = points * 4  # a face 240 pixels high
    guess, generated = np.zeros((512, 512, 3), np.uint8), np.full((512, 512, 3), 200, np.uint8)
    row = blend_face(guess, generated, scaled)[int(scaled[4, 1]), :, 0].astype(int)
    left, right = scaled[234, 0], scaled[454, 0]  # where the oval meets the ears
    assert row[int((left + right) / 2)] == 200
    assert row[: int(left - 18)].max() == 0
    assert row[int(left)] < 30
    assert np.abs(np.diff(row)).max() < 20
