"""Poses that need not be generated."""

from itertools import pairwise

import numpy as np
import pytest

from followyouremoji.face.between import EVEN, FURTHEST, generated_poses

SIZE = 128


def even(poses: int, speed: float) -> np.ndarray:
    """Landmarks (P, 478, 2) that move by `speed` pixels a pose."""
    face = np.random.default_rng(0).uniform(0, SIZE, (478, 2))
    return face + speed * np.arange(poses)[:, None, None]


def test_of_an_even_motion_every_fourth_pose_is_generated() -> None:
    for speed in (0.0, 0.3):
        assert generated_poses(even(10, speed), SIZE).tolist() == [0, 4, 8, 9]
    assert generated_poses(even(1, 1.0), SIZE).tolist() == [0]
    assert generated_poses(even(2, 0.3), SIZE).tolist() == [0, 1]


def test_a_fast_glance_is_generated_however_even_it_is() -> None:
    points = even(9, 0.0)
    points[:, 468:473, 0] += 3.0 * np.arange(9)[:, None]
    assert generated_poses(points, SIZE).tolist() == list(range(9))


def test_a_landmark_that_moves_otherwise_is_met() -> None:
    """One point of 478 that leaves and comes back, as a lid does: its furthest pose is generated."""
    points = even(9, 0.3)
    points[6, 100, 1] += 3 * EVEN * SIZE
    assert 6 in generated_poses(points, SIZE)
    assert 6 not in generated_poses(points, 100 * SIZE)


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
            assert np.linalg.norm(points[pose] - straight, axis=-1).max() <= EVEN * SIZE


def test_scenes_have_their_first_and_last_pose_generated() -> None:
    points = np.concatenate([even(6, 0.3), even(7, 0.3) + 300])
    assert generated_poses(points, SIZE, (6,)).tolist() == [0, 4, 5, 6, 10, 12]
