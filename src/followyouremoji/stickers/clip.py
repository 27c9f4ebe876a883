"""Frames on their way into a sticker, and what a container's encoder is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from followyouremoji.media.kinds import Size
from followyouremoji.media.pictures import spread_colours
from followyouremoji.provenance.record import GENERATED_COMMENT

_FLAT = 12.0  # levels of colour within which neighbours are taken for one surface
_FLATTENINGS = 3
_NEIGHBOURS = 5  # pixels a side


class Picture:
    """A frame, and what encoders make of it, once.

    Attributes
    ----------
    layers : uint8 (height, width, 4), RGBA with straight opacity.
    spread : the same with colours that go on where nothing shows, for codecs that mix neighbours.
    flat : the same without grain, for files in few colours.
    """

    def __init__(self, layers: np.ndarray) -> None:
        self.layers = layers

    @cached_property
    def spread(self) -> np.ndarray:
        return spread_colours(self.layers)

    @cached_property
    def flat(self) -> np.ndarray:
        """By the bilateral filter (Tomasi and Manduchi 1998): few colours else change from pixel to pixel, and files
        are a seventh larger at the same error."""
        colours = np.ascontiguousarray(self.spread[..., :3])
        for _ in range(_FLATTENINGS):
            colours = cv2.bilateralFilter(colours, _NEIGHBOURS, _FLAT, _NEIGHBOURS / 2)
        return np.dstack([colours, self.layers[..., 3]])


@dataclass(frozen=True)
class Clip:
    """Pictures that are shown one after the other for the same time.

    Attributes
    ----------
    pictures : all of one size.
    seconds : of one round, exactly.
    loops : how often it is played; 0 for ever.
    comment : what the file says about itself.
    """

    pictures: Sequence[Picture]
    seconds: Fraction
    loops: int
    comment: str = GENERATED_COMMENT

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def size(self) -> Size:
        height, width = self.pictures[0].layers.shape[:2]
        return width, height

    @property
    def rate(self) -> Fraction:
        """Frames a second."""
        return len(self) / self.seconds

    @cached_property
    def transparent(self) -> bool:
        return any(bool((one.layers[..., 3] < 255).any()) for one in self.pictures)

    def starts(self, step: Fraction) -> list[int]:
        """When each frame begins, and the last one ends, in whole steps of a clock of `step` seconds."""
        return [round(index * self.seconds / len(self) / step) for index in range(len(self) + 1)]


@dataclass(frozen=True)
class Level:
    """One way to encode a clip.

    Attributes
    ----------
    words : what it is, for messages.
    write : writes the clip at a path.
    fair : whether it looks well; the others are for clips that do not fit otherwise.
    """

    words: str
    write: Callable[[Path], None]
    fair: bool = True
