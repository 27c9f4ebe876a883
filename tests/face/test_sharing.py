"""Whose a place of a picture is: shares of faces that are near each other."""

import numpy as np
import pytest

from followyouremoji.face.sharing import LONGER_SIDE, share_in, shares
from followyouremoji.face.topology import mean_face

STILL = np.empty((0, 478, 2))


def face(x: float, y: float, height: float) -> np.ndarray:
    """Landmarks (478, 2) of the mean face around a place; the irises lie in the middle."""
    mesh = mean_face()[:, :2] * (1.0, -1.0)
    mesh = (mesh - mesh.mean(axis=0)) * (height / np.ptp(mesh[:, 1]))
    placed: np.ndarray = np.concatenate([mesh, np.zeros((478 - len(mesh), 2))]) + np.array([x, y])
    return placed


def at(share: np.ndarray, points: np.ndarray) -> np.ndarray:
    columns, rows = np.rint(points - 0.5).astype(int).T
    return share[rows, columns]


def test_each_face_has_its_own_place_to_itself_and_all_places_are_shared() -> None:
    own = [face(100, 110, 120), face(230, 130, 120), face(330, 100, 60)]
    parts, scale = shares(own, [own[0][None] + (12, 0), STILL, STILL], (400, 240))
    assert scale == 1.0
    assert all(part.shape == (240, 400) and part.dtype == np.float32 for part in parts)
    np.testing.assert_allclose(np.sum(parts, axis=0), 1.0, atol=1e-6)
    for number, points in enumerate(own):
        for other, part in enumerate(parts):
            np.testing.assert_array_equal(at(part, points[:468]), float(other == number))
    middle = parts[0][120, 140:175]
    assert (np.diff(middle) <= 0).all()
    assert 0 < np.abs(np.diff(middle)).max() < 0.3  # no hard edge


def test_a_face_that_moves_over_another_does_not_take_its_place() -> None:
    own = [face(100, 110, 120), face(230, 110, 120)]
    over = own[0][None] + (70, 0)
    (_, still), _ = shares(own, [over, STILL], (320, 220))
    np.testing.assert_array_equal(at(still, own[1][:468]), 1.0)
    (alone, _), _ = shares(own, [STILL, STILL], (320, 220))
    (moving, _), _ = shares(own, [own[0][None] + (15, 0), STILL], (320, 220))
    assert moving.sum() > alone.sum()  # it has room where it goes


def test_far_faces_share_nothing_between_them() -> None:
    (left, right), _ = shares([face(100, 110, 120), face(700, 110, 120)], [STILL, STILL], (800, 220))
    assert (left[:, :250] == 1).all()
    assert (right[:, 550:] == 1).all()


@pytest.mark.parametrize("enlarged", [1, 4])
def test_shares_of_a_large_picture_are_computed_small(enlarged: int) -> None:
    own = [enlarged * face(300, 300, 260), enlarged * face(640, 320, 260)]
    size = (1000 * enlarged, 600 * enlarged)
    (left, _), scale = shares(own, [STILL, STILL], size)
    assert max(left.shape) <= LONGER_SIDE
    part = (slice(40 * enlarged, 400 * enlarged), slice(410 * enlarged, 510 * enlarged))
    placed = share_in(left, scale, part)
    assert placed.shape == (360 * enlarged, 100 * enlarged)
    whole, _ = shares([one / enlarged for one in own], [STILL, STILL], (1000, 600))
    seen = placed[enlarged // 2 :: enlarged, enlarged // 2 :: enlarged]
    np.testing.assert_allclose(seen, whole[0][40:400, 410:510], atol=0.06)
