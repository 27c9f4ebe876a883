"""The most relaxed frame of a driving clip, from which expressions are measured (Sec. 3.1)."""

from __future__ import annotations

import numpy as np

from .geometry import MetricFaces
from .topology import mean_face

RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263  # outer ones, in the mesh


def expression_scores(faces: MetricFaces) -> np.ndarray:
    """How far each frame is from a relaxed face, by geometry alone: ``(T,)``, 0 is relaxed, larger is further.

    A sum of distances in units of the distance between the outer eye corners:

    - the gap between the inner lips, which is closed at rest;
    - four times how much less, or more, the eyes are open than this person's usual (75th percentile of the clip), so
      that neither a blink nor a stare counts as neutral;
    - how far mouth corners, lips and brows are from the mean face (twice), which is nearly neutral, and from their
      median place in the clip (half), which is this person's own rest if the person mostly rests;
    - the head's turn, one radian as 0.2, because a turned face is measured less well.

    The weights are set on seven real driving clips, whose frame of least score lies between the least and the median
    of all frames by the sum of 52 blendshape scores, at a fifth of the way on average.
    """
    vertices = faces.vertices
    unit = np.linalg.norm(mean_face()[RIGHT_EYE_CORNER] - mean_face()[LEFT_EYE_CORNER])

    def gap(upper: int, lower: int) -> np.ndarray:
        return (vertices[:, upper, 1] - vertices[:, lower, 1]) / unit

    mouth_gap = np.maximum(gap(13, 14), 0.0)
    openness = 0.5 * (gap(159, 145) + gap(386, 374))
    eyes = np.abs(openness - np.percentile(openness, 75))

    moving = [61, 291, 0, 17, 105, 334, 66, 296, 55, 285]  # mouth corners, lips, brows
    places = vertices[:, moving] / unit
    unusual = np.linalg.norm(places - np.median(places, axis=0), axis=-1).mean(axis=1)
    unlike_mean = np.linalg.norm(places - mean_face()[moving] / unit, axis=-1).mean(axis=1)

    rotation = faces.poses[:, :3, :3] / np.cbrt(np.linalg.det(faces.poses[:, :3, :3]))[:, None, None]
    turn = np.arccos(np.clip((np.trace(rotation, axis1=1, axis2=2) - 1) / 2, -1.0, 1.0))
    return mouth_gap + 4.0 * eyes + 2.0 * unlike_mean + 0.5 * unusual + 0.2 * turn
