"""Lids and lips never pass through each other, whichever way the head is turned."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.face.alignment import align_motion
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.gaze import LOWER_LIDS, UPPER_LIDS
from followyouremoji.face.geometry import project
from followyouremoji.face.lids import RIMS, uncrossed
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.topology import mean_face
from tests.face.synthetic import screen_landmarks, turn

SIZE = (512, 512)


def openings(points: np.ndarray) -> np.ndarray:
    """How far each point of a lower lid or lip lies below its upper one, along the feature's vertical, pixels."""
    gaps = []
    for upper, lower, (above, below) in RIMS:
        down = points[:, below] - points[:, above]
        down = down / np.linalg.norm(down, axis=-1, keepdims=True)
        gap = points[:, list(lower[1:-1])] - points[:, list(upper[1:-1])]
        gaps.append(np.einsum("tnc,tc->tn", gap, down))
    return np.concatenate(gaps, axis=1)


def posed(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn(yaw, pitch, roll), (0, 0, -50)
    return pose


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.floats(-1.5, 1.5), st.floats(-0.5, 0.5), st.floats(-3.1, 3.1))
def test_no_lid_and_no_lip_lies_below_its_lower_one(seed: int, yaw: float, pitch: float, roll: float) -> None:
    face = mean_face()
    lids = [point for upper, lower, _ in RIMS for point in (*upper, *lower)]
    face[lids] += np.random.default_rng(seed).normal(0, 0.6, (len(lids), 3))  # centimetres: twice an open eye
    points = project(face[None], posed(yaw, pitch, roll)[None], SIZE)
    result = uncrossed(points)
    assert openings(result).min() > -1e-9
    np.testing.assert_allclose(uncrossed(result), result, atol=1e-9)
    # what did not cross stays, and what did meets in the middle
    np.testing.assert_allclose(openings(result), np.maximum(openings(points), 0), atol=1e-9)
    assert np.abs(np.delete(result - points, lids, axis=1)).max() == 0


def test_an_open_face_is_left_alone() -> None:
    points = project(
        np.repeat(mean_face()[None], 3, axis=0), np.stack([posed(y) for y in (-0.7, 0, 0.7)]), SIZE
    )
    np.testing.assert_array_equal(uncrossed(points), points)


@pytest.mark.parametrize("yaw", [-1.2, -0.6, 0.0, 0.6, 1.2])
@pytest.mark.parametrize("expression", [1.0, 1.6])
def test_a_blink_on_a_turned_portrait_closes_the_eyes_and_no_more(yaw: float, expression: float) -> None:
    def landmarks_of(face: np.ndarray, pose: np.ndarray) -> np.ndarray:
        landmarks = np.zeros((478, 3))
        landmarks[:468] = screen_landmarks(face, pose, SIZE)
        landmarks[468:] = landmarks[[159] * 5 + [386] * 5]
        return landmarks.astype(np.float32)

    shut = mean_face()
    shut[UPPER_LIDS.ravel()] = shut[LOWER_LIDS.ravel()]
    frames = np.stack([landmarks_of(face, posed(0)) for face in (mean_face(), shut)])
    motion = Motion(frames, np.arange(2) / 25, 25.0, SIZE, "test", np.ones(2, bool))
    narrow = mean_face()
    narrow[UPPER_LIDS.ravel(), 1] -= 0.25 * (narrow[UPPER_LIDS.ravel(), 1] - narrow[LOWER_LIDS.ravel(), 1])
    portrait = Landmarks(landmarks_of(narrow, posed(yaw)), SIZE)
    options: dict[str, Any] = {"neutral": 0, "expression": expression, "head": "none"}
    points = align_motion(motion, portrait, AlignmentSettings(**options))
    gaps = openings(points)
    assert gaps.min() > -1e-9
    assert gaps[1, :14].max() < 0.5 * gaps[0, :14].max()
