"""The square that follows a face."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from followyouremoji.face.topology import mean_face
from followyouremoji.face.window import WINDOW_SIDE, averaged, face_window

FACE = mean_face()[:, :2] * [1, -1]


def landmarks(turn: float, scale: float, place: tuple[float, float]) -> np.ndarray:
    c, s = np.cos(turn), np.sin(turn)
    return np.concatenate([FACE @ (scale * np.array([[c, s], [-s, c]])), np.zeros((10, 2))]) + place


@given(st.floats(-1.5, 1.5), st.floats(2, 40), st.tuples(st.floats(-500, 500), st.floats(-500, 500)))
def test_a_face_looks_the_same_in_its_window_wherever_it_is(turn, scale, place) -> None:
    points = landmarks(turn, scale, place)
    window = face_window(points, 128)
    at_rest = face_window(landmarks(0, 1, (0, 0)), 128)
    expected = at_rest.to_window(landmarks(0, 1, (0, 0)))[:468]
    np.testing.assert_allclose(window.to_window(points)[:468], expected, atol=1e-6)
    assert window.scale == pytest.approx(scale * WINDOW_SIDE / 128)


def test_the_mean_face_fills_most_of_its_window_and_stays_inside() -> None:
    points = face_window(landmarks(0, 7, (90, 40)), 128).to_window(landmarks(0, 7, (90, 40)))[:468]
    assert points.min() > 5
    assert points.max() < 123
    assert np.ptp(points[:, 1]) > 0.75 * 128


def test_what_is_cut_lies_back_where_it_came_from() -> None:
    rows, columns = np.indices((200, 240))
    picture = np.stack([columns, rows, (columns + rows) / 2], axis=-1).astype(np.uint8)
    points = landmarks(0.4, 5, (120, 100))
    window = face_window(points, 128)
    back = window.lay_over(window.cut(picture).astype(np.float32), (240, 200))
    assert np.abs(back - picture)[70:130, 90:150].max() < 1.5


def test_a_large_picture_is_averaged_not_sampled() -> None:
    picture = np.zeros((1024, 1024, 3), np.uint8)
    picture[::2] = 200  # every other line: sampled, it would beat
    cut = face_window(landmarks(0, 50, (512, 512)), 128).cut(picture)
    assert np.abs(cut.astype(int) - 100).max() <= 15


def test_averaging_takes_the_whole_part_of_the_scale() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (65, 50, 3), np.uint8)
    same, one = averaged(picture, 1.9)
    assert one == 1
    assert same is picture
    shrunk, factor = averaged(picture, 3.7)
    assert factor == 3
    blocks = picture[:63, :48].reshape(21, 3, 16, 3, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - blocks).max() <= 0.51


def test_a_window_over_a_part_of_the_picture_shows_the_same() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (200, 240, 3), np.uint8)
    window = face_window(landmarks(0.4, 5, (120, 100)), 64)
    part = window.seen_from(20, 10).cut(picture[10:, 20:])
    np.testing.assert_array_equal(part, window.cut(picture))
