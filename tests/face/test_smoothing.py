"""Smoothing halves the jitter and leaves blinks, and does no harm to what moves."""

import numpy as np
import pytest

from followyouremoji.face.motion import Motion
from followyouremoji.face.smoothing import face_parts, smooth_landmarks
from followyouremoji.face.topology import INNER_LIPS_LOOP, OUTER_LIPS_LOOP, mean_face
from tests.face.synthetic import screen_landmarks, turn

SIZE = (512, 512)
UPPER_LID, LOWER_LID = (159, 160, 158, 161, 157), (145, 144, 153, 163, 154)
BLINK = {50: 0.4, 51: 0.9, 52: 1.0, 53: 0.7, 54: 0.3}


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """Four seconds at 25 frames a second: a head that turns slowly and blinks once with the right eye."""
    frames = []
    for frame in range(100):
        face = mean_face()
        shut = BLINK.get(frame, 0.0)
        for upper, lower in zip(UPPER_LID, LOWER_LID, strict=True):
            face[upper] += shut * (face[lower] - face[upper])
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = turn(0.2 * np.sin(frame / 15), 0, 0), (2 * np.sin(frame / 20), 0, -40)
        mesh = screen_landmarks(face, pose, SIZE)
        frames.append(np.concatenate([mesh, mesh[[33] * 5 + [263] * 5]]))
    return np.stack(frames)


def lid_gap(landmarks: np.ndarray) -> np.ndarray:
    return (landmarks[:, 145, 1] - landmarks[:, 159, 1]) * SIZE[1]


def error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(((one - other)[..., :2] ** 2).mean()) * SIZE[0])


def test_jitter_falls_and_the_blink_stays(clean: np.ndarray) -> None:
    """Jitter of 0.3 pixels falls to about 0.6 of it; a plain average over as long would leave the lid several pixels
    open."""
    jittery = clean + np.random.default_rng(0).normal(0, 0.3 / 512, clean.shape)
    smooth = smooth_landmarks(jittery, 25.0, SIZE)
    assert error(smooth, clean) < 0.7 * error(jittery, clean)
    blink = sorted(BLINK)
    assert np.abs(lid_gap(smooth) - lid_gap(clean))[blink].max() < 1.5
    assert lid_gap(smooth)[52] < 0.1 * lid_gap(clean)[0]


def test_motion_without_jitter_is_left_alone(clean: np.ndarray) -> None:
    assert error(smooth_landmarks(clean, 25.0, SIZE), clean) < 0.1


def test_strength_zero_changes_nothing_and_more_smooths_more(clean: np.ndarray) -> None:
    jittery = clean + np.random.default_rng(1).normal(0, 0.3 / 512, clean.shape)
    np.testing.assert_array_equal(smooth_landmarks(jittery, 25.0, SIZE, 0.0), jittery)

    def roughness(strength: float) -> float:
        return float(np.abs(np.diff(smooth_landmarks(jittery, 25.0, SIZE, strength), 2, axis=0)).mean())

    assert roughness(0.0) > 1.3 * roughness(0.5) > 1.3 * roughness(1.5)


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_short_motions_stay_whole(clean: np.ndarray, frames: int) -> None:
    motion = Motion(
        clean[:frames].astype(np.float32), np.arange(frames) / 25, 25.0, SIZE, "x", np.ones(frames, bool)
    )
    smooth = motion.smoothed()
    assert len(smooth) == frames
    assert error(smooth.landmarks, motion.landmarks) < 0.2
    assert smooth.landmarks.dtype == np.float32


def test_each_point_moves_with_one_part() -> None:
    """With eyes and their lids, brows, the mouth, the irises, or the rest of the face: the nearest within 1 cm."""
    parts = face_parts()
    assert sorted(np.concatenate(parts).tolist()) == list(range(478))
    assert [len(part) for part in parts[5:7]] == [5, 5]
    owner = {point: number for number, part in enumerate(parts) for point in part.tolist()}
    named = {
        159: 0,
        386: 1,
        105: 2,
        334: 3,
        13: 4,
        17: 4,
        468: 5,
        473: 6,
        4: 7,
        152: 7,
        10: 7,
        205: 7,
        425: 7,
    }
    assert {point: owner[point] for point in named} == named
    lips = mean_face()[list(INNER_LIPS_LOOP + OUTER_LIPS_LOOP)]
    for point in parts[4]:
        assert np.linalg.norm(lips - mean_face()[point], axis=1).min() < 1.0
    for point in parts[7]:
        assert np.linalg.norm(lips - mean_face()[point], axis=1).min() >= 1.0
