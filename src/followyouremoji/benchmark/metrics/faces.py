"""Whether the face does what it should, frame by frame, by the landmarks that the detector finds: landmark accuracy,
expression distance (AED), head-pose distance (APD)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from followyouremoji.benchmark.metrics.metric import Measured, Metric
from followyouremoji.benchmark.metrics.pictures import mean_of_known
from followyouremoji.face.geometry import MetricFaces, angles_of, rotations_and_scales
from followyouremoji.face.neutral import expression_scores
from followyouremoji.face.regions import REGIONS
from followyouremoji.face.topology import (
    INNER_LIPS_LOOP,
    LEFT_EYE_CORNERS,
    LEFT_IRIS,
    RIGHT_EYE_CORNERS,
    RIGHT_IRIS,
    mean_face,
)

if TYPE_CHECKING:
    from followyouremoji.benchmark.observation import Observation

EXPRESSIVE_POINTS = np.array((*REGIONS["brows"], *REGIONS["eyes"], *INNER_LIPS_LOOP, RIGHT_IRIS, LEFT_IRIS))
"""The 74 points of the papers' expression-aware landmarks: brows, lids, inner lips, pupils. The face's outline and nose
follow the head alone, and would let a face without expression score."""
THRESHOLDS = np.arange(1, 21) / 100
"""Of the accuracy's curve, in distances between the pupils."""
MAIN_THRESHOLD = 0.05
"""2.6 pixels at the papers' 256: half of what face alignment calls a failure (0.1), above the detector's own trembling
and a shift by a pixel (0.02), and below the lag of a few frames. A portrait that is only copied keeps 5 to 27 % of the
points there, and one that follows the driver four frames late 23 to 77 %, on eight drawn clips."""
PARTS = ("brows", "eyes", "mouth")
RESTING_SHARE = 0.25
"""Of the frames: those of the most relaxed face, whose median is a face's rest. Single frames tremble, and a median of
all frames hides what an expression does for most of the clip."""
PUPIL_DISTANCE_CM = float(
    np.linalg.norm(
        mean_face()[list(RIGHT_EYE_CORNERS)].mean(axis=0) - mean_face()[list(LEFT_EYE_CORNERS)].mean(axis=0)
    )
)
"""Of the mean face, between the middles of the eyes: the unit of expressions in canonical space."""

_MOTION = ("lag", "frozen frames", "late smile")

METRICS = (
    Metric("found", "face found", "more", 3, "Share of the frames in which the detector finds the face where it should be.",
           sees=("lost face",)),
    Metric("landmark_accuracy", "landmark accuracy, %", "more", 2,
           "Share of the 74 points of brows, lids, inner lips and pupils within 0.05 pupil distances of where the detector finds them in the truth (cross without truth: of how they move in the driving aligned to the portrait); without a face found, none is.",
           paper=True, sees=(*_MOTION, "still mouth", "lost face")),
    Metric("landmark_auc", "landmark AUC, %", "more", 2,
           "The same at thresholds of 0.01 to 0.20 pupil distances, averaged: the area under the curve.",
           sees=(*_MOTION, "still mouth", "lost face")),
    Metric("landmark_error", "landmark error, %", "less", 2,
           "Mean distance of these points from there, in % of the pupil distance, over the frames whose face is found.",
           sees=(*_MOTION, "still mouth")),
    Metric("aed", "AED, %", "less", 2,
           "Expression distance: how far brows, lids and lips are displaced from the face's own rest otherwise than in the truth (or the driving), head pose and face shape taken out, in % of the pupil distance.",
           sees=(*_MOTION, "still mouth")),
    Metric("aed_brows", "AED brows, %", "less", 2, "AED of the brows.", sees=("lag", "frozen frames")),
    Metric("aed_eyes", "AED lids, %", "less", 2, "AED of the lids.", sees=("lag", "frozen frames")),
    Metric("aed_mouth", "AED mouth, %", "less", 2, "AED of the lips.", sees=(*_MOTION, "still mouth")),
    Metric("apd", "APD, degrees", "less", 2,
           "Head-pose distance: the angle by which the head is turned from the truth's (or the driving's).",
           sees=("lag", "frozen frames")),
    Metric("apd_relative", "APD from the first frame, degrees", "less", 2,
           "The same of the turns since the first frame.", sees=("lag", "frozen frames")),
    Metric("aed_blendshapes", "AED blendshapes", "less", 4,
           "Mean absolute difference of the 51 scores of MediaPipe's bundle from the truth's (or the driving's).",
           needs=("blendshapes",), sees=(*_MOTION, "still mouth")),
)  # fmt: skip


def landmark_distances(points: np.ndarray, wanted: np.ndarray, same_face: bool = True) -> np.ndarray:
    """How far the expressive points are from where they should be, (T, 74) in distances between the pupils: the median
    over the frames, so that the head's turns do not change the unit.

    `points` and `wanted` (T, 478, 2) pixels. Infinite in frames without `points`, NaN in those where nothing is wanted.
    Where what is wanted comes from another face (`same_face` false), nobody knows where exactly head and features
    should rest, and a detector sees each face otherwise: the median offset of each point is taken off, so that points
    count by how they move.
    """
    pupils = np.linalg.norm(wanted[:, LEFT_IRIS] - wanted[:, RIGHT_IRIS], axis=-1)
    known = np.isfinite(pupils)
    apart = np.full((len(points), len(EXPRESSIVE_POINTS)), np.nan)
    if known.any():
        difference = (
            points[known][:, EXPRESSIVE_POINTS].astype(np.float64) - wanted[known][:, EXPRESSIVE_POINTS]
        )
        if not same_face and np.isfinite(difference).any():
            difference -= np.nanmedian(difference, axis=0)
        distances = np.linalg.norm(difference, axis=-1) / np.median(pupils[known])
        apart[known] = np.where(np.isnan(distances), np.inf, distances)
    return apart


def accuracy_curve(distances: np.ndarray) -> np.ndarray:
    """Share of (frame, point) within each of `THRESHOLDS`, (20,) in [0, 1], of distances (T, n); NaN ones do not
    count."""
    known = distances[~np.isnan(distances)]
    if not known.size:
        return np.full(len(THRESHOLDS), np.nan)
    shares: np.ndarray = (known[:, None] <= THRESHOLDS).mean(axis=0)
    return shares


def expression_differences(result: MetricFaces, target: MetricFaces) -> np.ndarray:
    """How differently the mesh points are displaced from each face's own rest: (T, 468) pupil distances, NaN where a
    face is not known.

    Both rests are the medians of the same frames, the quarter in which the target is most relaxed. So what is constant
    drops out, the shape of the faces above all, and the displacement must come in its time. What an expression misses
    from the first frame to the last drops out, too; the landmark accuracy sees that.
    """
    known = np.isfinite(result.vertices).all(axis=(1, 2)) & np.isfinite(target.vertices).all(axis=(1, 2))
    apart = np.full(result.vertices.shape[:2], np.nan)
    if known.any():
        difference = result.vertices[known] - target.vertices[known]
        scores = expression_scores(MetricFaces(target.vertices[known], target.poses[known]))
        resting = np.argsort(scores, kind="stable")[: math.ceil(RESTING_SHARE * len(scores))]
        rest = np.median(difference[resting], axis=0)
        apart[known] = np.linalg.norm(difference - rest, axis=-1) / PUPIL_DISTANCE_CM
    return apart


def pose_differences(result: np.ndarray, target: np.ndarray, relative: bool = False) -> np.ndarray:
    """Degrees between the heads' rotations of poses (T, 4, 4), or between their turns since the first frame in which
    both are known: (T,), NaN where one is not."""
    known = np.isfinite(result).all(axis=(1, 2)) & np.isfinite(target).all(axis=(1, 2))
    degrees = np.full(len(result), np.nan)
    if known.any():
        ours, theirs = (rotations_and_scales(poses[known])[0] for poses in (result, target))
        if relative:
            ours, theirs = (rotations @ rotations[0].T for rotations in (ours, theirs))
        degrees[known] = np.degrees(angles_of(ours @ theirs.transpose(0, 2, 1)))
    return degrees


def measure(observation: Observation) -> list[Measured]:
    result, target = observation.result, observation.target
    wanted, clip = target.wanted, target.clip
    expected = np.isfinite(wanted).all(axis=(1, 2))
    distances = landmark_distances(result.points, wanted, same_face=target.truth is not None)
    curve = accuracy_curve(distances)
    at_main = int(np.argmin(np.abs(THRESHOLDS - MAIN_THRESHOLD)))
    differences = 100 * expression_differences(result.faces, clip.faces)
    everywhere = sorted({point for part in PARTS for point in REGIONS[part]})
    measured = [
        Measured("found", float(result.found[expected].mean()) if expected.any() else math.nan),
        Measured("landmark_accuracy", 100 * float(curve[at_main])),
        Measured("landmark_auc", 100 * float(curve.mean()), curve[None].astype(np.float32)),
        Measured("landmark_error", 100 * mean_of_known(distances[np.isfinite(distances)])),
        Measured("aed", mean_of_known(differences[:, everywhere])),
        *(Measured(f"aed_{part}", mean_of_known(differences[:, list(REGIONS[part])])) for part in PARTS),
        Measured("apd", mean_of_known(pose_differences(result.faces.poses, clip.faces.poses))),
        Measured("apd_relative", mean_of_known(pose_differences(result.faces.poses, clip.faces.poses, True))),
    ]
    if result.blendshapes is not None and clip.blendshapes is not None:
        apart = np.abs(result.blendshapes[:, 1:] - clip.blendshapes[:, 1:])  # the first is `_neutral`
        measured.append(Measured("aed_blendshapes", mean_of_known(apart)))
    return measured
