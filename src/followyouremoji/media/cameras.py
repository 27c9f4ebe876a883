"""Pictures as they come: from a camera, or from a clip at its own speed. The newest counts; who is late misses some."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import cv2
import numpy as np

from followyouremoji.errors import CameraError
from followyouremoji.media.clips import DECODED_AHEAD, ClipReader
from followyouremoji.prefetch import prefetch

if TYPE_CHECKING:
    from followyouremoji.media.inputs import InputSource

ASKED_SIZE = (640, 480)
"""Pixels that a camera is asked for: enough of a face, and no camera is slow at it."""

ASKED_RATE = 30.0  # frames a second
USUAL_RATES = (5.0, 60.0)  # what a camera says of its rate is believed between these
PATIENCE = 5.0  # seconds without a picture, after which a camera is taken to be gone
BACKENDS = {"linux": cv2.CAP_V4L2, "darwin": cv2.CAP_AVFOUNDATION, "win32": cv2.CAP_DSHOW}
"""OpenCV's way to cameras on each system; left to itself it tries others first, some of which take half a minute."""


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture, uint8 (height, width, 3) RGB, and when it was taken: seconds since the source's beginning."""

    time: float
    picture: np.ndarray


class LivePictures(Protocol):
    """A source of pictures in real time, as a context manager; its clock begins with the first call of `newest`.

    Attributes
    ----------
    name : what messages and people call it
    frame_rate : pictures a second
    """

    name: str
    frame_rate: float

    def newest(self) -> Shot | None:
        """The newest picture, unless it was given before; does not wait. Raises CameraError where no more will come."""

    @property
    def ended(self) -> bool:
        """Whether all has been shown."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def mirrored(picture: np.ndarray) -> np.ndarray:
    """A picture as a mirror shows it, contiguous."""
    return cv2.flip(picture, 1)


class ClipAtItsSpeed:
    """A clip whose pictures are there when they would be shown, by the wall clock: a camera that can be repeated.

    Parameters
    ----------
    mirror : whether pictures are mirrored.

    Raises
    ------
    ClipError : as `ClipReader`.
    """

    def __init__(self, source: InputSource, mirror: bool = False) -> None:
        self._clip = ClipReader(source)
        self._mirror = mirror
        self.name = str(self._clip.file)
        self.frame_rate = self._clip.info.frame_rate
        self.duration = self._clip.info.duration
        self._frames: Generator[tuple[float, np.ndarray], None, None] | None = None
        self._next: tuple[float, np.ndarray] | None = None
        self._begun = 0.0

    def newest(self) -> Shot | None:
        """See `LivePictures`."""
        if self._frames is None:
            self._frames = prefetch(self._clip, DECODED_AHEAD)
            self._next = next(self._frames, None)
            self._begun = time.monotonic()
        due = None
        while self._next is not None and self._next[0] <= time.monotonic() - self._begun:
            due, self._next = self._next, next(self._frames, None)
        if due is None:
            return None
        return Shot(due[0], mirrored(due[1]) if self._mirror else due[1])

    @property
    def ended(self) -> bool:
        """Whether the last picture has been shown for as long as it is."""
        over = self._frames is not None and self._next is None
        return over and time.monotonic() - self._begun >= self.duration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._frames is not None:
            self._frames.close()
        self._clip.close()


class Camera:
    """A camera of this machine. A thread takes its pictures, so that none waits in the driver and grows old.

    Parameters
    ----------
    number : 0 is the first.
    mirror : whether pictures are mirrored.

    Raises
    ------
    CameraError : there is none of this number, it may not be used, or another program holds it; from `newest`, that it
        gives no more pictures.
    """

    ended = False

    def __init__(self, number: int, mirror: bool = True) -> None:
        self.name = f"camera {number}"
        self._number, self._mirror = number, mirror
        self._capture = opened(number)
        said = self._capture.get(cv2.CAP_PROP_FPS)
        self.frame_rate = said if USUAL_RATES[0] <= said <= USUAL_RATES[1] else ASKED_RATE
        self._lock = threading.Lock()
        self._taken: tuple[float, np.ndarray] | None = None
        self._latest = time.monotonic()  # when a picture came
        self._begun: float | None = None
        self._stopped = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._take, name=self.name, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        while not self._stopped.is_set():
            there, picture = self._capture.read()
            if not there:
                self._lost.set()
                return
            with self._lock:
                self._latest = time.monotonic()
                self._taken = self._latest, picture

    def newest(self) -> Shot | None:
        """See `LivePictures`."""
        with self._lock:
            taken, self._taken = self._taken, None
            silent = time.monotonic() - self._latest
        if taken is None:
            if self._lost.is_set() or silent > PATIENCE:
                raise CameraError(
                    f"{self.name} gives no more pictures: see that it is plugged in and that no other program has taken it"
                )
            return None
        moment, picture = taken
        if self._begun is None:
            self._begun = moment
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return Shot(moment - self._begun, mirrored(picture) if self._mirror else picture)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(PATIENCE)
        if not self._thread.is_alive():  # a driver that hangs holds the camera until the process ends
            self._capture.release()


def opened(number: int) -> cv2.VideoCapture:
    """A camera that has given a picture. Raises CameraError."""
    level = cv2.setLogLevel(0)  # silent: we say it ourselves
    try:
        capture = cv2.VideoCapture(number, BACKENDS.get(sys.platform, cv2.CAP_ANY))
        asked = zip(
            (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS),
            (*ASKED_SIZE, ASKED_RATE),
            strict=True,
        )
        for what, wanted in asked:
            capture.set(what, wanted)
        there, _ = capture.read() if capture.isOpened() else (False, None)
    finally:
        cv2.setLogLevel(level)
    if not there:
        capture.release()
        raise CameraError(why_not(number), settings=("camera",))
    return capture


def why_not(number: int, devices: Path = Path("/dev")) -> str:
    """Why a camera cannot be used, and what to do, as far as the system tells."""
    clip = "or give a clip in its place"
    if sys.platform != "linux":
        return (
            f"camera {number} gives no picture: see that there is one, that no other program holds it, and that the system lets "
            f"this terminal use cameras (its privacy settings); {clip}"
        )
    device = devices / f"video{number}"
    if not device.exists():
        others = sorted(path.name.removeprefix("video") for path in devices.glob("video*"))
        there = f"there are {', '.join(others)}" if others else "there is none at all"
        return f"there is no camera {number} ({device}; {there}): plug one in, {clip}"
    if not os.access(device, os.R_OK | os.W_OK):
        return (
            f"camera {number} may not be used: add yourself to the group that owns {device} (video), {clip}"
        )
    return f"camera {number} ({device}) gives no picture: end the other program that holds it, {clip}"
