"""Pictures in real time, of a clip at its own speed and of a camera, which OpenCV reads as it reads a file."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from followyouremoji.errors import CameraError, ClipError
from followyouremoji.media import cameras
from followyouremoji.media.cameras import Camera, ClipAtItsSpeed, LivePictures, Shot, mirrored, why_not
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.writing import ClipWriter

RATE = 25.0
FRAMES = 15
SIZE = (64, 48)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames whose left half is the brighter the later they are, and whose right half is black."""
    path = tmp_path_factory.mktemp("clips") / "brighter.mp4"
    with ClipWriter(path, RATE, SIZE) as writer:
        for number in range(FRAMES):
            picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
            picture[:, : SIZE[0] // 2] = 20 + 15 * number
            writer.write(picture)
    return path


def all_of(source: LivePictures, pause: float = 0.002) -> list[Shot]:
    """What somebody sees who looks again after each `pause`."""
    shots = []
    while not source.ended:
        if (shot := source.newest()) is not None:
            shots.append(shot)
        time.sleep(pause)
    return shots


def test_a_clip_plays_at_its_own_speed(clip: Path) -> None:
    with ClipAtItsSpeed(clip) as source, ClipReader(clip) as reader:
        frames = dict(reader)
        assert source.frame_rate == RATE
        began = time.monotonic()
        shots = all_of(source)
        took = time.monotonic() - began
    times = [shot.time for shot in shots]
    assert times == sorted(set(times))
    assert times[0] == 0.0
    assert times[-1] == pytest.approx((FRAMES - 1) / RATE)
    assert took >= FRAMES / RATE  # never before its time, however quick the machine is
    for shot in shots:
        np.testing.assert_array_equal(shot.picture, frames[shot.time])


def test_who_is_late_misses_pictures_and_sees_the_newest(clip: Path) -> None:
    with ClipAtItsSpeed(clip) as source:
        first = source.newest()
        time.sleep(FRAMES / RATE)
        last = source.newest()
        assert first is not None
        assert first.time == 0.0
        assert last is not None
        assert last.time == pytest.approx((FRAMES - 1) / RATE)
        assert source.newest() is None
        assert source.ended


def test_a_clip_that_is_left_early_is_closed(clip: Path) -> None:
    with ClipAtItsSpeed(clip) as source:
        assert source.newest() is not None
        assert not source.ended
    with ClipAtItsSpeed(clip):
        pass


def test_a_clip_may_be_mirrored(clip: Path) -> None:
    with ClipAtItsSpeed(clip) as plain, ClipAtItsSpeed(clip, mirror=True) as turned:
        one, other = plain.newest(), turned.newest()
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(mirrored(one.picture), other.picture)
    assert one.picture[:, :16].mean() > 10 > one.picture[:, -16:].mean()
    assert other.picture[:, :16].mean() < 10 < other.picture[:, -16:].mean()


def test_what_is_no_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="there is no file nowhere"):
        ClipAtItsSpeed("nowhere.mp4")


class Plugged:
    """OpenCV's capture of a camera, as it captures a file, and as a program sees it that has asked for a camera."""

    def __init__(self, clip: Path) -> None:
        self.clip = clip
        self.asked: dict[int, float] = {}
        self.opened: list[tuple[int, int]] = []

    def __call__(self, number: int, backend: int) -> Plugged:
        self.opened.append((number, backend))
        self._file = REAL(str(self.clip))
        return self

    def isOpened(self) -> bool:
        return bool(self._file.isOpened())

    def set(self, what: int, value: float) -> bool:
        self.asked[what] = value
        return False  # most cameras do not do all that they are asked

    def get(self, what: int) -> float:
        return float(self._file.get(what))

    def read(self) -> tuple[bool, np.ndarray | None]:
        return self._file.read()

    def release(self) -> None:
        self._file.release()


REAL = cv2.VideoCapture


@pytest.fixture
def plugged(clip: Path, monkeypatch: pytest.MonkeyPatch) -> Plugged:
    found = Plugged(clip)
    monkeypatch.setattr(cameras.cv2, "VideoCapture", found)
    return found


def test_a_camera_is_asked_for_size_and_rate(plugged: Plugged) -> None:
    with Camera(3) as camera:
        assert camera.name == "camera 3"
        assert camera.frame_rate == RATE  # what it says
    assert plugged.opened == [(3, cameras.BACKENDS[sys.platform])]
    assert plugged.asked[cv2.CAP_PROP_FRAME_WIDTH] == 640
    assert plugged.asked[cv2.CAP_PROP_FRAME_HEIGHT] == 480
    assert plugged.asked[cv2.CAP_PROP_FPS] == 30.0


def test_a_camera_s_newest_picture_comes_in_rgb_as_in_a_mirror_and_then_it_is_gone(
    plugged: Plugged, clip: Path
) -> None:
    """The file's end is to OpenCV what a pulled plug is."""
    with ClipReader(clip) as reader:
        *_, (_, last) = reader
    with Camera(0) as camera:
        camera._thread.join()
        shot = camera.newest()
        assert shot is not None
        assert shot.time == 0.0
        np.testing.assert_allclose(shot.picture.astype(int), mirrored(last).astype(int), atol=6)
        with pytest.raises(CameraError, match="camera 0 gives no more pictures"):
            camera.newest()


def test_a_camera_that_is_silent_is_gone(plugged: Plugged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "PATIENCE", 0.05)
    monkeypatch.setattr(Camera, "_take", lambda self: self._stopped.wait())
    with Camera(0) as camera:
        assert camera.newest() is None
        time.sleep(0.06)
        with pytest.raises(CameraError, match="gives no more pictures"):
            camera.newest()


def test_a_camera_s_rate_is_believed_where_it_can_be(
    plugged: Plugged, monkeypatch: pytest.MonkeyPatch
) -> None:
    for said in (0.0, -1.0, 1e6):
        monkeypatch.setattr(Plugged, "get", lambda self, what, said=said: said)
        with Camera(0) as camera:
            assert camera.frame_rate == cameras.ASKED_RATE


def test_a_camera_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CameraError, match="camera 97") as refused:
        Camera(97)
    assert refused.value.settings == ("camera",)
    assert capfd.readouterr().err == ""  # OpenCV would say more than anybody understands


def test_why_a_camera_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert "there is none at all" in why_not(0, tmp_path)
    for name in ("video0", "video2"):
        (tmp_path / name).touch()
    assert "there are 0, 2" in why_not(1, tmp_path)
    assert "end the other program" in why_not(2, tmp_path)
    monkeypatch.setattr(cameras.os, "access", lambda path, mode: False)
    assert "add yourself to the group" in why_not(0, tmp_path)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "privacy settings" in why_not(0, tmp_path)
