"""What the frames of a clip are like, counted in fixed bins: counts of any number of clips add up to those of a whole
collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from followyouremoji.data.preparation.settings import Filters
from followyouremoji.data.preparation.survey import Survey

_LIPS = (13, 14)  # upper and lower inner lip, in the middle
_MOUTH_CORNERS = (78, 308)


@dataclass(frozen=True)
class Quantity:
    """Something measured in every frame.

    Attributes
    ----------
    label : its name for readers
    edges : of its bins; the outermost bins take what lies beyond
    measured : its values ``(T,)`` in a clip, of no meaning in frames without a face
    limits : where the filters draw a line on it
    """

    label: str
    edges: np.ndarray
    measured: Callable[[Survey], np.ndarray]
    limits: Callable[[Filters], tuple[float, ...]] = lambda filters: ()


def mouth_openings(survey: Survey) -> np.ndarray:
    """``(T,)`` distance of the lips over the width of the mouth."""
    points = survey.points
    opening = np.linalg.norm(points[:, _LIPS[0]] - points[:, _LIPS[1]], axis=1)
    width = np.linalg.norm(points[:, _MOUTH_CORNERS[0]] - points[:, _MOUTH_CORNERS[1]], axis=1)
    return opening / np.maximum(width, 1e-6)


QUANTITIES: dict[str, Quantity] = {
    "face_size": Quantity(
        "size of the face, pixels of the source", np.linspace(0, 1024, 65),
        lambda survey: survey.face_sizes, lambda filters: (filters.face_size,),
    ),
    "yaw": Quantity(
        "yaw, degrees (positive: to the picture's right)", np.linspace(-90, 90, 61),
        lambda survey: survey.angles[:, 0], lambda filters: (-filters.yaw, filters.yaw),
    ),
    "pitch": Quantity(
        "pitch, degrees (positive: up)", np.linspace(-60, 60, 61),
        lambda survey: survey.angles[:, 1], lambda filters: (-filters.pitch, filters.pitch),
    ),
    "roll": Quantity(
        "roll, degrees (positive: clockwise)", np.linspace(-60, 60, 61),
        lambda survey: survey.angles[:, 2], lambda filters: (-filters.roll, filters.roll),
    ),
    "sharpness": Quantity(
        "sharpness of the face", np.linspace(0, 0.6, 61),
        lambda survey: survey.sharpness, lambda filters: (filters.sharpness,),
    ),
    "change": Quantity(
        "change from frame to frame, of 255 levels", np.linspace(0, 24, 61),
        lambda survey: np.where(np.isfinite(survey.change), survey.change, 0.0),
        lambda filters: (filters.duplicate,),
    ),
    "mouth": Quantity("opening of the mouth over its width", np.linspace(0, 1, 51), mouth_openings),
}  # fmt: skip

Histograms = dict[str, dict[str, list[int]]]
"""For each quantity the counts of all frames with a face, "all", and of those that were kept, "kept"."""


def histograms(survey: Survey, kept: np.ndarray) -> Histograms:
    """Counts of the frames with a face, and of those of them that are `kept`, ``(T,)`` bool."""
    counts: Histograms = {}
    for name, quantity in QUANTITIES.items():
        values = np.clip(quantity.measured(survey), quantity.edges[0], quantity.edges[-1])
        parts = {"all": survey.found, "kept": kept}
        counts[name] = {
            part: np.histogram(values[frames], quantity.edges)[0].tolist() for part, frames in parts.items()
        }
    return counts


def are_complete(counts: Histograms) -> bool:
    """Whether there are counts for every bin of every quantity; or none at all, of a clip that could not be read."""
    return not counts or all(
        len(counts.get(name, {}).get(part, ())) == len(quantity.edges) - 1
        for name, quantity in QUANTITIES.items()
        for part in ("all", "kept")
    )


def summed(clips: Sequence[Histograms]) -> dict[str, dict[str, np.ndarray]]:
    """The histograms of all clips together, zeros where there is none."""
    return {
        name: {
            part: sum(
                (np.array(clip[name][part]) for clip in clips if clip), np.zeros(len(quantity.edges) - 1, int)
            )
            for part in ("all", "kept")
        }
        for name, quantity in QUANTITIES.items()
    }
