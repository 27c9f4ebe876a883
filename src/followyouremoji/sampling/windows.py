"""Overlapping windows: how the released layout, which knows no known frames, covers a clip longer than a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

OVERLAP = 4  # frames that neighbouring windows share, as in the release
TILE = 16  # frames of a tile in the release's second long mode
GAUSSIAN_VARIANCE = 0.01  # of the squared length of a tile

Blend = Literal["even", "gaussian"]


@dataclass(frozen=True)
class Window:
    """Consecutive frames `start` to `stop` (exclusive) and each one's share `(stop - start,)` in the blended result."""

    start: int
    stop: int
    shares: np.ndarray


def overlapping_windows(
    frames: int, length: int, overlap: int = OVERLAP, blend: Blend = "even"
) -> list[Window]:
    """Cover a clip by windows of one length, the last of which ends with the clip.

    All windows are denoised side by side, step by step, and a frame that several see takes the weighted mean of their
    predictions. A DDIM step is linear in the prediction and the windows' latents agree where they overlap, so this is
    the same as stepping each window on its own and blending the latents of each step.

    Parameters
    ----------
    frames : of the clip.
    length : of a window; a shorter clip has a single one.
    overlap : frames that neighbours share at least, fewer than `length`.
    blend : "even", the plain mean; "gaussian", with weights around a window's midpoint whose variance is
        `GAUSSIAN_VARIANCE` of its squared length.

    Returns
    -------
    Windows in order; the shares of every frame sum to one.
    """
    if frames <= 0:
        return []
    if not 0 <= overlap < length:
        raise ValueError(f"windows of {length} frames cannot overlap by {overlap}")
    length = min(length, frames)
    stride = max(1, length - overlap)
    starts = [*range(0, frames - length, stride), frames - length]
    weights = _gaussian(length) if blend == "gaussian" else np.ones(length)
    total = np.zeros(frames)
    for start in starts:
        total[start : start + length] += weights
    return [Window(start, start + length, weights / total[start : start + length]) for start in starts]


def _gaussian(length: int) -> np.ndarray:
    offsets = np.arange(length) - (length - 1) / 2.0
    return np.exp(-(offsets**2) / (2.0 * GAUSSIAN_VARIANCE * length**2))
