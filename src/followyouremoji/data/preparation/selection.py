"""Which frames of a surveyed clip become training clips, and how they are cropped: pure functions, no picture is
needed.

Every frame that is left out has one reason, the first that applies in the order of `Reason`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from followyouremoji.data.preparation.settings import Cutting, PrepareSettings
from followyouremoji.data.preparation.survey import Survey
from followyouremoji.media.cropping import HEAD_SHIFT, Crop


class Reason(StrEnum):
    """Why a frame or a piece is left out, in the order in which reasons are looked for."""

    NO_FACE = "no face"
    RARELY_FOUND = "face seen in too little of the scene"
    SMALL_FACE = "face too small"
    TURNED = "head turned too far"
    OUTSIDE = "face partly outside the picture"
    NO_ROOM = "no room for a margin"
    FROZEN = "frozen picture"
    DUPLICATE = "repeated frame"
    TOO_SHORT = "piece too short"
    BLURRED = "blurred"
    UNCONFIRMED = "not confirmed by a second detector"
    SECOND_FACE = "second face in the crop"


@dataclass(frozen=True)
class Piece:
    """Frames of a clip that show one face without a break, and the one square that is cut from all of them.

    `frames` are rising indices; repeated frames are skipped.
    """

    frames: np.ndarray
    crop: Crop


@dataclass(frozen=True)
class Selection:
    """The pieces of a clip; for every frame the reason why it is left out, "" where it is in a piece; and how many
    pieces each reason took, of those that concern pieces."""

    pieces: tuple[Piece, ...]
    reasons: np.ndarray
    dropped_pieces: Mapping[str, int]


def select_pieces(survey: Survey, settings: PrepareSettings) -> Selection:
    """Cut a clip into pieces and leave out what the filters do not let pass."""
    reasons = frame_reasons(survey, settings)
    boxes = survey.boxes
    pieces: list[Piece] = []
    dropped: Counter[str] = Counter()
    for run in unbroken_runs(survey.scenes, boxes, reasons, settings.cutting.overlap):
        for part in divided(run, boxes, settings.cutting, min(survey.size) / settings.least_margin):
            crop = stable_crop(boxes[part], survey.size, settings.margin, settings.least_margin)
            if len(part) < settings.filters.min_frames or crop is None:
                reason = Reason.TOO_SHORT
            elif float(np.median(survey.sharpness[part])) < settings.filters.sharpness:
                reason = Reason.BLURRED
            else:
                pieces.append(Piece(part, crop))
                continue
            reasons[part] = reason
            dropped[reason] += 1
    return Selection(tuple(pieces), reasons, dropped)


def frame_reasons(survey: Survey, settings: PrepareSettings) -> np.ndarray:
    """Why each frame by itself is left out, ``(T,)`` text; "" where nothing is wrong with it."""
    filters = settings.filters
    reasons = np.full(len(survey), "", dtype=object)
    points = survey.points
    beyond = ((points < 0) | (points > survey.size)).any(axis=2).mean(axis=1)
    turned = (np.abs(survey.angles) > (filters.yaw, filters.pitch, filters.roll)).any(axis=1)
    rarely = np.zeros(len(survey), bool)
    for scene in np.unique(survey.scenes):
        frames = survey.scenes == scene
        rarely[frames] = survey.found[frames].mean() < filters.found_share
    repeated = survey.change < filters.duplicate
    applies = {
        Reason.NO_FACE: ~survey.found,
        Reason.RARELY_FOUND: rarely,
        Reason.SMALL_FACE: survey.face_sizes < filters.face_size,
        Reason.TURNED: turned,
        Reason.OUTSIDE: beyond > filters.outside,
        Reason.NO_ROOM: survey.face_sizes * settings.least_margin > min(survey.size),
        Reason.FROZEN: _in_long_runs(repeated, filters.frozen_frames),
        Reason.DUPLICATE: repeated,
    }
    for reason in reversed(applies):  # the first reason is written last
        reasons[applies[reason]] = reason
    return reasons


def _in_long_runs(flags: np.ndarray, longest: int) -> np.ndarray:
    """Which of the flags ``(T,)`` stand in runs of more than `longest`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    result = np.zeros(len(flags), bool)
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        result[first:after] = after - first > longest
    return result


def unbroken_runs(
    scenes: np.ndarray, boxes: np.ndarray, reasons: np.ndarray, overlap: float
) -> list[np.ndarray]:
    """Runs of usable frames, as arrays of indices: of one scene, nothing but repeated frames left out between, and each
    face overlapping the one before."""
    runs: list[list[int]] = []
    open_run = False
    for frame in range(len(scenes)):
        if reasons[frame] == Reason.DUPLICATE:
            continue
        if reasons[frame]:
            open_run = False
            continue
        last = runs[-1][-1] if open_run else None
        if last is None or scenes[last] != scenes[frame] or box_overlap(boxes[last], boxes[frame]) < overlap:
            runs.append([])
        runs[-1].append(frame)
        open_run = True
    return [np.array(run) for run in runs]


def box_overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.maximum(high - low, 0.0)))
    areas = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return shared / max(areas - shared, 1e-9)


def divided(run: np.ndarray, boxes: np.ndarray, cutting: Cutting, room: float) -> list[np.ndarray]:
    """A run cut where the head has moved further than one crop holds, which is at most `room` pixels, and evenly where
    it is too long."""
    parts: list[np.ndarray] = []
    first, sides = 0, 0.0
    low, high = boxes[run[0]][:2], boxes[run[0]][2:]
    for place, frame in enumerate(run):
        box = boxes[frame]
        low, high = np.minimum(low, box[:2]), np.maximum(high, box[2:])
        side = float((box[2:] - box[:2]).max())
        usual = (sides + side) / (place - first + 1)
        if float((high - low).max()) > min(cutting.travel * usual, room) and place > first:
            parts.append(run[first:place])
            first, sides = place, 0.0
            low, high = box[:2], box[2:]
        sides += side
    parts.append(run[first:])
    return [piece for part in parts for piece in np.array_split(part, -(-len(part) // cutting.max_frames))]


def stable_crop(boxes: np.ndarray, size: tuple[int, int], margin: float, least_margin: float) -> Crop | None:
    """The one square that holds a face in all frames: it stands still, so that the background does, and the head moves
    inside it.

    Parameters
    ----------
    boxes : ``(T, 4)`` pixels, the faces of a piece
    size : (width, height) of the picture
    margin : side over the median of the faces' longer sides; made larger where the head moves, smaller where the
        picture ends
    least_margin : side over that of the box around all faces, at least

    Returns
    -------
    Crop : wholly inside the picture; centred above the faces' centre as `media.cropping.face_crop` does, as far as
        there is room. None where a square with the least margin does not fit.
    """
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    extents = boxes[:, 2:] - boxes[:, :2]
    least = least_margin * float((high - low).max())
    side = min(max(margin * float(np.median(extents.max(axis=1))), least), float(min(size)))
    if side < least:
        return None
    centre = (low + high) / 2.0
    centre[1] -= HEAD_SHIFT * float(np.median(extents[:, 1]))
    corner = np.clip(centre - side / 2.0, 0.0, np.array(size) - side)
    return Crop(float(corner[0]), float(corner[1]), side)
