"""A generated face in the warped portrait."""

import cv2
import numpy as np
import pytest

from followyouremoji.face.blending import MARGIN, blend_face, place_face
from followyouremoji.face.topology import FACE_OVAL_LOOP, mean_face
from followyouremoji.face.window import face_window


@pytest.fixture
def points() -> np.ndarray:
    face = mean_face()[:, :2] * [1, -1]
    face = 64 + 60 * (face - face.mean(axis=0)) / np.ptp(face, axis=0)
    return np.concatenate([face, face[:10]])


@pytest.mark.parametrize("size", [128, 300, 1200])
def test_an_unchanged_warp_keeps_its_own_pixels_and_a_changed_one_is_replaced(points, size) -> None:
    points = points * (size / 128)
    rng = np.random.default_rng(0)
    warped = cv2.resize(rng.integers(0, 255, (size // 2, size // 2, 3), np.uint8), (size, size))
    window = face_window(points, 64)
    coded = window.cut(warped)
    middle = np.s_[int(0.4 * size) : int(0.6 * size), int(0.4 * size) : int(0.6 * size)]
    same = warped.copy()
    place_face(same, coded, coded, window, points)
    assert np.abs(same.astype(int) - warped).max() <= 1
    black = warped.copy()
    place_face(black, np.zeros_like(coded), np.full_like(coded, 200), window, points)
    np.testing.assert_array_equal(black[middle], 0)
    changed = (black != warped).any(axis=-1)
    assert 0.1 < changed.mean() < 0.6
    assert not changed[: size // 50].any()


@pytest.mark.parametrize("size", [128, 300])
def test_a_placed_face_is_the_result_under_a_soft_mask(points, size) -> None:
    """Where all differs from the warp, against the result laid over the picture and blended there."""
    points = points * (size / 128) + np.array([0.1, -0.2]) * size  # in part above the picture
    rng = np.random.default_rng(1)
    warped = rng.integers(0, 100, (size, size, 3), np.uint8)
    generated = cv2.resize(rng.integers(150, 255, (6, 6, 3), np.uint8), (64, 64))
    window = face_window(points, 64)
    placed = warped.copy()
    place_face(placed, generated, np.zeros_like(generated), window, points)
    content, fine = window.enlarged(generated.astype(np.float32))
    expected = blend_face(warped, fine.lay_over(content, (size, size)), points)
    difference = np.abs(placed.astype(int) - expected).max(axis=-1)
    rows, columns = np.indices((size, size)) + 0.5
    place = window.to_window(np.stack([columns, rows], axis=-1).reshape(-1, 2)).reshape(size, size, 2)
    to_border = np.minimum(place, window.size - place).min(axis=-1)  # pixels of the window
    inner = to_border > MARGIN + 1.5
    assert inner.mean() > 0.2
    assert np.quantile(difference[inner], 0.8) <= 2
    assert difference[inner].mean() < 4  # the masks' edges are drawn in pixels of different size
    np.testing.assert_array_equal(placed[to_border < -1], warped[to_border < -1])


def test_a_face_outside_the_picture_changes_nothing(points) -> None:
    warped = np.random.default_rng(2).integers(0, 255, (100, 100, 3), np.uint8)
    placed = warped.copy()
    generated = np.zeros((64, 64, 3), np.uint8)
    place_face(placed, generated, generated, face_window(points + 400, 64), points + 400)
    np.testing.assert_array_equal(placed, warped)


def test_a_part_of_a_warped_portrait_is_finished_as_the_whole(points) -> None:
    warped = np.random.default_rng(3).integers(0, 255, (128, 128, 3), np.uint8)
    generated = np.full((64, 64, 3), 90, np.uint8)
    window = face_window(points, 64)
    whole, part = warped.copy(), warped[20:100, 30:128].copy()
    place_face(whole, generated, generated + 60, window, points)
    place_face(part, generated, generated + 60, window.seen_from(30, 20), points - (30, 20))
    assert np.abs(whole[20:100, 30:128].astype(int) - part).max() <= 2
    assert (part != warped[20:100, 30:128]).mean() > 0.2


def test_the_edge_of_a_blended_face_is_soft_and_at_its_contour(points) -> None:
    scaled = points * 4  # a face 240 pixels high
    warped, generated = np.zeros((512, 512, 3), np.uint8), np.full((512, 512, 3), 200, np.uint8)
    row = blend_face(warped, generated, scaled)[int(scaled[4, 1]), :, 0].astype(int)
    left, right = scaled[234, 0], scaled[454, 0]  # where the oval meets the ears
    assert row[int((left + right) / 2)] == 200
    assert 60 < row[int(left)] < 140
    assert row[: int(left - 14)].max() == 0
    assert np.abs(np.diff(row)).max() < 25


def test_only_pixels_around_the_face_are_touched(points) -> None:
    """Where the picture is wider than high and the face is not in its middle."""
    placed = points + np.array([240.0, 60.0])
    picture = np.random.default_rng(0).integers(0, 256, (460, 900, 3)).astype(np.uint8)
    blended = blend_face(picture, 255 - picture, placed)
    rows, columns = (np.flatnonzero((blended != picture).any(axis=(2, axis))) for axis in (1, 0))
    oval = placed[list(FACE_OVAL_LOOP)]
    for found, axis in ((columns, 0), (rows, 1)):
        assert abs(found.min() - oval[:, axis].min()) < 40
        assert abs(found.max() - oval[:, axis].max()) < 40
