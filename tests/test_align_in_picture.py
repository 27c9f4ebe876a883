"""The ablation "2D landmarks": driving landmarks shifted and scaled onto the portrait's face, nothing else."""

import numpy as np
import pytest

from followyouremoji.face.detection import Landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.face.topology import FACE_OVAL_LOOP
from followyouremoji.preparation import align_in_picture

OVAL = list(FACE_OVAL_LOOP)


def box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return points[OVAL].min(axis=0), points[OVAL].max(axis=0)


def test_the_first_frame_takes_the_portrait_s_place_and_the_others_follow_it() -> None:
    rng = np.random.default_rng(0)
    face = rng.uniform(0.3, 0.7, (478, 3)).astype(np.float32)
    moved = face + np.float32([0.05, 0.0, 0.0])
    motion = Motion(
        landmarks=np.stack([face, moved]),
        timestamps=np.array([0.0, 0.04]),
        frame_rate=25.0,
        size=(200, 100),
        source="test",
        found=np.ones(2, bool),
    )
    own = (face * [1.0, 0.5, 1.0] + [0.1, 0.2, 0.0]).astype(np.float32)  # in a square picture: the same shape
    reference = Landmarks(normalised=own, size=(400, 400), blendshapes=None)
    aligned = align_in_picture(motion, reference)
    for mine, wanted in zip(box(aligned[0]), box(reference.points), strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-2)
    # 0.05 of 200 pixels, in a face that is drawn twice as large
    np.testing.assert_allclose(aligned[1] - aligned[0], np.tile([20.0, 0.0], (478, 1)), atol=1e-2)
    assert aligned.shape == (2, 478, 2)
    assert np.linalg.norm(aligned[0] - reference.points, axis=1).max() == pytest.approx(0, abs=2e-2)
