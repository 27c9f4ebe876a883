"""Which poses of a motion have to be generated, and which lie so evenly between two of these that what the networks
make of them follows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

EVEN = 0.006
"""Of a window's side, 0.75 of 128 pixels: how far each landmark of a pose may lie from where it would be if it moved
evenly. Half of a talking face's poses lie that near; of a lively one's a tenth. Figures are in docs/performance.md."""

MOVED = 0.016
"""Of a window's side, 2 of 128 pixels: how far a landmark may move from one generated pose to the next. What the
networks change is mixed in place, so a glance or a blink further than that would show twice, however even it is."""

FURTHEST = 4
"""Poses from one that is generated to the next, at most."""


def generated_poses(points: np.ndarray, size: int, cuts: Sequence[int] = ()) -> np.ndarray:
    """The poses that have to be generated of landmarks (P, 478, 2), pixels of windows of `size`: ascending indices.

    They hold the first and the last of each scene; `cuts` are the poses that begin one but the first. Each of the
    others lies between two of them, at most `FURTHEST` and `MOVED` apart, with every landmark within `EVEN` of the
    straight line.
    """
    made: list[int] = []
    for start, stop in pairwise([0, *cuts, len(points)]):
        at = start
        made.append(at)
        while at < stop - 1:
            at = _next(points, at, min(at + FURTHEST, stop - 1), size)
            made.append(at)
    return np.array(made, int)


def _next(points: np.ndarray, start: int, last: int, size: int) -> int:
    """The furthest pose up to `last` that the poses after `start` lead to evenly."""
    reached = start + 1
    for end in range(start + 2, last + 1):
        shares = np.arange(1, end - start)[:, None, None] / (end - start)
        even = points[start] + shares * (points[end] - points[start])
        moved = ((points[end] - points[start]) ** 2).sum(axis=-1).max()
        uneven = ((points[start + 1 : end] - even) ** 2).sum(axis=-1).max()
        if moved > (MOVED * size) ** 2 or uneven > (EVEN * size) ** 2:
            break
        reached = end
    return reached
