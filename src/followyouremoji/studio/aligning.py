"""Motions put onto portraits' faces while visitors move sliders: what was measured is remembered, whoever asks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from threading import Lock

import numpy as np

from followyouremoji.face.alignment import Aligned, SolvedMotion, align, measure
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.heads import Room
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings, Loop
from followyouremoji.face.timeline import looped
from followyouremoji.media.ranges import ClipRange
from followyouremoji.sources import cut_motion

MOST_FRAMES = 12_000
"""Of all motions that are remembered, some 20 kB each; the latest is, however long."""

PORTRAITS = 3
"""That each of them is remembered with."""


class Part:
    """A part of a motion, which is measured when that is first needed."""

    def __init__(self, motion: Motion, forward: int) -> None:
        self.motion = motion
        self.forward = forward
        """Frames before it goes backwards; all where it does not."""
        self.solved = SolvedMotion(motion)
        self.measure = lru_cache(PORTRAITS)(measure)


class Aligner:
    """Threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._parts: OrderedDict[Hashable, Part] = OrderedDict()
        self._same = lru_cache(64)(_landmarks)

    def part(
        self,
        identity: str,
        read: Callable[[], Motion],
        name: str,
        kept: ClipRange,
        smooth: float,
        loop: Loop,
    ) -> Part:
        """A part of the motion that `read` gives, smoothed and closed to a loop. `identity` is what it is remembered
        by, `name` is for messages.

        Raises MotionError, and ClipError where it has none of the range.
        """
        key = (identity, kept, smooth, loop)
        with self._lock:
            if (known := self._parts.get(key)) is not None:
                self._parts.move_to_end(key)
                return known
        cut = cut_motion(read(), name, kept).smoothed(smooth)
        part = Part(looped(cut, loop), len(cut))
        with self._lock:
            self._parts[key] = part
            while len(self._parts) > 1 and sum(len(one.motion) for one in self._parts.values()) > MOST_FRAMES:
                self._parts.popitem(last=False)
        return part

    def align(
        self, part: Part, reference: Landmarks, settings: AlignmentSettings, room: Room | None
    ) -> Aligned:
        """See `alignment.align`."""
        same = self._same(reference.normalised.tobytes(), reference.size)
        return align(part.motion, same, settings, room, solve=lambda _: part.solved, measure=part.measure)


def _landmarks(normalised: bytes, size: tuple[int, int]) -> Landmarks:
    """The same object for the same face, by which it is remembered."""
    return Landmarks(np.frombuffer(normalised, np.float32).reshape(-1, 3), size)
