"""Scenes, held poses and loops of a motion."""

from dataclasses import replace

import numpy as np
import pytest

from followyouremoji.face.motion import Motion
from followyouremoji.face.timeline import Timeline, _usual_around, find_cuts, held_poses, looped, timeline

FRAMES = 40
RATE = 25.0


def course(frames: int = FRAMES, seed: int = 0) -> np.ndarray:
    """Landmarks (T, 478, 2) of a face about 100 pixels large that moves by about 2 pixels a frame, as a lively head
    does."""
    rng = np.random.default_rng(seed)
    face = rng.uniform(0, 100, (478, 2))
    angle = np.arange(frames) / 6.0
    return face + 12.0 * np.stack([np.sin(angle), np.cos(1.3 * angle)], axis=1)[:, None] + 200.0


def motion(frames: int) -> Motion:
    points = course(frames) / 512
    landmarks = np.concatenate([points, np.zeros((frames, 478, 1))], axis=2).astype(np.float32)
    scores = np.random.default_rng(1).uniform(size=(frames, 52)).astype(np.float32)
    return Motion(
        landmarks, 3.0 + np.arange(frames) / RATE, RATE, (512, 512), "test", np.ones(frames, bool), scores
    )


def test_a_moving_face_has_no_cut() -> None:
    assert find_cuts(course()) == ()
    assert find_cuts(course(1)) == ()
    assert find_cuts(course()[[0, 5]]) == ()  # far apart, as two frames of a fast head are
    assert find_cuts(course(2) + np.array([[[0.0, 0.0]], [[300.0, 0.0]]])) == (1,)


def test_a_jump_of_the_face_is_a_cut() -> None:
    points = course()
    points[17:] += (30.0, 0.0)
    points[30:] -= (60.0, 10.0)
    assert find_cuts(points) == (17, 30)
    assert find_cuts(3.0 * points) == (17, 30)  # whatever the picture's size


def test_a_fast_turn_over_several_frames_is_no_cut() -> None:
    points = course()
    points += np.interp(np.arange(FRAMES), [15, 19], [0, 60])[:, None, None]
    assert find_cuts(points) == ()


def test_a_clip_that_shows_every_frame_twice_has_no_cut() -> None:
    """Every other frame stands still, and what moves between moves abruptly by comparison."""
    points = np.repeat(course(FRAMES // 2)[:, :], 2, axis=0)
    points += np.repeat(np.cumsum(np.random.default_rng(3).uniform(5, 15, FRAMES // 2)), 2)[:, None, None]
    assert find_cuts(points) == ()


def test_shots_of_few_frames_are_found() -> None:
    points = course()
    points[10:13] += 60.0
    points[30:32] -= 60.0
    assert find_cuts(points) == (10, 13, 30, 32)


def test_a_jump_to_another_size_is_a_cut_even_in_a_lively_clip() -> None:
    points = course()
    points += np.cumsum(np.full(FRAMES, 9.0))[:, None, None]  # a tenth of the face a frame
    points[20:] = (points[20:] - points[20].mean(axis=0)) * 1.4 + points[20].mean(axis=0)
    assert find_cuts(points) == (20,)


def test_what_was_filled_in_tells_nothing() -> None:
    """A face that comes back near where it left has no cut, one that comes back elsewhere has one where it comes
    back."""
    found = np.ones(FRAMES, bool)
    found[15:20] = False
    points = course()
    points[15:20] = 0.0
    assert find_cuts(points, found) == ()
    points[20:] += 80.0
    assert find_cuts(points, found) == (20,)


def test_a_held_pose_is_one_pose() -> None:
    points = course(8)
    points[3:6] = points[3]
    points[4] += 1e-5  # rounding
    assert held_poses(points).tolist() == [0, 1, 2, 3, 3, 3, 4, 5]


def test_a_slow_drift_is_no_held_pose() -> None:
    """Each frame differs from the one before by less than the bound, but not from the first of its pose."""
    points = course(1) + 4e-4 * np.arange(10)[:, None, None]
    assert held_poses(points).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_the_timeline_of_a_clip_that_holds_and_cuts() -> None:
    points = course(12)
    points[2:5] = points[2]
    points[8:] += 40.0
    found = timeline(points)
    assert found.frames.tolist() == [0, 1, 2, 5, 6, 7, 8, 9, 10, 11]
    assert found.shown.tolist() == [0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9]
    assert found.cuts == (6,)
    assert not found.circular


def test_a_blended_loop_comes_to_its_first_pose_one_frame_after_its_end() -> None:
    before = motion(FRAMES)
    after = looped(before, "blend")
    joined = round(0.5 * RATE)
    assert len(after) == len(before)
    np.testing.assert_array_equal(after.landmarks[:-joined], before.landmarks[:-joined])
    apart = np.abs(after.landmarks - after.landmarks[0]).max(axis=(1, 2))
    was_apart = np.abs(before.landmarks - before.landmarks[0]).max(axis=(1, 2))
    assert apart[-1] < 0.05 * max(was_apart[-1], was_apart.max())
    step = np.abs(np.diff(after.landmarks, axis=0)).max()
    assert apart[-1] <= step  # the join is no larger a step than others
    assert timeline(after.points, "blend").circular
    assert after.blendshapes is not None


def test_a_short_loop_keeps_its_first_half() -> None:
    before = motion(6)
    after = looped(before, "blend")
    np.testing.assert_array_equal(after.landmarks[:3], before.landmarks[:3])
    assert not np.array_equal(after.landmarks[5], before.landmarks[5])


def test_a_ping_pong_goes_back_through_the_same_poses_and_turns_once() -> None:
    before = motion(5)
    after = looped(before, "pingpong")
    assert len(after) == 8
    order = [0, 1, 2, 3, 4, 3, 2, 1]
    np.testing.assert_array_equal(after.landmarks, before.landmarks[order])
    np.testing.assert_allclose(np.diff(after.timestamps), 1 / RATE)
    found = timeline(after.points, "pingpong")
    assert len(found) == 5
    assert found.shown.tolist() == order


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("loop", ["off", "blend", "pingpong"])
def test_loops_of_few_frames(frames: int, loop: str) -> None:
    after = looped(motion(frames), loop)
    found = timeline(after.points, loop)
    assert len(after) == (2 * frames - 2 if loop == "pingpong" and frames > 1 else frames)
    assert len(found.shown) == len(after)
    assert set(found.shown.tolist()) == set(range(len(found)))


def test_a_still_face_is_one_pose_and_no_circle() -> None:
    still = motion(4)
    still = replace(still, landmarks=np.repeat(still.landmarks[:1], 4, axis=0))
    found = timeline(looped(still, "blend").points, "blend")
    assert (len(found), found.circular) == (1, False)


def test_some_poses_alone() -> None:
    whole = Timeline(np.array([0, 1, 3, 5, 6, 8]), np.array([0, 1, 1, 2, 2, 3, 4, 4, 5]), (3,), circular=True)
    some = whole.only(np.array([0, 2, 3, 5]))
    assert some.frames.tolist() == [0, 3, 5, 8]
    assert some.cuts == (2,)
    assert some.circular
    assert not whole.only(np.array([0])).circular


def test_what_is_usual_is_the_fourth_largest_movement_around() -> None:
    """Of 6 frames before and 6 after, in a clip that is as long; the larger neighbour where that moves more."""
    values = np.array([1.0, 9.0, 2.0, 8.0, 3.0, 0.0, 5.0, 0.0, 4.0, 7.0, 2.0, 6.0, 1.0])
    assert _usual_around(values)[6] == 6.0  # of 9, 8, 7, 6, ...
    assert _usual_around(values)[2] == 9.0  # beside it
    assert _usual_around(np.array([3.0]))[0] == 0.0
