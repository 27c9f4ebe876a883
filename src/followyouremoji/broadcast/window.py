"""The portrait in a window, the camera's picture in its corner."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from followyouremoji.broadcast.output import Moment, Wish, figures_line
from followyouremoji.media.pictures import on_background

KEYS: dict[int, Wish] = {ord("q"): "end", 27: "end", ord(" "): "recalibrate"}  # 27: Esc
CORNER = ord("c")
"""The key that hides the corner, and shows it again."""

HELP = "the space bar calibrates anew, c hides the camera, q ends it"
LEAST_SHOWN = 512  # pixels, the longer side of the window at first
INSET = 0.25  # of the window's shorter side, the height of the camera's picture
MARGIN = 8  # pixels
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.45
STARTING = 10.0  # seconds that a window may take


def can_open() -> bool:
    """Whether a window can be opened here. Another process tries: where there is no display, Qt ends the process that
    asks for one."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    attempt = "import cv2; cv2.namedWindow('Follow Your Emoji'); cv2.destroyAllWindows()"
    try:
        tried = subprocess.run([sys.executable, "-c", attempt], capture_output=True, timeout=STARTING)
    except subprocess.TimeoutExpired:
        return False
    return tried.returncode == 0


class Window:
    """A window of this machine's screen, as a context manager; the main thread's to use."""

    def __init__(self, title: str, still: np.ndarray) -> None:
        self._title = title
        self._corner = True
        self._wishes: list[Wish] = []
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        height, width = still.shape[:2]
        enlarged = max(1.0, LEAST_SHOWN / max(height, width))
        cv2.resizeWindow(title, round(width * enlarged), round(height * enlarged))
        cv2.imshow(title, cv2.cvtColor(on_background(still), cv2.COLOR_RGB2BGR))
        cv2.waitKey(1)

    def show(self, moment: Moment) -> None:
        """See `Output`."""
        picture = on_background(moment.frame.picture)
        if self._corner:
            picture = with_corner(picture, moment.seen, figures_line(moment.figures))
        cv2.imshow(self._title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def wishes(self) -> Collection[Wish]:
        """Those of the keys; closing the window ends it."""
        key = cv2.waitKey(1) & 0xFF
        if key == CORNER:
            self._corner = not self._corner
        closed = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        wish = "end" if closed else KEYS.get(key)
        return () if wish is None else (wish,)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cv2.destroyAllWindows()
        cv2.waitKey(1)


def with_corner(picture: np.ndarray, seen: np.ndarray, line: str) -> np.ndarray:
    """A portrait uint8 (height, width, 3) with what the camera sees in its lower left corner, enlarged to
    `LEAST_SHOWN`, so that a line can be read below it."""
    height, width = picture.shape[:2]
    enlarged = max(1.0, LEAST_SHOWN / max(height, width))
    shown = cv2.resize(
        picture, (round(width * enlarged), round(height * enlarged)), interpolation=cv2.INTER_LINEAR
    )
    height, width = shown.shape[:2]
    tall = round(INSET * min(height, width))
    wide = min(round(tall * seen.shape[1] / seen.shape[0]), width - 2 * MARGIN)
    small = cv2.resize(seen, (wide, tall), interpolation=cv2.INTER_AREA)
    bar = 3 * MARGIN  # of the line
    top = height - bar - tall
    shown[top : top + tall, MARGIN : MARGIN + wide] = small
    shown[height - bar :] = shown[height - bar :] // 3
    (long, _), _ = cv2.getTextSize(line, FONT, FONT_SCALE, 1)
    scale = FONT_SCALE * min(1.0, (width - 2 * MARGIN) / max(long, 1))
    cv2.putText(shown, line, (MARGIN, height - MARGIN), FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return shown
