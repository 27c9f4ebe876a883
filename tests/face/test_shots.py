"""Cuts of a driving clip, and which shots are one setup."""

from dataclasses import replace

import numpy as np

from followyouremoji.face.geometry import solve_metric_faces
from followyouremoji.face.motion import Motion
from followyouremoji.face.shots import Shots, find_shots
from followyouremoji.face.topology import N_MESH, mean_face
from tests.face.synthetic import screen_landmarks, turn

SIZE = (512, 512)
SOMEBODY, SOMEBODY_ELSE = mean_face(), mean_face() * (0.88, 1.1, 1.0)


def seen(
    face: np.ndarray, frames: int, x: float = 0.0, z: float = -50.0, yaw: float = 0.0
) -> list[np.ndarray]:
    """A head that sways a little before one camera."""
    shots = []
    for frame in range(frames):
        pose = np.eye(4)
        pose[:3, :3] = turn(yaw + 0.03 * np.sin(frame), 0.0, 0.0)
        pose[:3, 3] = (x + 0.1 * np.sin(frame / 2), 0.0, z)
        landmarks = np.zeros((478, 3), np.float32)
        landmarks[:N_MESH] = screen_landmarks(face, pose, SIZE)
        landmarks[N_MESH:] = landmarks[[33] * 5 + [263] * 5]
        shots.append(landmarks)
    return shots


def motion_of(landmarks: list[np.ndarray]) -> Motion:
    count = len(landmarks)
    return Motion(np.stack(landmarks), np.arange(count) / 25, 25.0, SIZE, "test", np.ones(count, bool))


def shots_of(motion: Motion) -> Shots:
    return find_shots(motion, solve_metric_faces(motion.landmarks, motion.size))


def test_a_clip_without_cuts_is_one_setup() -> None:
    shots = shots_of(motion_of(seen(SOMEBODY, 12)))
    assert (shots.cuts, shots.count) == ((), 1)
    assert shots.shown.tolist() == list(range(12))


def test_another_size_or_place_of_the_same_person_is_another_setup() -> None:
    nearer = shots_of(motion_of(seen(SOMEBODY, 8) + seen(SOMEBODY, 8, z=-35.0)))
    assert (nearer.cuts, nearer.count) == ((8,), 2)
    aside = shots_of(motion_of(seen(SOMEBODY, 8) + seen(SOMEBODY, 8, x=9.0)))
    assert (aside.cuts, aside.count) == ((8,), 2)


def test_somebody_else_in_the_same_place_is_another_setup() -> None:
    shots = shots_of(motion_of(seen(SOMEBODY, 8) + seen(SOMEBODY_ELSE, 8, x=1.5)))
    assert (shots.cuts, shots.count) == ((8,), 2)


def test_who_is_cut_back_to_is_the_same_setup() -> None:
    """A dialogue, or a face behind that is taken for the one in front for a moment."""
    other = seen(SOMEBODY_ELSE, 5, x=12.0, z=-70.0)
    shots = shots_of(motion_of(seen(SOMEBODY, 8) + other + seen(SOMEBODY, 8) + other))
    assert shots.cuts == (8, 13, 21)
    assert shots.setups.tolist() == [0] * 8 + [1] * 5 + [0] * 8 + [1] * 5


def test_frames_filled_in_before_a_cut_hold_the_last_face() -> None:
    """Interpolated from one shot's face to the next one's, they would show a face on its way between both."""
    before, after = seen(SOMEBODY, 8), seen(SOMEBODY, 8, x=12.0, z=-35.0)
    filled = [before[-1] + share * (after[0] - before[-1]) for share in (0.25, 0.5, 0.75)]
    motion = motion_of([*before, *filled, *after])
    motion = replace(motion, found=np.arange(19) // 8 != 1)  # frames 8 to 15 without a face
    motion.found[11:] = True
    shots = shots_of(motion)
    assert shots.cuts == (11,)
    assert shots.shown.tolist() == [*range(8), 7, 7, 7, *range(11, 19)]


def test_a_face_lost_and_found_a_little_on_is_the_same_shot() -> None:
    motion = motion_of(seen(SOMEBODY, 8) + seen(SOMEBODY, 3) + seen(SOMEBODY, 8, x=2.0))
    motion.found[8:11] = False
    assert shots_of(motion).cuts == ()
