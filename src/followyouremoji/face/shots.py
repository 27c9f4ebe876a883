"""The shots of a driving clip: stretches between cuts, each with what its motion is measured from.

A shot has its own camera, and perhaps its own person. Shots of one person before one camera (a dialogue that cuts to
and fro, a sentence cut out of a speech, a face lost to somebody behind for a moment) are one setup, so that the head
does not start anew at each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .geometry import BLOCK, MetricFaces
from .identity import separate
from .motion import Motion
from .timeline import find_cuts

SAME_PLACE = 0.25
"""Share of the face's size within which two shots' faces stand in one place, by their median."""

SAME_SIZE = 0.12
"""Difference of the logarithms of the faces' sizes up to which two shots are taken from one distance."""

SAME_PERSON = 0.3
"""Difference of two identities, root mean square of standard deviations, up to which they may be one person's. Halves
of seven filmed clips differ by 0.28 at most, and the people in them by 0.31 at least."""


@dataclass(frozen=True)
class Shots:
    """Which frames belong together.

    Attributes
    ----------
    cuts : frames at which a shot begins, ascending, without the first
    setups : ``(T,)`` the number of each frame's setup, from 0
    shown : ``(T,)`` the frame whose face each frame shows: itself, but for frames without a face before a cut, which
        hold the last face of their shot instead of one that was filled in from both sides
    """

    cuts: tuple[int, ...]
    setups: np.ndarray
    shown: np.ndarray

    @property
    def count(self) -> int:
        """How many setups there are."""
        return int(self.setups.max()) + 1


def one_shot(frames: int) -> Shots:
    """A clip without cuts."""
    return Shots((), np.zeros(frames, int), np.arange(frames))


def find_shots(motion: Motion, faces: MetricFaces) -> Shots:
    """The shots of a motion whose metric `faces` are known."""
    cuts = find_cuts(motion.points, motion.found)
    edges = [0, *cuts, len(motion)]
    if not cuts:
        return one_shot(len(motion))
    setups, shown = np.zeros(len(motion), int), np.arange(len(motion))
    known: list[_Setup] = []
    for first, end in pairwise(edges):
        seen = first + np.flatnonzero(motion.found[first:end])
        if len(seen) and end < len(motion):
            shown[seen[-1] : end] = seen[-1]
        setup = _setup(motion, faces, seen if len(seen) else np.arange(first, end))
        number = next((n for n, other in enumerate(known) if setup.is_as(other)), len(known))
        if number == len(known):
            known.append(setup)
        setups[first:end] = number
    return Shots(cuts, setups, shown)


@dataclass(frozen=True)
class _Setup:
    place: np.ndarray  # (2,) pixels
    size: float  # pixels
    identity: np.ndarray

    def is_as(self, other: _Setup) -> bool:
        apart = float(np.linalg.norm(self.place - other.place)) / max(self.size, other.size)
        person = float(np.sqrt(((self.identity - other.identity) ** 2).mean()))
        return apart < SAME_PLACE and abs(np.log(self.size / other.size)) < SAME_SIZE and person < SAME_PERSON


def _setup(motion: Motion, faces: MetricFaces, frames: np.ndarray) -> _Setup:
    frames = frames[:: -(-len(frames) // BLOCK)]
    points = motion.landmarks[frames, :, :2] * np.array(motion.size, np.float32)
    return _Setup(
        place=np.median(points.mean(axis=1), axis=0),
        size=max(float(np.median(np.ptp(points, axis=1).mean(axis=1))), 1e-9),
        identity=separate(faces.vertices[frames]).identity,
    )
