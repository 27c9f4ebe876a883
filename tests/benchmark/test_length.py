"""What long clips are measured by: laws on made-up clips whose seams and drift are known."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("skia", reason="drawn portraits need skia")
from followyouremoji.benchmark.length import LongScores, between, difference, repeating_motion, seams
from followyouremoji.portraits import Performance
from followyouremoji.sampling.settings import SamplingSettings


def test_the_motion_ends_as_it_began_and_does_not_jump_there() -> None:
    motion = repeating_motion(3, 120, 25.0, ends=30)
    assert len(motion) == 120
    assert motion[-30:] == motion[:30]
    controls = np.array([performance.controls for performance in motion])
    yaws = np.array([performance.yaw for performance in motion])
    for values in (controls, yaws):
        step = np.abs(np.diff(values, axis=0))
        assert step[70:95].max() <= 3 * step[:70].max()


def test_between_two_performances() -> None:
    first = Performance.neutral()
    second = replace(first, yaw=10.0, scale=1.2, gaze=((0.5, 0.0), (-0.5, 1.0)), shift=(0.1, 0.2))
    assert between(first, second, 0.0) == first
    middle = between(first, second, 0.5)
    assert (middle.yaw, middle.gaze, middle.shift) == (5.0, ((0.25, 0.0), (-0.25, 0.5)), (0.05, 0.1))


def test_seams_of_each_strategy() -> None:
    """7 frames by windows of 4: keyframes 0, 2 or 3, ..., 6; a chain that goes on from 3; windows 0..3, 2..5, 3..6 that
    share two frames."""

    def places(strategy: str) -> list[int]:
        settings = SamplingSettings(window=4, strategy=strategy)  # type: ignore[arg-type]
        return np.flatnonzero(seams(settings, 7)).tolist()

    assert places("chain") == [3]
    keyframes = SamplingSettings(window=4).levels(7)[0][0].frames
    assert keyframes == (0, 3, 6)
    assert places("keyframes") == [0, 2, 3, 5]
    assert places("windows") == [1, 2, 3, 5]
    assert not seams(SamplingSettings(window=8), 7).any()


def scores(moved: np.ndarray, truth_moved: np.ndarray, identity: np.ndarray) -> LongScores:
    some = np.ones(len(moved) + 1)
    return LongScores(some, moved, truth_moved, moved, some[2:], some, identity)


def test_a_result_that_moves_as_its_truth_has_no_seam() -> None:
    """Even where the truth happens to move more at seams; a result that moves half as much again there has one of
    1.5."""
    rng = np.random.default_rng(0)
    crossed = np.arange(99) % 7 == 0
    truth = rng.uniform(1, 2, 99) * np.where(crossed, 3.0, 1.0)
    some = np.zeros(100)
    assert scores(1.3 * truth, truth, some).seam_ratio(crossed) == pytest.approx(1.0)
    assert scores(np.where(crossed, 1.5, 1.0) * truth, truth, some).seam_ratio(crossed) == pytest.approx(1.5)


def test_drift_is_what_the_end_lost_against_the_beginning() -> None:
    identity = np.full(100, np.nan)
    identity[:30:3] = 0.9 + 0.01 * np.arange(10)
    identity[-30::3] = 0.85 + 0.01 * np.arange(10)
    drift, low, high = scores(np.ones(99), np.ones(99), identity).drift(ends=30)
    assert (drift, low, high) == pytest.approx((-0.05, -0.05, -0.05))
    assert np.isnan(scores(np.ones(99), np.ones(99), identity).drift(ends=40)[0])


def test_difference_inside_a_mask() -> None:
    first, second = np.zeros((4, 4, 3)), np.ones((4, 4, 3))
    half = np.arange(4)[:, None] < np.full(4, 2)
    second[~half] = 5.0
    assert difference(first, second, half) == 1.0
    assert np.isnan(difference(first, second, np.zeros((4, 4), bool)))
