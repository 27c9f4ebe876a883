"""What every source of training clips gives, wherever its pictures come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class TrainingClip:
    """Successive frames of one face, square and of one size, with what is known about them.

    `points` holds the 478 face points of each frame: x and y in pixels of the pictures, z in the same unit, growing
    away from the camera. Landmark pictures, masks and metric faces are functions of the points.
    """

    key: str  # names the clip in messages
    pictures: np.ndarray  # uint8 (frames, size, size, 3), RGB
    points: np.ndarray  # float32 (frames, 478, 3)

    def __len__(self) -> int:
        return len(self.pictures)


class ClipSource(Protocol):
    """Clips by position in an endless, reproducible order: the same position gives the same clip on every machine and
    in every process, so that a training run has to remember nothing but its step."""

    @property
    def size(self) -> int:
        """Width and height of the pictures, in pixels."""

    def clip(self, position: int, frames: int) -> TrainingClip:
        """The clip at `position` (from 0, without end), with `frames` frames: a portrait to animate and the frames to
        learn are chosen from it. Raises DataError naming the shard or file that cannot be read."""
