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


STATES = {
    "calibrating": "look straight ahead, relaxed",
    "live": "live",
    "held": "no face is seen",
}
"""What a person is told of a session's state."""


def figures_line(figures: LiveFigures) -> str:
    """The figures of late in words, such as "live, 24.6 frames a second, 0.18 s behind"."""
    line = STATES[figures.state]
    if figures.delivered:
        line += f", {figures.rate:.1f} frames a second, {figures.latency:.2f} s behind"
    return line
