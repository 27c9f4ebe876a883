"""A driving clip is decoded ahead of the tracking, and let go of when the tracking ends early."""

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from followyouremoji.apps.choices import SMOOTH
from followyouremoji.apps.driving import Driving
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.tracking import track_motion
from followyouremoji.media.clips import ClipReader
from followyouremoji.sources import read_motion
from tests.media.synthetic import moving_picture, write_clip


def test_the_motion_is_that_of_the_frames_one_after_the_other(clip: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with FaceDetector() as detector:
        motion = Driving(clip).track(detector, None, 0.0, lambda done, of: seen.append((done, of)))
        with ClipReader(clip) as reader:
            plain, _ = track_motion(reader, reader.info.frame_rate, detector, "clip")
    np.testing.assert_array_equal(motion.landmarks, plain.landmarks)
    np.testing.assert_allclose(motion.timestamps, plain.timestamps, atol=1e-6)
    assert seen == [(frame + 1, len(plain)) for frame in range(len(plain))]


@pytest.mark.parametrize("name", ["still.png", "still.bmp", "still.tif"])
def test_a_picture_of_any_format_is_one_pose(tmp_path: Path, name: str) -> None:
    Image.fromarray(moving_picture(0)).save(tmp_path / name)
    driving = Driving(tmp_path / name)
    assert driving.is_picture
    assert driving.expected_frames == 1
    assert driving.sound is None


def test_ctrl_c_while_a_clip_is_tracked_leaves_no_thread(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=40)
    threads = threading.active_count()

    def interrupt(done: int, of: int | None) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with FaceDetector() as detector, pytest.raises(KeyboardInterrupt):
        Driving(tmp_path / "clip.mp4").track(detector, None, 0.0, interrupt)
    assert threading.active_count() == threads


def test_the_python_api_reads_a_clip_as_the_command_does(clip: Path) -> None:
    with FaceDetector() as detector:
        commanded = Driving(clip).track(detector, None, SMOOTH)
        read = read_motion(clip, detector)
    assert read.gaps is not None
    assert read.damage is None
    assert np.array_equal(read.motion.landmarks, commanded.landmarks)
    assert np.array_equal(read.motion.timestamps, commanded.timestamps)
