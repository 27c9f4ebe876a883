"""Landmarks and gaze that are known without a drawing."""

import numpy as np
import pytest

from followyouremoji.face.alignment import align_motion
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.geometry import rotations_and_scales, solve_metric_faces
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.topology import LEFT_IRIS, RIGHT_IRIS
from followyouremoji.portraits import Performance, draw_portrait, random_identity
from followyouremoji.portraits.truth import exact_gaze, exact_landmarks

SIZE = 256
MOMENTS = [
    Performance.neutral(),
    *(Performance.of(name) for name in ("smile", "laugh", "surprised", "eyes_closed", "look_left")),
    Performance(yaw=20.0),
    Performance(pitch=12.0),
    Performance(roll=15.0, shift=(0.01, 0.01)),
    Performance(scale=1.2),
]


def moved(identity, performances) -> Motion:
    landmarks = exact_landmarks(identity, performances).astype(np.float32)
    times = np.arange(len(landmarks)) / 25.0
    return Motion(landmarks, times, 25.0, (SIZE, SIZE), "drawn", np.ones(len(times), bool))


def test_landmarks_are_those_of_the_drawing() -> None:
    pytest.importorskip("skia")
    identity = random_identity(np.random.default_rng(1), "person")
    for moment, points in zip(MOMENTS, moved(identity, MOMENTS).points, strict=True):
        np.testing.assert_allclose(draw_portrait(identity, moment, SIZE).points, points, atol=1e-3)


def test_depth_lets_the_pose_be_found_again() -> None:
    """To a few degrees: the picture is a part of the camera's view, and what solves the face takes it for all of it."""
    identity = random_identity(np.random.default_rng(2), "person")
    turns = [Performance(yaw=20.0), Performance(yaw=-20.0), Performance(pitch=12.0), Performance(roll=15.0)]
    motion = moved(identity, [Performance.neutral(), *turns])
    rotations, _ = rotations_and_scales(solve_metric_faces(motion.landmarks, motion.size).poses)
    turned = rotations[1:] @ rotations[0].T
    yaw, pitch = np.degrees(np.arcsin(turned[:, 0, 2])), np.degrees(np.arcsin(turned[:, 1, 2]))
    roll = np.degrees(np.arctan2(turned[:, 0, 1], turned[:, 0, 0]))
    np.testing.assert_allclose(
        np.stack([yaw, pitch, roll]).T, [[20, 0, 0], [-20, 0, 0], [0, 12, 0], [0, 0, 15]], atol=3.0
    )


@pytest.mark.parametrize(
    ("style", "most"), [("person", 0.015), ("stone", 0.015), ("animal", 0.02), ("cartoon", 0.03)]
)
def test_a_motion_aligned_to_a_portrait_gives_its_own_performance(style: str, most: float) -> None:
    """The error in distances between the pupils, at the worst of the moments, mean of the points and of pairs."""
    errors = []
    for seed in range(4):
        driver = random_identity(np.random.default_rng((1, seed)), "person")
        portrait = random_identity(np.random.default_rng((2, seed)), style)
        driver, portrait = (type(who)(**{**vars(who), "offset": (0.0, 0.0)}) for who in (driver, portrait))
        truth = moved(portrait, MOMENTS)
        reference = Landmarks(truth.landmarks[0], truth.size)
        aligned = align_motion(moved(driver, MOMENTS), reference, AlignmentSettings(neutral=0))
        pupils = np.linalg.norm(truth.points[0, LEFT_IRIS] - truth.points[0, RIGHT_IRIS])
        errors.append(np.linalg.norm(aligned - truth.points, axis=-1).mean(axis=1) / pupils)
    assert np.mean(errors, axis=0).max() < most


@pytest.mark.parametrize("style", ["person", "cartoon", "emoji", "animal"])
def test_gaze_has_signs_and_sizes_of_what_is_drawn(style: str) -> None:
    identity = random_identity(np.random.default_rng(3), style)
    names = (
        "neutral",
        "look_left",
        "look_right",
        "look_up",
        "look_down",
        "cross_eyed",
        "eyes_closed",
        "wink_left",
    )
    ahead, left, right, up, down, crossed, closed, wink = exact_gaze(
        identity, [Performance.of(n) for n in names]
    )
    assert np.abs(ahead).max() < 5.0
    # The person's left is the picture's right.
    assert (left[:, 0] > 20.0).all()
    assert (right[:, 0] < -20.0).all()
    assert (up[:, 1] > 8.0).all()
    assert (down[:, 1] < -8.0).all()
    assert crossed[0, 0] > 15.0 > -15.0 > crossed[1, 0]
    assert np.isnan(closed).all()
    assert np.isnan(wink[1]).all()
    assert np.isfinite(wink[0]).all()
