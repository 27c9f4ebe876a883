"""The room of a head whose further way nobody knows."""

import numpy as np
import pytest

from followyouremoji.face.geometry import project
from followyouremoji.face.heads import FREE, within_room
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
