"""Contact sheets: identities by performances in one picture."""

from collections.abc import Sequence

import numpy as np

from .casting import random_identity
from .drawing import draw_portrait
from .performance import Performance
from .styles import STYLES, Identity


def portrait_sheet(
    rng: np.random.Generator,
    identities: Sequence[Identity] | int = 10,
    performances: Sequence[Performance] | int = 6,
    size: int = 128,
) -> np.ndarray:
    """Every identity (rows) in every performance (columns), ``(rows * size, columns * size, 3)`` uint8 RGB.

    A number instead of a sequence asks for so many random ones: identities that go through the styles in turn,
    performances that start with a neutral one.
    """
    if isinstance(identities, int):
        identities = [random_identity(rng, STYLES[k % len(STYLES)]) for k in range(identities)]
    if isinstance(performances, int):
        performances = [Performance.neutral(), *(Performance.random(rng) for _ in range(performances - 1))]
    rows = [[draw_portrait(who, moment, size).picture for moment in performances] for who in identities]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
