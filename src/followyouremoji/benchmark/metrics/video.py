"""How a result moves from frame to frame, whatever its length: flicker, seams, drift, frozen frames.

Two ways, named apart. *Of pixels*, where the truth is known: the clip's error is looked at, from which the motion is
subtracted. *Of the flattened face*, in every case: the mean Lab colours of its patches (`metrics.identity`), which
follow the face, so that pose and expression hardly matter, against those of the truth or the driving. Their unit is
Delta E (CIE 1976): 2.3 are just noticeable.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from followyouremoji.benchmark.metrics.identity import last_less_first, patch_colours
from followyouremoji.benchmark.metrics.metric import Measured, Metric
from followyouremoji.benchmark.metrics.pictures import mean_of_known
from followyouremoji.benchmark.metrics.regions import flicker, mean_level, region_masks

if TYPE_CHECKING:
    from followyouremoji.benchmark.observation import Observation

LEAST_LEVELS = 0.25 / 255
"""Spread of a clip's steps that is never undercut: a quarter of an 8-bit level, so that rounding is no seam."""
LEAST_COLOUR = 0.1
"""The same in Delta E."""
STILL = 0.1
"""A step is frozen where the result changes by less than this share of the target's change."""
MOVING = 0.25 / 255
"""Least mean change of the target from frame to frame in which a frozen result shows."""
MAD_TO_SIGMA = 1.4826
"""From the median absolute deviation to the standard deviation of a normal distribution."""

METRICS = (
    Metric("flicker", "flicker", "less", 5, "Second temporal difference beyond that of the truth, levels from 0 to 1.",
           needs=("truth",), sees=("noise", "brightness flicker")),
    Metric("seam", "seam", "less", 2,
           "Largest change of the face's error from one frame to the next above the usual one, in its robust deviations.",
           needs=("truth",), sees=("seam",)),
    Metric("drift", "drift", "less", 4, "Face L1 of the last third of the frames less that of the first.",
           needs=("truth",), sees=("slow drift",)),
    Metric("face_flicker", "face flicker, Delta E", "less", 3,
           "Second temporal difference of the flattened face's colours beyond that of the truth (or the driving).",
           sees=("brightness flicker",)),
    Metric("face_seam", "face seam", "less", 2,
           "Largest change of the flattened face's colours from one frame to the next, beyond that of the truth (or the driving), above the usual one, in its robust deviations.",
           sees=("seam",)),
    Metric("face_drift", "face drift, Delta E", "less", 3,
           "How differently the flattened face's colours change from the first third of the frames to the last than those of the truth (or the driving).",
           sees=("slow drift",)),
    Metric("frozen", "frozen", "less", 3,
           "Share of the steps in which the truth (or the driving) moves and the result changes by less than a tenth of that.",
           sees=("frozen frames",)),
)  # fmt: skip


def steps_of_error(
    frames: np.ndarray, truth: np.ndarray, truth_points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mean absolute error inside the true face of each frame, (T,), and how much that error changes, pixel by
    pixel, from each frame to the next, (T - 1,); levels from 0 to 1.

    `frames` and `truth` uint8 (T, h, w, 3), `truth_points` (T, 478, 2) pixels.
    """
    size = (frames.shape[2], frames.shape[1])
    errors, steps = [], []
    before: tuple[np.ndarray, np.ndarray] | None = None
    for picture, true, points in zip(frames, truth, truth_points, strict=True):
        error = cv2.subtract(picture, true, dtype=cv2.CV_16S)
        face = region_masks(points, size, ("face",))["face"]
        errors.append(mean_level(np.abs(error), face))
        if before is not None:
            steps.append(mean_level(cv2.absdiff(error, before[0]), face & before[1]))
        before = error, face
    return np.array(errors), np.array(steps)


def largest_jump(steps: np.ndarray, least: float) -> float:
    """How far the largest of the steps (n,) lies above their median, in standard deviations as the median absolute
    deviation tells them, `least` at least; NaN for none."""
    steps = steps[np.isfinite(steps)]
    if not steps.size:
        return math.nan
    middle = np.median(steps)
    spread = MAD_TO_SIGMA * np.median(np.abs(steps - middle))
    return float((steps.max() - middle) / max(spread, least))


def colour_flicker(colours: np.ndarray, target: np.ndarray) -> float:
    """By how much colours (T, patches, 3) bend in time beyond those of the target; NaN for fewer than three frames."""

    def bends(values: np.ndarray) -> np.ndarray:
        bent: np.ndarray = np.linalg.norm(np.diff(values, 2, axis=0), axis=-1).mean(axis=-1)
        return bent

    return mean_of_known(np.maximum(bends(colours) - bends(target), 0.0))


def colour_steps(colours: np.ndarray, target: np.ndarray) -> np.ndarray:
    """How differently colours (T, patches, 3) change from frame to frame than those of the target: (T - 1,)."""
    apart: np.ndarray = np.linalg.norm(np.diff(colours - target, axis=0), axis=-1).mean(axis=-1)
    return apart


def colour_drift(colours: np.ndarray, target: np.ndarray) -> float:
    """How differently colours (T, patches, 3) change from the first third of the frames to the last than those of the
    target; NaN for fewer than three frames."""
    apart, third = colours - target, len(colours) // 3
    if not third:
        return math.nan
    return mean_of_known(np.linalg.norm(apart[-third:].mean(axis=0) - apart[:third].mean(axis=0), axis=-1))


def frozen_share(frames: np.ndarray, target: np.ndarray) -> float:
    """Share of the steps in which the target moves and the frames, uint8 (T, h, w, 3), do not; NaN where the target
    never moves."""
    ours, theirs = (
        np.array([mean_level(cv2.absdiff(*two)) for two in zip(clip[1:], clip[:-1], strict=True)])
        for clip in (frames, target)
    )
    moving = theirs >= MOVING
    return float((ours < STILL * theirs)[moving].mean()) if moving.any() else math.nan


def measure(observation: Observation) -> list[Measured]:
    result, target = observation.result, observation.target
    measured = [Measured(name, math.nan) for name in ("flicker", "seam", "drift")]
    if (truth := target.truth) is not None:
        errors, steps = steps_of_error(result.frames, truth.frames, truth.expected)
        measured = [
            Measured("flicker", flicker(result.frames, truth.frames)),
            Measured("seam", largest_jump(steps, LEAST_LEVELS)),
            Measured("drift", last_less_first(errors)),
        ]
    colours, others = patch_colours(result.descriptors), patch_colours(target.clip.descriptors)
    return [
        *measured,
        Measured("face_flicker", colour_flicker(colours, others)),
        Measured("face_seam", largest_jump(colour_steps(colours, others), LEAST_COLOUR)),
        Measured("face_drift", colour_drift(colours, others)),
        Measured("frozen", frozen_share(result.frames, target.clip.frames)),
    ]
