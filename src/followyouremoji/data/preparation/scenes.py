"""Scene changes, found while the frames stream by.

A cut is a frame that differs from the one before by much, or by many times what frames of the scene usually differ: the
second rule finds jump cuts, where the same person in front of the same wall moves from one frame to the next. Dissolves
are not found as such; the tracked face tells them (`Cutting.overlap`), or the check of landmarks by a second detector.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from followyouremoji.data.preparation.settings import Cutting

THUMBNAIL = (64, 36)
"""Width and height in pixels at which frames are compared: noise and compression are averaged away."""

REMEMBERED = 12
"""Frames that tell the usual difference of a scene."""

LEAST_USUAL = 0.0015
"""A still picture differs by less than this, and nothing can be many times of nothing."""

LEAST_JUMP = 0.02
"""A smaller difference than this is never a cut."""


class SceneCutter:
    """Numbers the scenes of a clip, frame by frame."""

    def __init__(self, cutting: Cutting) -> None:
        self._cutting = cutting
        self._last: np.ndarray | None = None
        self._recent: deque[float] = deque(maxlen=REMEMBERED)
        self._scene = 0

    def scene(self, picture: np.ndarray) -> int:
        """The number of the scene, from 0, that the next frame belongs to."""
        thumbnail = cv2.resize(picture, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
        if self._last is not None:
            difference = float(np.abs(thumbnail - self._last).mean())
            if self._is_cut(difference):
                self._scene += 1
                self._recent.clear()
            else:
                self._recent.append(difference)
        self._last = thumbnail
        return self._scene

    def _is_cut(self, difference: float) -> bool:
        if difference >= self._cutting.scene_change:
            return True
        if len(self._recent) < REMEMBERED // 2 or difference < LEAST_JUMP:
            return False
        usual = max(float(np.median(self._recent)), LEAST_USUAL)
        return difference >= self._cutting.scene_jump * usual
