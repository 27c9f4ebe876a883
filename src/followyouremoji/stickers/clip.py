"""Frames on their way into a sticker, and what a container's encoder is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from followyouremoji.media.kinds import Size


@dataclass(frozen=True)
class Clip:
    """Frames that are shown one after the other for the same time.

    Attributes
    ----------
    frames : uint8 (height, width, 4), RGBA.
    seconds : of one round, exactly.
    loops : how often it is played; 0 for ever.
    """

    frames: Sequence[np.ndarray]
    seconds: Fraction
    loops: int

    @property
    def size(self) -> Size:
        height, width = self.frames[0].shape[:2]
        return width, height

    @property
    def rate(self) -> Fraction:
        """Frames a second."""
        return len(self.frames) / self.seconds

    @property
    def transparent(self) -> bool:
        return any(bool((frame[..., 3] < 255).any()) for frame in self.frames)

    def starts(self, step: Fraction) -> list[int]:
        """When each frame begins, and the last one ends, in whole steps of a clock of `step` seconds."""
        count = len(self.frames)
        return [round(index * self.seconds / count / step) for index in range(count + 1)]


@dataclass(frozen=True)
class Level:
    """One way to encode a clip: `write(path)` does it; `words` say what it is, for messages."""

    words: str
    write: Callable[[Path], None]
