"""The window: what is drawn, and which keys do what. No display is opened."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from followyouremoji.broadcast import window
from followyouremoji.broadcast.window import Window, can_open, with_corner
from tests.broadcast.moments import moment

GREEN, RED = (20, 160, 60), (200, 40, 40)


def test_the_camera_is_seen_in_the_corner_and_the_portrait_all_around() -> None:
    portrait = np.full((512, 400, 3), GREEN, np.uint8)
    shown = with_corner(portrait, np.full((480, 640, 3), RED, np.uint8), "live")
    assert shown.shape == portrait.shape
    red = (np.abs(shown.astype(int) - RED).max(axis=2) < 8).nonzero()
    tall, wide = np.ptp(red[0]) + 1, np.ptp(red[1]) + 1
    assert tall == pytest.approx(100, abs=1)
    assert wide / tall == pytest.approx(640 / 480, rel=0.02)
    assert red[0].min() > 256
    assert red[1].max() < 200
    assert (shown[:300] == GREEN).all()
    assert (portrait == GREEN).all(), "the frame itself, which is recorded too, has no corner"


def test_a_line_can_be_read_on_small_and_on_tall_pictures() -> None:
    for height, width in ((64, 64), (512, 40), (48, 200)):
        shown = with_corner(
            np.full((height, width, 3), GREEN, np.uint8), np.full((9, 16, 3), RED, np.uint8), "x"
        )
        assert max(shown.shape[:2]) == 512
        assert shown.shape[1] / shown.shape[0] == pytest.approx(width / height, rel=0.02)
        assert (shown[-24:] == 255).any()


class Screen:
    """OpenCV's windows as they are called, with keys that somebody presses."""

    def __init__(self) -> None:
        self.keys: Iterator[int] = iter(())
        self.visible = 1.0
        self.shown: list[np.ndarray] = []

    def imshow(self, title: str, picture: np.ndarray) -> None:
        self.shown.append(picture)

    def wait_key(self, milliseconds: int) -> int:
        assert milliseconds > 0  # 0 would wait for ever
        return next(self.keys, -1)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen()
    for name in ("namedWindow", "resizeWindow", "destroyAllWindows"):
        monkeypatch.setattr(window.cv2, name, lambda *arguments: None)
    monkeypatch.setattr(window.cv2, "imshow", made.imshow)
    monkeypatch.setattr(window.cv2, "waitKey", made.wait_key)
    monkeypatch.setattr(window.cv2, "getWindowProperty", lambda title, what: made.visible)
    return made


def test_keys(screen: Screen) -> None:
    with Window("a", np.zeros((48, 64, 3), np.uint8)) as opened:
        screen.keys = iter((-1, ord("x"), ord(" "), ord("q"), 27))
        asked = [list(opened.wishes()) for _ in range(5)]
    assert asked == [[], [], ["recalibrate"], ["end"], ["end"]]


def test_closing_the_window_ends_it(screen: Screen) -> None:
    with Window("a", np.zeros((48, 64, 3), np.uint8)) as opened:
        screen.visible = 0.0
        assert list(opened.wishes()) == ["end"]


def test_colours_are_opencv_s_and_the_corner_can_be_hidden(screen: Screen) -> None:
    portrait = np.full((600, 600, 3), GREEN, np.uint8)
    with Window("a", portrait) as opened:
        opened.show(moment(picture=portrait))
        screen.keys = iter((ord("c"),))
        assert list(opened.wishes()) == []
        opened.show(moment(picture=portrait))
    still, cornered, plain = screen.shown
    np.testing.assert_array_equal(still, portrait[..., ::-1])
    assert not np.array_equal(cornered, still)
    np.testing.assert_array_equal(plain, still)


def test_where_there_is_no_display_no_window_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", lambda *arguments, **named: pytest.fail("it was tried"))
        assert not can_open()


@pytest.mark.skipif(sys.platform != "linux", reason="displays are named so on Linux")
def test_a_display_that_does_not_answer_costs_no_more_than_an_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Qt ends the process that asks for it."""
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not can_open()
    assert cv2.__version__  # this process is still there
