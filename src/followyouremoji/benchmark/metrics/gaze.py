"""Where the eyes look, in degrees relative to the head: each eye, horizontally and vertically.

*As the detector sees it*: the landmarks' irises in the result against those in the truth or the driving. MediaPipe
follows half of a drawn glance across and a quarter of one up or down (docs/measurements/alignment.md), in results and
truths alike, so both are measured by it: against the exact direction a right result would be 8 degrees off, and an
exaggerating one better. *By looks*: the irises found by correlation with the true picture, against the exact direction,
where the truth is known.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from followyouremoji.benchmark.metrics.metric import Measured, Metric
from followyouremoji.benchmark.metrics.pictures import mean_of_known
from followyouremoji.benchmark.metrics.regions import iris_shifts
from followyouremoji.face.gaze import RADIUS, Gaze
from followyouremoji.fidelity import luma

if TYPE_CHECKING:
    from followyouremoji.benchmark.observation import Observation, SeenClip

SEEN_OPEN = 0.5
"""Least trust (`face.gaze.Gaze`) in an eye, in the result and in what it is compared with: a closed eye has no gaze."""

_SEES = ("lag", "still eyes")
METRICS = (
    Metric("gaze", "gaze, degrees", "less", 2,
           "How far the eyes look from where they should, as the detector sees it; open eyes alone.", sees=_SEES),
    *(Metric(f"gaze_{eye}_{axis}", f"gaze {eye} {axis}, degrees", "less", 2,
             f"The same of the {eye} eye, {'horizontally' if axis == 'x' else 'vertically'}.", sees=_SEES)
      for eye in ("right", "left") for axis in ("x", "y")),
    Metric("iris", "gaze by looks, degrees", "less", 2,
           "The same, the irises found by their looks in the true picture.", needs=("truth",), sees=_SEES),
    Metric("iris_x", "gaze by looks x, degrees", "less", 2, "The same of both eyes, horizontally.",
           needs=("truth",), sees=_SEES),
    Metric("iris_y", "gaze by looks y, degrees", "less", 2, "The same of both eyes, vertically.",
           needs=("truth",), sees=_SEES),
)  # fmt: skip


def gaze_errors(result: Gaze, target: Gaze, same_face: bool) -> np.ndarray:
    """Degrees by which each eye looks elsewhere than it should, signed: (T, 2, 2), NaN for eyes that are closed.

    A detector sees each face's gaze with a constant error of its own. Of another face (`same_face` false) the median
    difference of each eye and axis is therefore taken off: gaze counts as its change.
    """
    errors = result.directions - target.directions
    errors = np.where((np.minimum(result.trust, target.trust) >= SEEN_OPEN)[..., None], errors, np.nan)
    if not same_face:
        seen = np.isfinite(errors).any(axis=0)  # an eye that is never open has no median
        errors[:, seen] -= np.nanmedian(errors[:, seen], axis=0)
    return errors


def turned_by(directions: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Degrees by which eyes that should look in `directions` (..., 2) are turned away, whose irises are shifted by
    `shifts` (..., 2) widths of the eye, to the picture's right and down; on the eyeball of `face.gaze`."""
    azimuth, elevation = np.moveaxis(np.radians(directions), -1, 0)
    x = np.sin(azimuth) * np.cos(elevation) + shifts[..., 0] / RADIUS
    y = np.clip(np.sin(elevation) - shifts[..., 1] / RADIUS, -1.0, 1.0)
    level = np.maximum(np.sqrt(1.0 - y**2), 1e-9)
    turned = np.stack([np.arcsin(np.clip(x / level, -1.0, 1.0)), np.arcsin(y)], axis=-1)
    return np.degrees(turned - np.stack([azimuth, elevation], axis=-1))


def iris_errors(result: SeenClip, truth: SeenClip, directions: np.ndarray) -> np.ndarray:
    """The same by looks, where the true eyes look in `directions` (T, 2, 2): (T, 2, 2), NaN for eyes that are closed in
    truth."""
    frames = zip(result.frames, truth.frames, result.points, truth.points, truth.expected, strict=True)
    shifts = [iris_shifts(luma(picture), luma(true), *points) for picture, true, *points in frames]
    return turned_by(directions, np.stack(shifts))


def measure(observation: Observation) -> list[Measured]:
    result, target = observation.result, observation.target
    errors = gaze_errors(result.gaze, target.clip.gaze, same_face=target.truth is not None)
    measured = [Measured("gaze", mean_of_known(np.linalg.norm(errors, axis=-1)))]
    for eye, name in enumerate(("right", "left")):
        for axis, letter in enumerate("xy"):
            measured.append(Measured(f"gaze_{name}_{letter}", mean_of_known(np.abs(errors[:, eye, axis]))))
    if target.truth is None:
        return measured + [Measured(name, math.nan) for name in ("iris", "iris_x", "iris_y")]
    exact = target.case.truth_gaze
    by_looks = iris_errors(result, target.truth, target.truth.gaze.directions if exact is None else exact)
    measured.append(Measured("iris", mean_of_known(np.linalg.norm(by_looks, axis=-1))))
    for axis, letter in enumerate("xy"):
        measured.append(Measured(f"iris_{letter}", mean_of_known(np.abs(by_looks[..., axis]))))
    return measured
