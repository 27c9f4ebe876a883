"""A driving clip is decoded ahead of the tracking, and let go of when the tracking ends early."""

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from followyouremoji.errors import ClipError
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.tracking import track_motion
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.ranges import ClipRange
from followyouremoji.requests.driving import Driving
from followyouremoji.requests.events import Event, Note, Progress
from followyouremoji.requests.request import ClipSettings
from followyouremoji.sources import read_motion
from tests.media.recordings import record, without_decoder
from tests.media.synthetic import moving_picture, write_clip
from tests.test_preparation import drawn_motion


def test_the_motion_is_that_of_the_frames_one_after_the_other(clip: Path) -> None:
    seen: list[Event] = []
    with FaceDetector() as detector:
        motion = Driving(clip).track(detector, None, 0.0, seen.append)
        with ClipReader(clip) as reader:
            plain, _ = track_motion(reader, reader.info.frame_rate, detector, "clip")
    np.testing.assert_array_equal(motion.landmarks, plain.landmarks)
    np.testing.assert_allclose(motion.timestamps, plain.timestamps, atol=1e-6)
    assert seen[1:] == [Progress(frame + 1, len(plain)) for frame in range(len(plain))]


@pytest.mark.parametrize("name", ["still.png", "still.bmp", "still.tif"])
def test_a_picture_of_any_format_is_one_pose(tmp_path: Path, name: str) -> None:
    Image.fromarray(moving_picture(0)).save(tmp_path / name)
    driving = Driving(tmp_path / name)
    assert not driving.is_clip
    assert driving.expected_frames == 1
    assert driving.sound is None


def test_ctrl_c_while_a_clip_is_tracked_leaves_no_thread(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=40)
    threads = threading.active_count()

    def interrupt(event: Event) -> None:
        if event == Progress(2, 40):
            raise KeyboardInterrupt

    with FaceDetector() as detector, pytest.raises(KeyboardInterrupt):
        Driving(tmp_path / "clip.mp4").track(detector, None, 0.0, interrupt)
    assert threading.active_count() == threads


def test_the_python_api_reads_a_clip_as_the_command_does(clip: Path) -> None:
    with FaceDetector() as detector:
        commanded = Driving(clip).track(detector, None, ClipSettings().smooth)
        read = read_motion(clip, detector)
    assert read.gaps is not None
    assert read.damage is None
    assert np.array_equal(read.motion.landmarks, commanded.landmarks)
    assert np.array_equal(read.motion.timestamps, commanded.timestamps)


def test_a_part_of_a_clip_at_another_rate(clip: Path) -> None:
    driving = Driving(clip, ClipRange(2, duration=0.08), 50.0)
    with FaceDetector() as detector:
        motion = driving.track(detector, None, 0.0)
        whole = Driving(clip).track(detector, None, 0.0)
    assert len(motion) == driving.expected_frames == 4
    assert motion.frame_rate == 50.0
    np.testing.assert_allclose(motion.timestamps, [0.08, 0.1, 0.12, 0.14])
    # Each frame is seen twice; the tracker has another past, so its landmarks differ a little.
    np.testing.assert_allclose(motion.landmarks[::2, :468, :2], whole.landmarks[2:4, :468, :2], atol=0.03)
    assert sum(1 for _ in driving.pictures(motion)) == len(motion)


def test_a_part_of_a_motion_file_at_another_rate(tmp_path: Path) -> None:
    motion = drawn_motion(8)
    motion.save(tmp_path / "a.fyemotion")
    rate = motion.frame_rate
    part = Driving(tmp_path / "a.fyemotion", ClipRange(2, 6), 2 * rate)
    assert part.motion is not None
    assert len(part.motion) == part.expected_frames == 8
    np.testing.assert_array_equal(part.motion.landmarks[::2], motion.landmarks[2:6])
    between = (motion.landmarks[2] + motion.landmarks[3]) / 2
    np.testing.assert_allclose(part.motion.landmarks[1], between, atol=1e-6)
    with pytest.raises(ClipError, match="none from"):
        Driving(tmp_path / "a.fyemotion", ClipRange(len(motion)))


def test_what_is_known_of_a_clip_is_told_before_its_face_is_followed(tmp_path: Path) -> None:
    record(tmp_path / "fast.mp4", rate=120, seconds=0.2)
    without_decoder(tmp_path / "fast.mp4", 0)
    driving = Driving(tmp_path / "fast.mp4")
    assert driving.expected_frames == 12
    assert driving.sound is None

    notes: list[Note] = []

    def stop(event: Event) -> None:
        if isinstance(event, Progress):
            raise KeyboardInterrupt
        if isinstance(event, Note):
            notes.append(event)

    with FaceDetector() as detector, pytest.raises(KeyboardInterrupt):
        driving.track(detector, None, 0.0, stop)
    sound, rate = notes
    assert "cannot be decoded: it is left out" in sound.sentence
    assert "120 frames a second, of which 60 are generated" in rate.sentence
    assert rate.settings == ("frame_rate",)
