"""The one smooth way from 0 to 1."""

import numpy as np


def smooth_step(values: np.ndarray | float, start: float = 0.0, stop: float = 1.0) -> np.ndarray:
    """0 up to `start`, 1 from `stop` on, at rest at both ends and smooth between; `stop` may lie below `start`."""
    t = np.clip((np.asarray(values) - start) / (stop - start), 0.0, 1.0)
    smooth: np.ndarray = t * t * (3.0 - 2.0 * t)
    return smooth
