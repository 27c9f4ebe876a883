"""Frames of a live portrait, made up."""

from __future__ import annotations

import numpy as np

from followyouremoji.broadcast.output import Moment
from followyouremoji.live import LiveFigures, LiveFrame, LiveState

FIGURES = LiveFigures("live", 24.6, 0.18, 0.31, 100, 96, 2)


def moment(
    time: float = 0.0,
    picture: np.ndarray | int = 128,
    seen: np.ndarray | None = None,
    state: LiveState = "live",
    figures: LiveFigures = FIGURES,
) -> Moment:
    """A frame; a number stands for a small grey picture of that brightness."""
    shown = picture if isinstance(picture, np.ndarray) else np.full((48, 64, 3), picture, np.uint8)
    seen = np.full((30, 40, 3), (200, 40, 40), np.uint8) if seen is None else seen
    return Moment(LiveFrame(shown, time, 0.2, state), seen, figures)
