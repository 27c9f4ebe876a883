"""Random frame masking: how training makes the denoiser both begin a clip and fill one in (Sec. 3.3)."""

from __future__ import annotations

import numpy as np


def random_known_frames(rng: np.random.Generator, frames: int, unknown: float = 0.0) -> np.ndarray:
    """Which frames of a training clip are given: bool `(frames,)`.

    Half of the time the first and last frame alone (the frames between two keyframes are learnt), half of the time each
    frame with probability 0.5. Under the second rule a clip of 16 frames is almost never wholly masked, although
    keyframes are made from nothing; `unknown` is a share of clips, before that choice, which get no known frame at all
    (0 in the paper).
    """
    if rng.random() < unknown:
        return np.zeros(frames, bool)
    if rng.random() < 0.5:
        known = np.zeros(frames, bool)
        known[[0, -1]] = True
        return known
    return rng.random(frames) < 0.5
