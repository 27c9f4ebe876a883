"""Flicker, seams, drift and frozen frames, on clips that have so much of each."""

import numpy as np
import pytest

from followyouremoji.benchmark.metrics import video
from tests.benchmark.metrics.faces_at_hand import (
    SIZE,
    case_at_hand,
    landmarks_of,
    observed,
    pictures_of,
    poses_of,
    smiling,
)

FRAMES = 18
FACE_WISE = ("face_flicker", "face_seam", "face_drift", "frozen")


@pytest.fixture(scope="module")
def landmarks() -> np.ndarray:
    return landmarks_of(smiling(np.zeros(FRAMES)), poses_of(np.linspace(0, 10, FRAMES)))


def figures(landmarks: np.ndarray, levels: np.ndarray, *, truth: bool = True) -> dict[str, float]:
    """Of the true clip made brighter by so many levels a frame (T,)."""
    case = case_at_hand(landmarks, truth=truth)
    frames = (case.driving + levels[:, None, None, None]).astype(np.uint8)
    return {one.metric: one.value for one in video.measure(observed(case, frames, landmarks))}


def test_the_truth_has_none_of_it(landmarks) -> None:
    assert figures(landmarks, np.zeros(FRAMES)) == dict.fromkeys(
        ("flicker", "seam", "drift", *FACE_WISE), 0.0
    )


@pytest.mark.parametrize("truth", [True, False])
def test_each_sees_its_own(landmarks, truth) -> None:
    frame = np.arange(FRAMES)
    flickering = figures(landmarks, 4 * (-1.0) ** frame, truth=truth)
    seamed = figures(landmarks, 8.0 * (frame >= 9), truth=truth)
    drifting = figures(landmarks, np.round(1.5 * frame), truth=truth)
    assert flickering["face_flicker"] > 3 * max(seamed["face_flicker"], drifting["face_flicker"])
    assert seamed["face_seam"] > 3 * max(flickering["face_seam"], drifting["face_seam"])
    assert drifting["face_drift"] > 3 > 10 * flickering["face_drift"]
    if truth:
        assert flickering["flicker"] > 3 * max(seamed["flicker"], drifting["flicker"])
        assert seamed["seam"] > 3 * max(flickering["seam"], drifting["seam"])
        assert drifting["drift"] == pytest.approx(1.5 * 12 / 255, rel=0.05)
        assert abs(flickering["drift"]) < 1e-3
    else:
        assert all(np.isnan(flickering[name]) for name in ("flicker", "seam", "drift"))


def test_the_largest_jump_is_in_robust_deviations() -> None:
    steps = np.random.default_rng(0).normal(5.0, 0.5, 2000)
    jump = video.largest_jump(np.append(steps, 15.0), least=0.01)
    assert jump == pytest.approx((15 - 5) / 0.5, rel=0.05)
    assert video.largest_jump(np.array([1.0, 1.0, 1.2]), least=0.1) == pytest.approx(2.0)
    assert np.isnan(video.largest_jump(np.array([]), least=0.1))


def test_the_error_changes_where_it_does() -> None:
    truth = pictures_of(5)
    points = landmarks_of(smiling(np.zeros(5)), poses_of(np.zeros(5)))[..., :2] * SIZE
    frames = truth.copy()
    frames[3:] += np.uint8(10)
    errors, steps = video.steps_of_error(frames, truth, points)
    assert errors == pytest.approx(np.array([0, 0, 0, 10, 10]) / 255)
    assert steps == pytest.approx(np.array([0, 0, 10, 0]) / 255)


def test_colours_bend_and_drift_by_their_distance() -> None:
    target = np.zeros((6, 4, 3))
    colours = target + 3.0 * (-1.0) ** np.arange(6)[:, None, None] * np.array([1.0, 0, 0])
    assert video.colour_flicker(colours, target) == pytest.approx(12.0)  # |3 + 6 + 3|
    assert video.colour_flicker(target, colours) == 0
    drifting = np.arange(6)[:, None, None] * np.array([0.3, 0.4, 0.0]) + target
    assert video.colour_drift(drifting, target) == pytest.approx(2.0)  # of 4 steps of 0.5
    assert video.colour_steps(drifting, target) == pytest.approx(0.5)


def test_frozen_steps_are_counted_where_the_target_moves() -> None:
    target = pictures_of(9)
    frames = target[[0, 1, 2, 2, 2, 2, 6, 7, 8]]
    assert video.frozen_share(frames, target) == pytest.approx(3 / 8)
    assert video.frozen_share(target[::-1], target) == 0
    assert np.isnan(video.frozen_share(frames, target[[0] * 9]))


def test_clips_of_one_and_two_frames_have_no_motion(landmarks) -> None:
    for frames in (1, 2):
        found = figures(landmarks[:frames], np.zeros(frames))
        assert np.isnan([found[name] for name in ("flicker", "face_flicker", "drift", "face_drift")]).all()
