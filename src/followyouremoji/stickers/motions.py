"""Motions of stickers: as long and as quick as a service takes them, and where a loop begins."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from followyouremoji.face.expressions import EXPRESSIONS
from followyouremoji.face.keyframes import expression_motion
from followyouremoji.face.motion import Motion
from followyouremoji.face.timeline import find_cuts
from followyouremoji.requests.bundled import PREFIX, driving_source
from followyouremoji.stickers.request import Closing
from followyouremoji.stickers.services import StickerFormat

LONGEST = 10.0
"""Seconds of a sticker where the service sets no limit."""

SMOOTH, SMOOTHEST = 10.0, 30.0
"""Frames a second: fewer are made only where a sticker of whole seconds asks for them, more never."""

AT_ITS_HEIGHT = 0.8
"""Seconds into `expression_motion` at which the expression is held."""

STEADY = 7
"""Frames over which a pose is averaged to be the liveliest: longer than a blink."""


@dataclass(frozen=True)
class Timing:
    """How many frames a sticker has, and how many a second."""

    frames: int
    rate: float

    @property
    def seconds(self) -> float:
        return self.frames / self.rate

    def of_motion(self, closing: Closing) -> int:
        """How many frames of a motion make the sticker's."""
        return self.frames // 2 + 1 if closing == "pingpong" else self.frames

    @classmethod
    def fitting(cls, format: StickerFormat, seconds: float, rate: float, closing: Closing) -> Timing:
        """That of a motion of `seconds` at `rate` frames a second, or of its beginning, as a service takes it."""
        rate /= math.ceil(rate / min(SMOOTHEST, format.max_rate or SMOOTHEST) - 1e-6)
        if format.least_frame_ms:
            rate = min(rate, 1000.0 / format.least_frame_ms)
        played = 2 * (seconds - 1 / rate) if closing == "pingpong" else seconds
        played = min(played, longest(format))
        if format.whole_seconds:
            played = max(1.0, min(round(played), math.floor(longest(format))))
        frames = math.floor(played * rate + 1e-6)
        most = frames if format.max_frames is None else format.max_frames
        if format.whole_seconds or frames > most:
            frames = min(frames, most)
            rate = frames / played
        if closing == "pingpong":
            frames -= frames % 2
        return cls(max(frames, 2), rate)


def longest(format: StickerFormat) -> float:
    """Seconds that a service's stickers last at most."""
    seconds = LONGEST if format.max_seconds is None else format.max_seconds
    return seconds if format.max_frames is None else min(seconds, format.max_frames / SMOOTH)


def liveliest_part(motion: Motion, seconds: float) -> Motion:
    """The stretch of a motion, so many seconds long, in which the face moves most, wherever and however large it is:
    one without a cut if there is one. A motion that is no longer stays whole."""
    frames = math.ceil(seconds * motion.frame_rate - 1e-6)
    if frames >= len(motion):
        return motion
    faces = motion.points - motion.points.mean(axis=1, keepdims=True)
    faces /= np.linalg.norm(faces, axis=(1, 2), keepdims=True)
    moved = np.linalg.norm(np.diff(faces, axis=0), axis=-1).mean(axis=-1)  # from each frame to the next
    moved *= motion.found[1:] & motion.found[:-1]
    cut = np.isin(np.arange(1, len(motion)), find_cuts(motion.points, motion.found))
    moved[cut] = 0.0
    cuts, lively = (np.convolve(steps, np.ones(frames - 1), "valid") for steps in (cut.astype(float), moved))
    first = int(np.where(cuts == cuts.min(), lively, -1.0).argmax())
    return motion[first : first + frames]


def fitted(motion: Motion, timing: Timing, closing: Closing) -> Motion:
    """The beginning of a motion at a sticker's rate; where it is too short, its last pose is held."""
    paced = motion.at_rate(timing.rate)
    wanted = np.arange(timing.of_motion(closing))
    frames = np.minimum(wanted, len(paced) - 1)
    return replace(
        paced,
        landmarks=paced.landmarks[frames],
        timestamps=paced.timestamps[0] + wanted / timing.rate,
        found=paced.found[frames],
        blendshapes=None if paced.blendshapes is None else paced.blendshapes[frames],
    )


def named_motion(given: str) -> Path | Motion:
    """What a user means as the motion of a sticker. An expression's begins at its height, since that is what is seen of
    a sticker before it plays. Raises MotionError for a bundled name that does not exist."""
    name = given.removeprefix(PREFIX)
    if name in EXPRESSIONS and (given.startswith(PREFIX) or not Path(given).exists()):
        return expression_loop(name)
    return driving_source(given)


def expression_loop(name: str, frame_rate: float = 25.0) -> Motion:
    """An expression that is held, goes and comes back: `expression_motion`, begun at its height."""
    motion = expression_motion(name, frame_rate)
    first = round(AT_ITS_HEIGHT * motion.frame_rate)
    return replace(motion, landmarks=np.roll(motion.landmarks, -first, axis=0))


def liveliest(points: np.ndarray, rest: np.ndarray) -> int:
    """The frame of a closed loop (T, 478, 2) whose face is furthest from `rest` (478, 2), wherever the head is: the one
    to begin with."""
    moved = points - points.mean(axis=1, keepdims=True) - (rest - rest.mean(axis=0))
    far = np.linalg.norm(moved, axis=-1).mean(axis=-1)
    around = [np.roll(far, step) for step in range(-(STEADY // 2), STEADY // 2 + 1)]
    return int(np.mean(around, axis=0).argmax())
