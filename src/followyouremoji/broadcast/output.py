"""What a live portrait goes to: each takes every frame, and may bring wishes of who watches."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from followyouremoji.live import LiveFigures, LiveFrame

Wish = Literal["end", "recalibrate"]


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame of the portrait, the camera's newest picture (uint8, (height, width, 3)), and figures of late."""

    frame: LiveFrame
    seen: np.ndarray
    figures: LiveFigures


class Output(Protocol):
    """Where the frames go."""

    def show(self, moment: Moment) -> None:
        """Take a frame. Raises UserError where it cannot."""

    def wishes(self) -> Collection[Wish]:
        """What was asked for since the last call; called often, also while there is no frame."""


def figures_line(figures: LiveFigures) -> str:
    """What a person is told of a session: its figures of late, such as "live, 24.6 frames a second, 0.18 s behind", or
    what to do."""
    if figures.state == "calibrating":
        return "look straight ahead, relaxed"
    state = "live" if figures.state == "live" else "no face is seen"
    return f"{state}, {figures.rate:.1f} frames a second, {figures.latency:.2f} s behind"
