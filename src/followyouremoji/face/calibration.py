"""The rest that live motion is measured from: what a face looks like in its first calm second."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from .gaze import Eyes, measure_gaze
from .geometry import EYE_DISTANCE_CM, angles_of, rotations_and_scales, solve_metric_faces
from .neutral import expression_scores

SECONDS = 1.0
"""Of calm that make a rest."""

LONGEST = 3.0
"""Seconds of a face after which the calmest second counts."""

CALM = 0.06
"""Movement up to which a second counts as calm, see `restlessness`."""

RELAXED = 0.3
"""Expression up to which it counts as relaxed, see `neutral.expression_scores`. In seven filmed clips of people who
talk and act, the calmest seconds have a movement of 0.02 to 0.20 and an expression of 0.12 to 0.26, the median ones
0.05 to 0.44 and 0.17 to 0.36."""


class Calibration:
    """Looks at a face until it knows its rest."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, np.ndarray]] = deque()
        self._began: float | None = None
        self._calmest = math.inf
        self._rest: np.ndarray | None = None

    def lost(self) -> None:
        """The face is not seen: its second begins again."""
        self._seen.clear()

    def add(self, landmarks: np.ndarray, size: tuple[int, int], time: float) -> np.ndarray | None:
        """Look at normalised landmarks (478, 3) that were seen in a picture of `size` at a `time`, later than the last.

        Returns the face at rest (478, 3) as soon as it is known: the median of the first calm second, or, `LONGEST`
        after the face was first seen, of the calmest.
        """
        self._began = time if self._began is None else self._began
        self._seen.append((time, landmarks))
        while len(self._seen) > 1 and self._seen[1][0] <= time - SECONDS:
            self._seen.popleft()
        if self._seen[0][0] > time - SECONDS:
            return None
        second = np.stack([one for _, one in self._seen])
        unrest, expression = restlessness(second, size)
        if unrest / CALM + expression / RELAXED < self._calmest:
            self._calmest = unrest / CALM + expression / RELAXED
            self._rest = np.median(second, axis=0)
        calm = unrest <= CALM and expression <= RELAXED
        return self._rest if calm or time - self._began >= LONGEST else None


def restlessness(landmarks: np.ndarray, size: tuple[int, int]) -> tuple[float, float]:
    """How much a face (T, 478, 3), normalised to pictures of `size`, moves, and how much expression it shows.

    The first is the spread of the mesh in the mean over its points, in distances between the eyes, and of the head's
    turn and the gaze to the sides in radians; the second the median of `expression_scores`.
    """
    faces = solve_metric_faces(landmarks, size)
    apart = np.linalg.norm(faces.vertices - np.median(faces.vertices, axis=0), axis=-1) / EYE_DISTANCE_CM
    rotations, _ = rotations_and_scales(faces.poses)
    turns = angles_of(rotations @ rotations[len(rotations) // 2].T)
    gaze = measure_gaze(landmarks, faces, size, Eyes.of(faces.vertices))
    looks = np.radians(gaze.directions[..., 0].mean(axis=1))
    unrest = apart.mean() + turns.mean() + np.abs(looks - np.median(looks)).mean()
    return float(unrest), float(np.median(expression_scores(faces)))
