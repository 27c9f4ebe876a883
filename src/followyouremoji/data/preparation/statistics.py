"""What the frames of a clip are like, counted in fixed bins: counts of any number of clips add up to those of a whole
collection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from followyouremoji.data.preparation.survey import Survey

_LIPS = (13, 14)  # upper and lower inner lip, in the middle
_MOUTH_CORNERS = (78, 308)


@dataclass(frozen=True)
class Quantity:
    """Something measured in every frame: its name for readers, and the edges of its bins. The outermost bins take what
    lies beyond."""

    label: str
    edges: np.ndarray


QUANTITIES: dict[str, Quantity] = {
    "face_size": Quantity("size of the face, pixels of the source", np.linspace(0, 1024, 65)),
    "yaw": Quantity("yaw, degrees (positive: to the picture's right)", np.linspace(-90, 90, 61)),
    "pitch": Quantity("pitch, degrees (positive: up)", np.linspace(-60, 60, 61)),
    "roll": Quantity("roll, degrees (positive: clockwise)", np.linspace(-60, 60, 61)),
    "sharpness": Quantity("sharpness of the face", np.linspace(0, 0.6, 61)),
    "change": Quantity("change from frame to frame, of 255 levels", np.linspace(0, 24, 61)),
    "mouth": Quantity("opening of the mouth over its width", np.linspace(0, 1, 51)),
}

Histograms = dict[str, dict[str, list[int]]]
"""For each quantity the counts of all frames with a face, "all", and of those that were kept, "kept"."""


def measured(survey: Survey) -> dict[str, np.ndarray]:
    """Every quantity of every frame, ``(T,)`` each; of no meaning in frames without a face."""
    points, angles = survey.points, survey.angles
    opening = np.linalg.norm(points[:, _LIPS[0]] - points[:, _LIPS[1]], axis=1)
    width = np.linalg.norm(points[:, _MOUTH_CORNERS[0]] - points[:, _MOUTH_CORNERS[1]], axis=1)
    return {
        "face_size": survey.face_sizes,
        "yaw": angles[:, 0],
        "pitch": angles[:, 1],
        "roll": angles[:, 2],
        "sharpness": survey.sharpness,
        "change": np.where(np.isfinite(survey.change), survey.change, 0.0),
        "mouth": opening / np.maximum(width, 1e-6),
    }


def histograms(values: dict[str, np.ndarray], found: np.ndarray, kept: np.ndarray) -> Histograms:
    """Counts of the frames with a face, and of those kept; `found` and `kept` are ``(T,)`` bool."""
    return {
        name: {
            "all": _counts(quantity, values[name][found]),
            "kept": _counts(quantity, values[name][kept]),
        }
        for name, quantity in QUANTITIES.items()
    }


def _counts(quantity: Quantity, values: np.ndarray) -> list[int]:
    inside = np.clip(values, quantity.edges[0], quantity.edges[-1])
    return [int(count) for count in np.histogram(inside, quantity.edges)[0]]
