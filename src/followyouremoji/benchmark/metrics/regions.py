"""Figures of a generated picture, as pure functions. Pictures are uint8 (height, width, 3) RGB; points are
(478, 2) pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from followyouremoji.face.drawing import face_mask
from followyouremoji.face.gaze import eye_openings
from followyouremoji.face.topology import (
    LEFT_EYE_LOOP,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    LEFT_IRIS,
    OUTER_LIPS_LOOP,
    RIGHT_EYE_LOOP,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
    RIGHT_IRIS,
)

REGION_MARGIN = (
    0.1  # of the distance between the pupils: what belongs to the eyes and the mouth around their contours
)
EYES = ((RIGHT_EYE_UPPER, RIGHT_EYE_LOWER, RIGHT_IRIS), (LEFT_EYE_UPPER, LEFT_EYE_LOWER, LEFT_IRIS))
EYE_PIXELS = 40  # an eye's width where irises are searched for
IRIS_REACH, IRIS_SEARCH = (
    0.3,
    0.3,
)  # of the eye's width: how far the iris's surroundings reach, and how far away they are searched for
SAME_SIZE = 1.5  # factor between the sizes of one face, as found and as it is
OPEN_EYE = 0.15  # an eye whose lids are nearer than this fraction of its width shows no gaze


def pupil_distance(points: np.ndarray) -> float:
    """Pixels between the irises' centres."""
    return float(np.linalg.norm(points[LEFT_IRIS].astype(np.float64) - points[RIGHT_IRIS]))


def region_masks(
    points: np.ndarray, size: tuple[int, int], names: Sequence[str] = ("face", "eyes", "mouth")
) -> dict[str, np.ndarray]:
    """Where the `face` is, its oval filled, and the `eyes` and the `mouth` with a margin: bool (height, width)."""
    masks = {}
    margin = max(1, round(REGION_MARGIN * pupil_distance(points)))
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    loops = {"eyes": (RIGHT_EYE_LOOP, LEFT_EYE_LOOP), "mouth": (OUTER_LIPS_LOOP,)}
    for name in names:
        if name == "face":
            masks[name] = face_mask(points, size)
            continue
        mask = np.zeros((size[1], size[0]), np.uint8)
        for loop in loops[name]:
            cv2.fillPoly(mask, [np.rint(points[list(loop)]).astype(np.int32)], (1,))
        masks[name] = cv2.dilate(mask, kernel).astype(bool)
    return masks


def l1_by_region(picture: np.ndarray, truth: np.ndarray, truth_points: np.ndarray) -> dict[str, float]:
    """Mean absolute difference of values in [0, 1], all three channels: of the `picture` and of each region of the
    truth.

    NaN for a region that lies outside the picture.
    """
    masks = region_masks(truth_points, (truth.shape[1], truth.shape[0]))
    difference = cv2.absdiff(picture, truth)
    inside = {name: mean_level(difference, mask) for name, mask in masks.items()}
    return {**inside, "picture": mean_level(difference)}


def mean_level(difference: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean of the values (h, w, 3) in levels of 255, where a mask bool (h, w) is set, in levels of 1; NaN where it is
    empty."""
    if mask is not None and not mask.any():
        return float("nan")
    inside = None if mask is None else mask.view(np.uint8)
    return float(np.mean(cv2.mean(difference, inside)[:3])) / 255


def landmark_error(points: np.ndarray, wanted: np.ndarray) -> float:
    """Mean distance of the 478 points to where they should be, in distances between the (wanted) pupils; NaN where
    there are none."""
    return float(np.linalg.norm(points.astype(np.float64) - wanted, axis=-1).mean() / pupil_distance(wanted))


def of_the_face(points: np.ndarray, truth_points: np.ndarray) -> np.ndarray:
    """Detected points, or all NaN where they lie elsewhere than on the face: on a texture that looks like one, say.

    It is the face if its middle is at most a distance between the pupils away from the true one, and its size within a
    factor of `SAME_SIZE`.
    """
    pupils = pupil_distance(truth_points)
    shift = float(np.linalg.norm(points.mean(axis=0) - truth_points.mean(axis=0))) / pupils
    size = float(np.linalg.norm(np.ptp(points, axis=0)) / np.linalg.norm(np.ptp(truth_points, axis=0)))
    same = shift <= 1 and 1 / SAME_SIZE <= size <= SAME_SIZE  # false for NaN
    return points if same else np.full_like(points, np.nan)


def iris_shifts(
    picture: np.ndarray, truth: np.ndarray, points: np.ndarray, seen: np.ndarray, truth_points: np.ndarray
) -> np.ndarray:
    """How far the right and the left iris are from their true places in the eyes: (2, 2) widths of the eye, along it
    (to the picture's right) and across it (down).

    Landmark detectors follow a drawn gaze only in part, so irises are found by their looks: the surroundings of the
    true iris are searched for by normalised cross-correlation, around its true position. A shift of the whole eye does
    not count as gaze: the shift of its corners, as detected in both pictures, is subtracted.

    Parameters
    ----------
    picture, truth : luma, float32 (h, w)
    points, seen : (478, 2) what the detector finds in `picture` and in `truth`
    truth_points : (478, 2) of the truth

    Returns
    -------
    -`IRIS_SEARCH` to `IRIS_SEARCH`; NaN for an eye that is closed in truth, and where the detector found no face in one
    of the pictures.
    """
    shifts = np.full((2, 2), np.nan)
    if not np.isfinite(points).all() or not np.isfinite(seen).all():
        return shifts
    opened = eye_openings(truth_points[None].astype(np.float64))[0] >= OPEN_EYE
    reach, search = round(IRIS_REACH * EYE_PIXELS), round(IRIS_SEARCH * EYE_PIXELS)
    for eye in np.flatnonzero(opened):
        upper, _, iris = EYES[eye]
        corners = [upper[0], upper[-1]]
        along = np.diff(truth_points[corners], axis=0)[0].astype(np.float64)
        width = max(float(np.linalg.norm(along)), 1e-6)
        along *= np.sign(along[0]) / width if along[0] else 1 / width
        shift = (points[corners] - seen[corners]).mean(axis=0)
        wanted = cut_around(truth, truth_points[iris], EYE_PIXELS / width, reach)
        field = cut_around(picture, truth_points[iris] + shift, EYE_PIXELS / width, reach + search)
        moved = (_peak(cv2.matchTemplate(field, wanted, cv2.TM_CCOEFF_NORMED)) - search) / EYE_PIXELS
        shifts[eye] = moved @ along, moved @ (-along[1], along[0])
    return shifts


def _peak(likeness: np.ndarray) -> np.ndarray:
    """Where (x, y) a map is largest, between its places by the parabola through the largest and its neighbours."""
    row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
    place = np.array([column, row], np.float64)
    if likeness[row, column] > 1 - 1e-4:  # equal but for rounding: exactly there
        return place
    for axis, line in enumerate((likeness[row], likeness[:, column])):
        at = int(place[axis])
        if 0 < at < len(line) - 1:
            before, here, after = line[at - 1 : at + 2].astype(np.float64)
            bend = before - 2 * here + after
            place[axis] += 0.5 * (before - after) / bend if bend < 0 else 0.0
    return place


def cut_around(luma: np.ndarray, centre: np.ndarray, scale: float, reach: int) -> np.ndarray:
    """The square of 2 reach + 1 pixels around a place of a picture float32 (h, w), magnified by `scale`."""
    offset = reach + 0.5 - scale * centre
    matrix = np.array([[scale, 0.0, offset[0]], [0.0, scale, offset[1]]])
    matrix[:, 2] += 0.5 * scale - 0.5  # OpenCV counts from pixel centres
    size = (2 * reach + 1, 2 * reach + 1)
    return cv2.warpAffine(luma, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def flicker(frames: np.ndarray, truth: np.ndarray) -> float:
    """How much more a clip flickers than its truth, in [0, 1] values: 0 for the truth, and for a still picture.

    The mean over pixels of the excess of the absolute second temporal difference of the frames, uint8 (T, h, w, 3),
    over that of the truth.
    """

    def second_difference(clip: np.ndarray, frame: int) -> np.ndarray:
        before, here, after = clip[frame - 1 : frame + 2].astype(np.int16)
        return np.abs(before - 2 * here + after)

    excesses = [
        np.maximum(second_difference(frames, frame) - second_difference(truth, frame), 0).mean()
        for frame in range(1, len(frames) - 1)
    ]
    return float(np.mean(excesses)) / 255 if excesses else float("nan")
