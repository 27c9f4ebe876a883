"""Poses that need not be generated, and how they are made of others."""

from itertools import pairwise

import numpy as np
import pytest

from followyouremoji.face.between import (
    EVEN,
    FURTHEST,
    GAPS_EVEN,
    NEAR,
    GeneratedPose,
    face_gaps,
    generated_poses,
    pose_between,
    spread_movements,
)
from followyouremoji.face.topology import LEFT_EYE_UPPER

SIZE = 128


def even(poses: int, speed: float) -> np.ndarray:
    """Landmarks (P, 478, 2) that move by `speed` pixels a pose."""
    face = np.random.default_rng(0).uniform(0, SIZE, (478, 2))
    return face + speed * np.arange(poses)[:, None, None]


def test_of_an_even_motion_every_sixth_pose_is_generated() -> None:
    """However fast the head moves in its window: what shows goes with the landmarks."""
    for speed in (0.0, 0.3, 3.0):
        assert generated_poses(even(14, speed), SIZE).tolist() == [0, 6, 12, 13]
    assert generated_poses(even(1, 1.0), SIZE).tolist() == [0]
    assert generated_poses(even(2, 0.3), SIZE).tolist() == [0, 1]


def test_a_fast_glance_is_generated_however_even_it_is() -> None:
    points = even(9, 0.0)
    points[:, 468:473, 0] += 3.0 * np.arange(9)[:, None]
    assert generated_poses(points, SIZE).tolist() == list(range(9))


def test_a_closing_eye_is_generated_however_evenly_it_closes() -> None:
    points = even(9, 0.3)
    points[:, LEFT_EYE_UPPER[4], 1] += 1.9 * np.arange(9)
    assert generated_poses(points, SIZE).tolist() == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(("landmark", "bound"), [(10, EVEN), (LEFT_EYE_UPPER[4], GAPS_EVEN)])
def test_a_landmark_that_moves_otherwise_is_met(landmark: int, bound: float) -> None:
    """One point of 478 that leaves and comes back: its furthest pose is generated, sooner of a lid."""
    points = even(9, 0.3)
    points[3, landmark, 1] += 3 * bound * SIZE
    assert 3 in generated_poses(points, SIZE)
    assert 3 not in generated_poses(points, 100 * SIZE)


@pytest.mark.parametrize("seed", range(4))
def test_all_others_lie_within_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drift = np.cumsum(rng.normal(0, 0.3, (60, 1, 2)), axis=0) + rng.normal(0, 0.05, (60, 478, 2))
    points = even(60, 0.0) + drift
    made = generated_poses(points, SIZE)
    assert made[0] == 0
    assert made[-1] == 59
    assert (np.diff(made) <= FURTHEST).all()
    assert len(made) < 55
    for start, end in pairwise(made):
        for pose in range(start + 1, end):
            share = (pose - start) / (end - start)
            straight = (1 - share) * points[start] + share * points[end]
            off = np.linalg.norm(points[pose] - straight, axis=-1).max()
            assert off <= EVEN * SIZE
            gap = face_gaps(points[pose]) - face_gaps(straight)
            assert np.linalg.norm(gap, axis=-1).max() <= GAPS_EVEN * SIZE


def test_scenes_have_their_first_and_last_pose_generated() -> None:
    points = np.concatenate([even(6, 0.3), even(7, 0.3) + 300])
    assert generated_poses(points, SIZE, (6,)).tolist() == [0, 5, 6, 12]


def test_pixels_go_with_the_landmarks_around_them() -> None:
    points = even(1, 0.0)[0]
    together = spread_movements(points, np.full((478, 2), (2.0, -1.0)), SIZE)
    assert np.abs(together - (2.0, -1.0)).max() < 1e-3
    points[:, 0] = np.where(points[:, 0] < SIZE / 2, points[:, 0] / 2, SIZE - (SIZE - points[:, 0]) / 2)
    halves = spread_movements(points, (points[:, :1] > SIZE / 2) * 3.0, SIZE)[..., 0]
    assert np.abs(halves[:, : SIZE // 4 - 4]).max() < 0.2
    assert np.abs(halves[:, 3 * SIZE // 4 + 4 :] - 3.0).max() < 0.2


def test_between_two_poses_a_spot_is_where_the_landmarks_are_once_and_whole() -> None:
    """A dark spot among landmarks that go 6 pixels to the right: mixed in place, it would be there twice and pale."""
    rows, columns = np.indices((SIZE, SIZE))

    def spot(x: float) -> np.ndarray:
        near = np.exp(-((columns + 0.5 - x) ** 2 + (rows + 0.5 - 64) ** 2) / 2 / 3.0**2)
        return np.rint(230 - 200 * near[..., None].repeat(3, axis=-1)).astype(np.uint8)

    points = even(1, 0.0)[0]
    warp, coded = spot(62), spot(62) - 2
    ends = [GeneratedPose.of(spot(x), coded, warp, points + np.array([x - 60, 0])) for x in (60, 66)]
    picture, coded_between = pose_between(*ends, 1 / 3, points + np.array([2, 0]), warp)
    assert np.abs(picture.astype(int) - spot(62)).mean() < 0.2
    assert abs(int(picture.min()) - 30) < 6
    assert np.abs(coded_between.astype(int) - coded).max() <= 1


def test_pixels_take_the_mean_of_landmarks_by_a_gaussian_of_their_distance() -> None:
    """Written out for two landmarks between pixels: near ones count by a width of a hundredth of the picture's side."""
    points = np.full((478, 2), -1000.0)
    points[:2] = (60.25, 64.5), (63.75, 66.75)
    away = np.zeros((478, 2))
    away[0], away[1] = (2.0, 0.0), (0.0, 1.0)
    points[2:] = np.stack([np.linspace(0, SIZE, 476), np.full(476, 4.5)], axis=1)  # far from both
    with np.errstate(invalid="ignore"):  # where no landmark is anywhere near
        spread = spread_movements(points, away, SIZE)
    for x, y in ((61, 64), (62, 65), (63, 66)):
        near = np.exp(-((points[:2] - (x + 0.5, y + 0.5)) ** 2).sum(axis=1) / 2 / (NEAR * SIZE) ** 2)
        np.testing.assert_allclose(spread[y, x], near @ away[:2] / near.sum(), atol=0.12)
