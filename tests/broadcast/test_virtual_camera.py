"""What is asked of pyvirtualcam. It needs a driver that no test machine has, so a stand-in keeps to its documented
interface (version 0.15): Camera(width, height, fps, *, fmt, device, backend, print_fps), `device`, `send`, `close`; a
RuntimeError with a line for each way that was tried in vain."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from followyouremoji.broadcast.virtual_camera import DRIVERS, VirtualCamera, even
from followyouremoji.errors import CameraError
from tests.broadcast.moments import moment


class Camera:
    """The stand-in: takes frames of its size, as the real one does."""

    made: Camera | None = None

    def __init__(
        self,
        width: int,
        height: int,
        fps: float,
        *,
        fmt: str = "RGB",
        device: str | None = None,
        backend: str | None = None,
        print_fps: bool = False,
    ) -> None:
        assert fmt == "RGB"
        self.width, self.height, self.fps, self.device = width, height, fps, device or "/dev/video9"
        self.sent: list[np.ndarray] = []
        self.closed = False
        Camera.made = self

    def send(self, frame: np.ndarray) -> None:
        assert frame.shape == (self.height, self.width, 3)
        assert frame.dtype == np.uint8
        assert frame.flags.c_contiguous
        self.sent.append(frame)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    package = SimpleNamespace(Camera=Camera, PixelFormat=SimpleNamespace(RGB="RGB"))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", package)
    return package


def test_frames_are_passed_on_in_rgb(installed: SimpleNamespace) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[..., 0] = 200
    with VirtualCamera((64, 48), 25.0) as camera:
        assert camera.name == "/dev/video9"
        camera.show(moment(picture=picture))
    made = Camera.made
    assert made is not None
    assert (made.width, made.height, made.fps) == (64, 48, 25.0)
    np.testing.assert_array_equal(made.sent[0], picture)
    assert made.closed


def test_transparent_frames_lie_on_white_and_odd_sides_lose_a_row(installed: SimpleNamespace) -> None:
    picture = np.zeros((49, 65, 4), np.uint8)
    with VirtualCamera((65, 49), 30.0) as camera:
        camera.show(moment(picture=picture))
    made = Camera.made
    assert made is not None
    assert made.sent[0].shape == (48, 64, 3)
    assert made.sent[0].min() == 255
    np.testing.assert_array_equal(even(picture), picture[:48, :64])


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(CameraError, match=r"pip install 'followyouremoji\[camera\]'"):
        VirtualCamera((64, 48), 25.0)


@pytest.mark.parametrize("system", DRIVERS)
def test_without_a_driver_it_is_said_what_to_install(
    system: str, installed: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_there(*arguments: object, **named: object) -> None:
        raise RuntimeError("'v4l2loopback' backend: no device\n'obs' backend: not installed")

    installed.Camera = none_there
    monkeypatch.setattr(sys, "platform", system)
    with pytest.raises(CameraError) as refused:
        VirtualCamera((64, 48), 25.0)
    assert DRIVERS[system] in str(refused.value)
    assert "no device; 'obs' backend" in str(refused.value)
