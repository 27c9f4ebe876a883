"""Take the detector's jitter out of landmarks as they come, when nobody knows the next frame.

The One Euro filter of Casiez, Roussel and Vogel (CHI 2012): an average over the past whose length falls with the
speed. What rests is averaged for long and does not tremble; what moves follows at once. As in `smoothing`, which does
this for whole clips, the head is taken off first and filtered on its own, and so is each part of the face, all points
of a part by one speed: that of the point which moves most. So a blink opens the filter of its eye alone.
"""

from __future__ import annotations

import math

import numpy as np

from .smoothing import face_parts, heads_of, moved
from .topology import mean_face

CUTOFF = 1.0
"""Hz; what is slower passes where nothing moves."""

MORE = 3.0
"""Hz more for each cm/s of speed. On seven filmed clips face parts and head keep 0.4 and 0.6 of the tracking's jitter
while they rest (`smoothing`, which sees both sides of a frame, 0.3 and 0.5), and are 0.2 mm from what that makes of
them in the mean, 0.1 more than unfiltered ones."""

SPEED_CUTOFF = 8.0
"""Hz, of the average by which the speed is told: from 2 to 8 the distance falls by a tenth for the same jitter."""

RIM_CM = 8.0
"""From the middle of a face to its rim, where a head's turn is measured."""


class OneEuro:
    """The filter of some points (N, C), which move together."""

    def __init__(self) -> None:
        self._value: np.ndarray | None = None
        self._speed: np.ndarray | float = 0.0

    def __call__(self, value: np.ndarray, seconds: float, unit: float = 1.0) -> np.ndarray:
        """The next value, so many `seconds` after the last; `unit` are its centimetres."""
        if self._value is None:
            self._value = value
            return value
        speed = (value - self._value) * (unit / seconds)
        self._speed = self._speed + _share(SPEED_CUTOFF, seconds) * (speed - self._speed)
        fastest = float(np.linalg.norm(self._speed, axis=-1).max())
        self._value = self._value + _share(CUTOFF + MORE * fastest, seconds) * (value - self._value)
        return self._value


class LandmarkFilter:
    """Filters the landmarks of one face, frame after frame."""

    def __init__(self) -> None:
        self._parts = face_parts()
        self._filters = [OneEuro() for _ in self._parts]
        self._head = OneEuro()
        self._time = -math.inf

    def __call__(self, landmarks: np.ndarray, size: tuple[int, int], time: float) -> np.ndarray:
        """The landmarks (478, 3), normalised to pictures of `size`, that were seen at a `time`, later than the last:
        steadied, float64 (478, 3)."""
        seconds, self._time = time - self._time, time
        to_pixels = np.array([size[0], size[1], size[0]], np.float64)
        pixels = np.asarray(landmarks, np.float64)[None] * to_pixels
        heads = heads_of(pixels)
        still = moved(pixels, np.linalg.inv(heads))[0]
        for part, steadied in zip(self._parts, self._filters, strict=True):
            still[part] = steadied(still[part], seconds)
        steady: np.ndarray = moved(still[None], self._steadied_head(heads, seconds))[0] / to_pixels
        return steady

    def _steadied_head(self, heads: np.ndarray, seconds: float) -> np.ndarray:
        """A similarity (1, 4, 4) filtered as where it takes the middle of a face, and three points at its rim."""
        middle = mean_face().mean(axis=0) * (1, -1, -1)
        places = np.concatenate([np.zeros((1, 3)), RIM_CM * np.eye(3)]) + middle
        unit = 1.0 / float(np.cbrt(np.linalg.det(heads[0, :3, :3])))
        centre, *rim = self._head(moved(places[None], heads)[0], seconds, unit)
        linear = np.stack([point - centre for point in rim], axis=1) / RIM_CM
        left, sizes, right = np.linalg.svd(linear)
        steady = heads.copy()
        steady[0, :3, :3] = np.cbrt(np.prod(sizes)) * (left @ right)
        steady[0, :3, 3] = centre - steady[0, :3, :3] @ middle
        return steady


def _share(cutoff: float, seconds: float) -> float:
    """Of a new value in an average that lets pass what is slower than `cutoff`, in Hz."""
    return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff * seconds))
