"""Figures of a long clip: seams between its segments, flicker, landmarks, and drift from its start to its end.

All are measured against drawn frames, which removes their motion: the figures are of the change of a frame's *error*,
and of the motion beyond that of the truth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain, pairwise

import numpy as np

from followyouremoji.benchmark.metrics.identity import IdentityScale, describe
from followyouremoji.benchmark.metrics.regions import landmark_error, region_masks
from followyouremoji.benchmark.statistics import bootstrap_interval
from followyouremoji.errors import FaceNotFound
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.easing import smooth_step
from followyouremoji.portraits import Performance, expressive_motion
from followyouremoji.sampling.settings import SamplingSettings

EVERY = 5  # frames: how often the detector looks and the identity is described
ENDS = 100  # frames of the beginning that come again at the end
LED_BACK = 12  # frames before that in which the motion goes to where it began


def repeating_motion(seed: int, frames: int, frame_rate: float, ends: int = ENDS) -> list[Performance]:
    """A motion whose last `ends` frames are its first ones again, reached without a jump, so that their difference is
    drift.

    Clips of fewer than three times `ends` have no such repetition.
    """
    motion = expressive_motion(np.random.default_rng(seed), frames, frame_rate)
    if frames < 3 * ends:
        return motion
    for place, t in enumerate(np.arange(1, LED_BACK + 1) / (LED_BACK + 1)):
        at = frames - ends - LED_BACK + place
        motion[at] = between(motion[at], motion[0], float(smooth_step(t)))
    return [*motion[: frames - ends], *motion[:ends]]


def between(first: Performance, second: Performance, weight: float) -> Performance:
    """`first` where `weight` is 0, `second` where it is 1."""

    def mixed(a: object, b: object) -> tuple[float, ...]:
        return tuple(((1.0 - weight) * np.asarray(a) + weight * np.asarray(b)).tolist())

    yaw, pitch, roll, scale = mixed(
        (first.yaw, first.pitch, first.roll, first.scale),
        (second.yaw, second.pitch, second.roll, second.scale),
    )
    right, left = (mixed(a, b) for a, b in zip(first.gaze, second.gaze, strict=True))
    x, y = mixed(first.shift, second.shift)
    return replace(
        first,
        controls=mixed(first.controls, second.controls),
        gaze=((right[0], right[1]), (left[0], left[1])),
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        scale=scale,
        shift=(x, y),
    )


def seams(sampling: SamplingSettings, frames: int) -> np.ndarray:
    """Which steps from one frame to the next cross a border between frames that were generated in different segments or
    windows.

    A step is a seam where one of its frames was known when the other was generated, or where a window begins or ends.
    Returns bool (frames - 1,).
    """
    crossed = np.zeros(max(frames - 1, 0), bool)
    for segment in chain.from_iterable(sampling.levels(frames)):
        for (a, a_known), (b, b_known) in pairwise(zip(segment.frames, segment.known, strict=True)):
            if b == a + 1:
                crossed[a] |= a_known or b_known
        for window in sampling.windows(len(segment.frames)):
            for edge in (window.start, window.stop):
                if 0 < edge < len(segment.frames):
                    crossed[segment.frames[edge - 1]] = True
    return crossed


@dataclass(frozen=True)
class LongScores:
    """Figures of one long clip, a value a frame or a step. Differences are means over the face's oval, in [0, 1]
    values.

    Attributes
    ----------
    error : (T,) difference from the truth.
    moved, truth_moved, error_moved : (T - 1,) difference from the frame before: of the result, of the truth, and of the
        result's error.
    shaken : (T - 2,) by how much the second difference exceeds that of the truth, over the whole picture.
    landmarks : (T,) error of the detected landmarks, in distances between the pupils; NaN where nothing was looked for
        or found.
    identity : (T,) similarity with the true drawings; NaN alike.
    """

    error: np.ndarray
    moved: np.ndarray
    truth_moved: np.ndarray
    error_moved: np.ndarray
    shaken: np.ndarray
    landmarks: np.ndarray
    identity: np.ndarray

    def seam_ratio(self, crossed: np.ndarray) -> float:
        """Difference across seams over that inside segments, each relative to the truth's own difference there; 1 is no
        seam at all."""
        across = self.moved[crossed].mean() / self.truth_moved[crossed].mean()
        return float(across / (self.moved[~crossed].mean() / self.truth_moved[~crossed].mean()))

    def seam_error_ratio(self, crossed: np.ndarray) -> float:
        """The same of the change of the error, from which the truth's own motion is subtracted pixel by pixel."""
        return float(self.error_moved[crossed].mean() / self.error_moved[~crossed].mean())

    def drift(self, ends: int = ENDS) -> tuple[float, float, float]:
        """Mean identity of the last `ends` frames less that of the first, which show the same motion, and its 95 %
        interval.

        NaN where the clip has no repetition.
        """
        if len(self.identity) < 3 * ends:
            return float("nan"), float("nan"), float("nan")
        difference = self.identity[-ends:] - self.identity[:ends]
        return float(np.nanmean(difference)), *bootstrap_interval(difference)


def measure(
    results: Iterable[np.ndarray],
    truth: np.ndarray,
    points: np.ndarray,
    person: np.ndarray,
    detector: FaceDetector,
    scale: IdentityScale,
    ends: int = ENDS,
) -> LongScores:
    """Measure frames as they come; none is kept longer than two others.

    Parameters
    ----------
    results : uint8 (S, S, 3) each, as many as the truth has.
    truth, points : uint8 (T, S, S, 3) and its landmarks (T, 478, 2); may be mapped from a file.
    person : the descriptor of the true drawings, see `identity.describe`.
    """
    frames, size = len(truth), (truth.shape[2], truth.shape[1])
    series: dict[str, list[float]] = {name: [] for name in LongScores.__dataclass_fields__}
    before: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # result, truth, face of up to two frames
    for frame, picture in enumerate(results):
        result, true = picture.astype(np.float32) / 255, truth[frame].astype(np.float32) / 255
        face = region_masks(points[frame], size)["face"]
        series["error"].append(difference(result, true, face))
        if before:
            earlier, earlier_true, earlier_face = before[-1]
            both = face & earlier_face
            series["moved"].append(difference(result, earlier, both))
            series["truth_moved"].append(difference(true, earlier_true, both))
            series["error_moved"].append(difference(result - true, earlier - earlier_true, both))
        if len(before) == 2:
            (first, first_true, _), (second, second_true, _) = before
            bend = np.abs(result - 2 * second + first) - np.abs(true - 2 * second_true + first_true)
            series["shaken"].append(float(np.maximum(bend, 0.0).mean()))
        # the same moments at both ends
        looked_at = frame % EVERY == 0 if frame < frames - ends else (frame - frames + ends) % EVERY == 0
        found = found_points(detector, picture) if looked_at else np.full((478, 2), np.nan)
        series["landmarks"].append(landmark_error(found, points[frame]))
        likeness = scale.similarity(person, describe(picture, points[frame])) if looked_at else float("nan")
        series["identity"].append(likeness)
        before = [*before, (result, true, face)][-2:]
    return LongScores(**{name: np.array(values) for name, values in series.items()})


def difference(first: np.ndarray, second: np.ndarray, where: np.ndarray) -> float:
    """Mean absolute difference of pictures float (h, w, 3) where a mask (h, w) is set; NaN for an empty one."""
    return float(np.abs(first - second)[where].mean()) if where.any() else float("nan")


def found_points(detector: FaceDetector, picture: np.ndarray) -> np.ndarray:
    """The detector's landmarks (478, 2) in pixels; all NaN where it finds no face."""
    try:
        return detector.detect(picture).points
    except FaceNotFound:
        return np.full((478, 2), np.nan, np.float32)
