"""Inputs from which the features of a face are drawn."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sight:
    """Landmarks, colours and normals from which the features are drawn.

    Attributes
    ----------
    points : ``(478, 2)`` landmarks in pixels of the canvas
    paint : ``(468, 3)`` lit skin colours at the mesh points
    normals : ``(468, 3)`` in camera space
    unit : pixels a centimetre
    """

    points: np.ndarray
    paint: np.ndarray
    normals: np.ndarray
    unit: float
