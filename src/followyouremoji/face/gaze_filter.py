"""Gaze as it comes: what `gaze.steady_gaze` does to a whole clip, done when nobody knows the next frame."""

from __future__ import annotations

import numpy as np

from .gaze import PLAUSIBLE_APART, Gaze
from .settings import ConjugateGaze


class GazeFilter:
    """Takes out of one person's directions, frame after frame, what is the tracking's.

    Both eyes turn by one direction as far as they leave the difference that they have at rest by more than is
    plausible. An eye that is nearly closed looks where the other one does; while both are, the last direction is held.
    """

    def __init__(self) -> None:
        self._held: np.ndarray | None = None

    def __call__(self, gaze: Gaze, rest: np.ndarray, conjugate: ConjugateGaze = "auto") -> np.ndarray:
        """The directions (1, 2, 2) of a frame's gaze; at rest the eyes look in the directions `rest` (2, 2)."""
        directions, trust = gaze.directions[0], gaze.trust[0]
        words = directions - rest  # each eye's word on where both have turned
        weights = trust + 1e-6
        together = rest + weights @ words / weights.sum()
        apart = float(np.linalg.norm(words[0] - words[1]))
        share = {"on": 1.0, "auto": np.interp(apart, PLAUSIBLE_APART, (0.0, 1.0)), "off": 0.0}[conjugate]
        looking = directions + share * (together - directions)
        looking = together + trust[:, None] * (looking - together)
        seen = float(trust.max())
        held = rest if self._held is None else self._held
        if seen >= 1.0:
            self._held = looking
        steady: np.ndarray = (held + seen * (looking - held))[None]
        return steady
