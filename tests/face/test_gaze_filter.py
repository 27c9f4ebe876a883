"""Gaze without the tracking's errors, frame by frame."""

import numpy as np

from followyouremoji.face.gaze import Gaze
from followyouremoji.face.gaze_filter import GazeFilter

REST = np.array([[4.0, 0.0], [-4.0, 0.0]])  # converging


def look(right: tuple[float, float], left: tuple[float, float], trust: tuple[float, float] = (1, 1)) -> Gaze:
    return Gaze(np.array([[right, left]], float), np.array([trust], float))


def test_eyes_that_turn_together_are_left_alone() -> None:
    both = look((24, 10), (16, 10))
    for conjugate in ("auto", "on", "off"):
        np.testing.assert_allclose(GazeFilter()(both, REST, conjugate), both.directions, atol=1e-9)


def test_eyes_that_part_are_brought_together_by_their_rest() -> None:
    """One eye is ten degrees off: with `auto`, both turn by the mean, and keep the difference of their rest."""
    apart = look((24, 10), (6, 10))
    steady = GazeFilter()(apart, REST, "auto")[0]
    np.testing.assert_allclose(steady, REST + np.array([15, 10]))
    np.testing.assert_allclose(GazeFilter()(apart, REST, "off")[0], apart.directions[0])


def test_a_closing_eye_looks_where_the_other_one_does() -> None:
    steady = GazeFilter()(look((24, 10), (-4, -16), trust=(1, 0)), REST, "off")[0]
    np.testing.assert_allclose(steady, REST + np.array([20, 10]), atol=1e-4)


def test_closed_eyes_keep_the_last_direction() -> None:
    gaze = GazeFilter()
    open_eyes = gaze(look((24, 10), (16, 10)), REST)
    closed = gaze(look((20, -17), (12, -16), trust=(0, 0)), REST)
    np.testing.assert_allclose(closed, open_eyes)
    half = gaze(look((20, 10), (12, 10), trust=(0.5, 0.5)), REST)
    np.testing.assert_allclose(half, open_eyes - [2, 0], atol=1e-6)
    np.testing.assert_allclose(GazeFilter()(look((0, -17), (0, -16), trust=(0, 0)), REST)[0], REST)
