"""What is measured in a frame, and a drawn clip surveyed by the real tracker."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from followyouremoji.data.preparation.settings import Cutting
from followyouremoji.data.preparation.survey import head_angles, sharpness, survey_clip
from followyouremoji.face.detection import FaceDetector
from followyouremoji.media.clips import ClipReader
from followyouremoji.portraits import Performance
from followyouremoji.portraits.head import head_pose
from tests.data.samples import write_talk


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(35, 0, 0), (0, -25, 0), (0, 0, 30), (0, 0, 0)])
def test_angles_are_those_of_a_turned_head(yaw: float, pitch: float, roll: float) -> None:
    pose = head_pose(Performance(yaw=yaw, pitch=pitch, roll=roll))
    pose[:3, :3] *= 1.07  # poses have a scale
    np.testing.assert_allclose(head_angles(pose[None])[0], (yaw, pitch, roll), atol=1e-6)


def test_sharpness_falls_with_blur_and_not_with_brightness_or_contrast() -> None:
    rng = np.random.default_rng(1)
    texture = cv2.GaussianBlur(rng.normal(0, 150, (256, 256)), (0, 0), 1.5) + 128
    sharp = sharpness(texture.astype(np.uint8))
    blurred = [sharpness(cv2.GaussianBlur(texture, (0, 0), s).astype(np.uint8)) for s in (1, 2, 3)]
    assert sharp > blurred[0] > blurred[1] > blurred[2]
    dim = sharpness((0.5 * texture + 10).astype(np.uint8))
    assert dim == pytest.approx(sharp, rel=0.1)


def test_two_drawn_people_are_two_scenes_with_a_face_each(tmp_path: Path) -> None:
    pytest.importorskip("skia", reason="drawn portraits need skia")
    write_talk(tmp_path / "talk.mp4", frames=8, people=(0, 1))
    with ClipReader(tmp_path / "talk.mp4") as clip, FaceDetector() as detector:
        seen = survey_clip(clip, detector, Cutting())
    assert seen.size == (224, 224)
    assert seen.scenes.tolist() == [0] * 8 + [1] * 8
    assert seen.found.all()
    assert 80 < seen.face_sizes.min() <= seen.face_sizes.max() < 150  # drawn faces fill half of the picture
    assert np.flatnonzero(np.isinf(seen.change)).tolist() == [0, 8]
    assert (np.abs(seen.angles) < 45).all()
    assert (seen.sharpness > 0.02).all()
