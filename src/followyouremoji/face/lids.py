"""Lids and lips that meet and never pass through each other.

Expression offsets of one face on another, or the perspective of a turned head, can carry an upper lid below the lower
one; the network then draws an eye inside out.
"""

import numpy as np

from .topology import (
    INNER_LIPS_LOWER,
    INNER_LIPS_UPPER,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
)

RIMS = (
    (RIGHT_EYE_UPPER, RIGHT_EYE_LOWER, (27, 23)),
    (LEFT_EYE_UPPER, LEFT_EYE_LOWER, (257, 253)),
    (INNER_LIPS_UPPER, INNER_LIPS_LOWER, (0, 17)),
)
"""Upper and lower rim from corner to corner, and a point above and one below that never meet, whichever way the head is
turned: the crease over an eye and the fold under it, the outer rims of the lips. They tell what is down."""


def uncrossed(points: np.ndarray) -> np.ndarray:
    """Points ``(T, N, 2)`` of faces in a picture, N >= 468, in which no upper lid or lip lies below its lower one.

    Where they cross, both go to the middle between them; all other points stay. "Below" is along the eye's or the
    mouth's own vertical.
    """
    result = points.copy()
    for upper, lower, (above, below) in RIMS:
        high, low = list(upper[1:-1]), list(lower[1:-1])
        down = points[:, below] - points[:, above]
        down = down / np.maximum(np.linalg.norm(down, axis=-1, keepdims=True), 1e-9)
        gap = np.einsum("tnc,tc->tn", points[:, low] - points[:, high], down)
        step = 0.5 * np.maximum(-gap, 0.0)[..., None] * down[:, None]
        result[:, high] -= step
        result[:, low] += step
    return result
