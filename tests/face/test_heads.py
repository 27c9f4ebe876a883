"""Where heads turn, and the room that they have."""

import numpy as np
import pytest

from followyouremoji.face.geometry import project
from followyouremoji.face.heads import (
    FREE,
    MARGIN,
    MOST_TURNED,
    NEAREST,
    PIVOT,
    Room,
    relative_poses,
    turned_as,
    turned_by,
    turned_from_rest,
    turned_further,
    within_room,
)
from followyouremoji.face.topology import FACE_OVAL_LOOP, mean_face

SIZE = (512, 512)
OVAL = mean_face()[list(FACE_OVAL_LOOP)]
OWN = np.eye(4)
OWN[:3, 3] = (0, 0, -40)


def moved(aside: np.ndarray, nearer: np.ndarray) -> np.ndarray:
    poses = np.repeat(OWN[None], len(aside), axis=0)
    poses[:, 0, 3], poses[:, 2, 3] = aside, -40 / nearer
    return poses


def kept(poses: np.ndarray, foreseen: bool = False) -> np.ndarray:
    outlines = np.repeat(OVAL[None], len(poses), axis=0)
    return within_room(poses, OWN, OVAL, outlines, None, SIZE, foreseen=foreseen)[0]


def test_each_pose_is_eased_for_itself() -> None:
    poses = moved(np.linspace(-30, 30, 41), np.ones(41))
    together = kept(poses)
    alone = np.concatenate([kept(pose[None]) for pose in poses])
    np.testing.assert_allclose(together, alone)


@pytest.mark.parametrize("nearer", [1.0, 1.6])
def test_however_far_it_goes_the_face_stays_in_the_picture(nearer: float) -> None:
    poses = kept(moved(np.linspace(-500, 500, 81), np.full(81, nearer)))
    points = project(np.repeat(OVAL[None], len(poses), axis=0), poses, SIZE)
    assert points.min() > 0
    assert points.max() < 512
    assert (np.diff(poses[:, 0, 3] / -poses[:, 2, 3]) > 0).all()  # the order of places stays


def test_small_travel_is_left_as_it_is() -> None:
    near, far = moved(np.array([1.0]), np.ones(1)), moved(np.array([300.0]), np.ones(1))
    np.testing.assert_allclose(kept(near), near, atol=1e-9)
    own, furthest = (project(OVAL[None], pose, SIZE)[0, :, 0].max() for pose in (OWN[None], kept(far)))
    assert FREE * (512 - own) < furthest - own < 512 - own


def test_nothing_is_foreseen_that_a_whole_clip_would_ease() -> None:
    """In a clip, the furthest comes to the end of the room, and a travel that fits is not touched."""
    poses = moved(np.array([0.0, 5.0]), np.ones(2))
    np.testing.assert_array_equal(kept(poses, foreseen=True), poses)


@pytest.mark.parametrize(
    ("side", "place", "end"), [("left", 0, 90), ("up", 1, 130), ("right", 2, 430), ("down", 3, 400)]
)
def test_each_side_has_a_room_of_its_own(side: str, place: int, end: int) -> None:
    """The furthest face of a clip touches the border to which it goes, less the margin."""
    room: Room = (90, 130, 430, 400)
    aside = {"left": (-60, 0), "up": (0, 60), "right": (60, 0), "down": (0, -60)}[side]
    poses = np.repeat(OWN[None], 5, axis=0)
    poses[:, :2, 3] += np.linspace(0, 1, 5)[:, None] * aside
    kept, eased = within_room(poses, OWN, OVAL, np.repeat(OVAL[None], 5, axis=0), room, SIZE)
    ends = project(np.repeat(OVAL[None], 5, axis=0), kept, SIZE)
    own = project(OVAL[None], OWN[None], SIZE)[0]
    furthest = (ends.min(axis=(0, 1)), ends.max(axis=(0, 1)))[place // 2][place % 2]
    margin = MARGIN * np.ptp(own, axis=0).max() * (1 if place < 2 else -1)
    assert furthest == pytest.approx(end + margin, abs=0.1)
    assert [one.side.removeprefix("to the ") for one in eased] == [side]
    went = np.abs(ends[-1].mean(axis=0) - own.mean(axis=0)).max() / np.ptp(own, axis=0).max()
    assert eased[0].given == pytest.approx(went, rel=0.1)  # in sizes of the face
    assert eased[0].wanted > eased[0].given


def test_a_head_comes_no_nearer_than_its_picture_has_room_for() -> None:
    poses = moved(np.zeros(5), np.linspace(1, 4, 5))
    kept, eased = within_room(poses, OWN, OVAL, np.repeat(OVAL[None], 5, axis=0), None, SIZE)
    points = project(np.repeat(OVAL[None], 5, axis=0), kept, SIZE)
    assert points.min() > 0
    assert points.max() < 512
    assert np.ptp(points[-1], axis=0).max() > 0.95 * 512 * (1 - 2 * MARGIN)
    assert [one.side for one in eased] == ["nearer"]
    assert eased[0].wanted == pytest.approx(3.0)  # as large again, three times


def test_angles_turn_as_they_are_named() -> None:
    """To the picture's right, up, and clockwise: seen at the tip of the nose and at the forehead."""
    nose, forehead = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    yaw, pitch, roll = turned_by(30.0 * np.eye(3))
    np.testing.assert_allclose(yaw @ nose, [0.5, 0.0, np.sqrt(0.75)], atol=1e-12)
    np.testing.assert_allclose(pitch @ nose, [0.0, 0.5, np.sqrt(0.75)], atol=1e-12)
    np.testing.assert_allclose(roll @ forehead, [0.5, np.sqrt(0.75), 0.0], atol=1e-12)
    for turn in (yaw, pitch, roll, turned_by(np.array([20.0, -30.0, 40.0]))):
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)


def test_heads_turn_about_their_middle() -> None:
    poses = moved(np.array([3.0]), np.ones(1))
    turned = turned_further(poses, np.array([20.0, 10.0, -5.0]))
    middle = np.append(PIVOT, 1.0)
    np.testing.assert_allclose(turned @ middle, poses @ middle, atol=1e-12)
    np.testing.assert_array_equal(turned[:, 3], [[0, 0, 0, 1]])
    np.testing.assert_allclose(turned[0, :3, :3], turned_by(np.array([20.0, 10.0, -5.0])))


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_depth_goes_by_ratios_and_turns_by_angles(strength: float) -> None:
    rest = turned_further(moved(np.zeros(1), np.ones(1)), np.array([10.0, 0.0, 0.0]))
    driving = turned_further(rest, np.array([0.0, 20.0, 0.0]))
    driving[:, 2, 3] = rest[:, 2, 3] / 1.25
    own = OWN.copy()
    own[2, 3] = -80.0
    (pose,) = relative_poses(driving, rest, own, strength)
    assert pose[2, 3] == pytest.approx(-80.0 + strength * 16.0)
    turn = rest[0, :3, :3] @ turned_by(np.array([0.0, strength * 20.0, 0.0])) @ rest[0, :3, :3].T
    np.testing.assert_allclose(pose[:3, :3], turn, atol=1e-9)


def test_no_head_comes_nearer_than_a_share_of_its_distance() -> None:
    rest = moved(np.zeros(1), np.ones(1))
    for poses in (
        relative_poses(moved(np.zeros(1), np.full(1, 9.0)), rest, OWN, 1.0),
        turned_from_rest(moved(np.zeros(1), np.full(1, 9.0)), rest[0], OWN, 1.0),
    ):
        assert poses[0, 2, 3] == pytest.approx(-40 * NEAREST)


def test_what_a_picture_shows_of_one_side_is_turned_less() -> None:
    """A portrait turned aside by 20 degrees turns by 40 - 0.6 * 20 at most."""
    for aside, most in ((0.0, MOST_TURNED), (20.0, 28.0), (80.0, 0.0)):
        own = turned_further(OWN[None], np.array([aside, 0.0, 0.0]))[0]
        for wanted in (10.0, 60.0):
            driving = turned_further(own[None], np.array([0.0, 0.0, wanted]))[0]
            pose, eased = turned_as(driving, own, 1.0)
            given = min(wanted, most)
            turn = pose[0, :3, :3] @ own[:3, :3].T
            assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(given, abs=1e-5)
            assert [(one.wanted, one.given) for one in eased] == (
                [(pytest.approx(wanted), pytest.approx(given))] if given < wanted else []
            )
            np.testing.assert_allclose(pose[0, :3, 3], own[:3, 3])
