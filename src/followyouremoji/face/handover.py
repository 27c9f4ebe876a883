"""From one motion to another without a jump, when it is not known before when that comes."""

from __future__ import annotations

import math

import numpy as np

from .tracking import EASED_SECONDS

LEFT_OVER = 0.05
"""Of a jump, `EASED_SECONDS` after it."""

_RATE = 4.744 / EASED_SECONDS  # (1 + x) exp(-x) is LEFT_OVER at x = 4.744


class Handover:
    """Takes the jumps out of points (N, 2) over time.

    What a jump would have changed at once is put off and comes within `EASED_SECONDS`, as a critically damped spring
    comes to rest: it begins and ends at no speed, and what comes after the jump moves in full all the while. Jumps add
    up, so one that comes while another is on its way does no harm, nor does one a frame.
    """

    def __init__(self) -> None:
        self._late: np.ndarray | float = 0.0
        self._speed: np.ndarray | float = 0.0
        self._time = -math.inf

    def jumped(self, before: np.ndarray, after: np.ndarray) -> None:
        """From now on points come that are `after` where they had been `before`."""
        self._late = self._late + (before - after)

    def __call__(self, points: np.ndarray, time: float) -> np.ndarray:
        """The points of a time, later than the last."""
        seconds, self._time = time - self._time, time
        if math.isfinite(seconds):
            rush = self._speed + _RATE * self._late
            left = math.exp(-_RATE * seconds)
            self._late = left * (self._late + rush * seconds)
            self._speed = left * (self._speed - _RATE * rush * seconds)
        return points + self._late
