"""What people look at to see where a face's points lie."""

from __future__ import annotations

import numpy as np
import pytest

from followyouremoji.face.overlay import DOUBTED, TRUSTED, draw_named_points, draw_wire_frame, wire_edges
from followyouremoji.face.topology import INNER_LIPS_LOOP, N_LANDMARKS, TRIANGLES, mean_face

SIDE = 400


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    """(478, 2) of a face that fills most of a square picture."""
    flat = mean_face()[:, :2] * [1, -1]
    placed = (flat - flat.min(axis=0)) * 0.8 * SIDE / np.ptp(flat, axis=0).max() + 0.1 * SIDE
    irises = placed[[33, 263]] + [SIDE / 20, 0]
    rim = SIDE / 60 * np.array([(0, 0), (1, 0), (0, -1), (-1, 0), (0, 1)])
    whole: np.ndarray = np.concatenate([placed, *(iris + rim for iris in irises)])
    assert len(whole) == N_LANDMARKS
    return whole


def test_every_edge_is_drawn_once() -> None:
    edges = wire_edges()
    assert edges.shape == (1322, 2)
    assert {frozenset(edge) for edge in edges.tolist()} == {
        frozenset((a, b)) for triangle in TRIANGLES.tolist() for a in triangle for b in triangle if a != b
    }


def test_the_wire_frame_lies_over_the_face_and_lets_it_through(points: np.ndarray) -> None:
    picture = np.full((SIDE, SIDE, 3), 60, np.uint8)
    drawn = draw_wire_frame(picture, points).astype(int)
    assert (picture == 60).all()
    outside = np.ones((SIDE, SIDE), bool)
    low, high = points.min(axis=0).astype(int), points.max(axis=0).astype(int) + 2
    outside[low[1] - 2 : high[1], low[0] - 2 : high[0]] = False
    assert (drawn[outside] == 60).all()
    a, b = TRIANGLES[400][:2]  # where a wire is thin: 40 % of its colour over 60 % of the picture
    middle = np.floor(points[[a, b]].mean(axis=0)).astype(int)
    around = drawn[middle[1] - 1 : middle[1] + 2, middle[0] - 1 : middle[0] + 2]
    assert around.reshape(-1, 3).max(axis=0) == pytest.approx([84, 126, 138], abs=12)
    lips = np.floor(points[list(INNER_LIPS_LOOP)]).astype(int)
    assert (drawn[lips[:, 1], lips[:, 0]].max(axis=1) > 200).mean() > 0.8  # full colours


def colours(drawn: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """(N, 2) places, x and y, of about a colour: thin lines and small letters are smoothed."""
    return np.argwhere((np.abs(drawn.astype(int) - colour) < 80).all(axis=2))[:, ::-1]


def test_named_points_are_where_they_are_and_names_stand_beside_them() -> None:
    places = {"right_eye": (150.0, 120.0), "left_eye": (250.0, 120.0), "chin": (205.0, 300.0)}
    drawn = draw_named_points(np.full((SIDE, SIDE, 3), 90, np.uint8), places, doubted=["chin"])
    doubted, trusted = colours(drawn, DOUBTED), colours(drawn, TRUSTED)
    for name, (x, y) in places.items():
        among = doubted if name == "chin" else trusted
        assert np.abs(among - (x, y)).max(axis=1).min() <= 1
        beside = among[(among[:, 0] < 121) if x < 200 else (among[:, 0] > 279)]
        assert len(beside) > 20  # its name, outside the points by three tenths of their width
        assert abs(np.median(beside[:, 1]) - y) < 7
    assert not len(colours(drawn[:, 125:145], DOUBTED))  # the chin's name is on its own side


def test_names_of_points_that_lie_close_do_not_lie_on_each_other() -> None:
    close = {f"point{number}": (150.0, 200.0 + number) for number in range(10)} | {"far": (260.0, 200.0)}
    drawn = draw_named_points(np.full((SIDE, SIDE, 3), 90, np.uint8), close)
    rows = np.unique(colours(drawn[:, :117], TRUSTED)[:, 1])
    assert np.count_nonzero(np.diff(rows) > 1) >= 9  # a gap between each two lines
    assert 13 * 9 < np.ptp(rows) < 13 * 11


@pytest.mark.parametrize("height", [2.0, 398.0])
def test_names_stay_within_the_picture(height: float) -> None:
    close = {f"point{number}": (150.0, height) for number in range(5)} | {"far": (260.0, 200.0)}
    drawn = draw_named_points(np.full((SIDE, SIDE, 3), 90, np.uint8), close)
    rows = colours(drawn[:, :117], TRUSTED)[:, 1]
    assert rows.min() >= 1
    assert rows.max() <= SIDE - 2
    assert 13 * 4 < np.ptp(rows) < 13 * 6
