"""A generated face in the warped portrait."""

import cv2
import numpy as np
import pytest

from followyouremoji.face.blending import MARGIN, blend_face, place_face, with_own_texture
from followyouremoji.face.topology import mean_face
from followyouremoji.face.window import face_window


@pytest.fixture
def points() -> np.ndarray:
    face = mean_face()[:, :2] * [1, -1]
    face = 64 + 60 * (face - face.mean(axis=0)) / np.ptp(face, axis=0)
    return np.concatenate([face, face[:10]])


def test_an_unchanged_warp_keeps_its_own_pixels_and_a_changed_one_is_replaced(points) -> None:
    rng = np.random.default_rng(0)
    warped = rng.integers(0, 255, (128, 128, 3), np.uint8)
    window = face_window(points, 64)
    coded = window.cut(warped)
    inside = np.s_[50:78, 50:78]
    same = with_own_texture(warped, coded, coded, window)
    np.testing.assert_allclose(same[inside], warped[inside], atol=1e-3)
    black = with_own_texture(warped, np.zeros_like(coded), np.full_like(coded, 200), window)
    np.testing.assert_allclose(black[inside], 0, atol=1e-3)


@pytest.mark.parametrize("size", [128, 300])
def test_a_face_is_placed_as_it_is_textured_and_blended(points, size) -> None:
    rng = np.random.default_rng(1)
    points = points * (size / 128) + np.array([0.1, -0.2]) * size  # in part above the picture
    warped = rng.integers(0, 255, (size, size, 3), np.uint8)
    generated, coded = (cv2.resize(small, (64, 64)) for small in rng.integers(0, 255, (2, 6, 6, 3), np.uint8))
    window = face_window(points, 64)
    placed = place_face(warped, generated, coded, window, points)
    expected = blend_face(warped, with_own_texture(warped, generated, coded, window), points)
    rows, columns = np.indices((size, size)) + 0.5
    place = window.to_window(np.stack([columns, rows], axis=-1).reshape(-1, 2)).reshape(size, size, 2)
    to_border = np.minimum(place, window.size - place).min(axis=-1)  # pixels of the window
    inner, outer = to_border > MARGIN + 1.5, to_border < -1
    assert inner.mean() > 0.2
    difference = np.abs(placed.astype(int) - expected)
    assert difference[inner].max() <= 3  # OpenCV resamples in steps of 1/32 pixel
    np.testing.assert_array_equal(placed[outer], warped[outer])
    changed = (placed != warped).any(axis=-1)
    assert 0.1 < changed.mean() < 0.6
    np.testing.assert_array_equal(place_face(warped, generated, coded, window, points + 3 * size), warped)


def test_the_edge_of_a_blended_face_is_soft_and_at_its_contour(points) -> None:
    scaled = points * 4  # a face 240 pixels high
    warped, generated = np.zeros((512, 512, 3), np.uint8), np.full((512, 512, 3), 200, np.uint8)
    row = blend_face(warped, generated, scaled)[int(scaled[4, 1]), :, 0].astype(int)
    left, right = scaled[234, 0], scaled[454, 0]  # where the oval meets the ears
    assert row[int((left + right) / 2)] == 200
    assert 60 < row[int(left)] < 140
    assert row[: int(left - 14)].max() == 0
    assert np.abs(np.diff(row)).max() < 25
