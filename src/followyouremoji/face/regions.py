"""Soft regions of the mesh: how much each point belongs to the brows, the eyes and the mouth."""

from functools import cache

import numpy as np

from .topology import (
    INNER_LIPS_LOOP,
    LEFT_EYE_LOOP,
    LEFT_EYEBROW_LOWER,
    LEFT_EYEBROW_UPPER,
    OUTER_LIPS_LOOP,
    RIGHT_EYE_LOOP,
    RIGHT_EYEBROW_LOWER,
    RIGHT_EYEBROW_UPPER,
    mean_face,
)

REGIONS: dict[str, tuple[int, ...]] = {
    "brows": RIGHT_EYEBROW_LOWER + RIGHT_EYEBROW_UPPER + LEFT_EYEBROW_LOWER + LEFT_EYEBROW_UPPER,
    "eyes": RIGHT_EYE_LOOP + LEFT_EYE_LOOP,
    "mouth": INNER_LIPS_LOOP + OUTER_LIPS_LOOP,
}
"""The points that wholly belong to a region."""

REACH_CM = {"brows": 0.9, "eyes": 0.6, "mouth": 1.6}
"""Standard deviations of the fall-off around a region, on the mean face. The mouth moves chin and cheeks along."""


@cache
def region_weights() -> dict[str, np.ndarray]:
    """For each of brows, eyes and mouth ``(468,)`` weights in [0, 1]: 1 at the region's own points, falling smoothly.

    At no point do the regions sum to more than 1.
    """
    face = mean_face()
    distance = {
        name: np.linalg.norm(face[:, None] - face[list(points)], axis=-1).min(axis=1)
        for name, points in REGIONS.items()
    }
    weights = {name: np.exp(-0.5 * (distance[name] / REACH_CM[name]) ** 2) for name in REGIONS}
    for name, points in REGIONS.items():
        for other in REGIONS:
            if other != name:
                weights[other][list(points)] = 0.0
    total = np.maximum(sum(weights.values()), 1.0)
    return {name: weight / total for name, weight in weights.items()}
