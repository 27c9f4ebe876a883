"""A face followed through a clip: its motion, and what is done about frames that do not show it whole.

Short gaps are interpolated. Where a face leaves for longer, its last *whole* pose is held: in the frames before, while
it crosses the edge of the picture, a tracker only imagines the part that is outside, and what it imagines is distorted.
The face comes to rest in the held pose and sets off from it again, without a jerk.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import FaceNotFound
from .detection import FaceDetector, Landmarks
from .easing import smooth_step
from .motion import Motion
from .topology import N_LANDMARKS, N_MESH

BRIDGED_SECONDS = 0.5
"""Longest time without a face that interpolation bridges."""

EASED_SECONDS = 0.4
"""Time in which a face comes to rest in a held pose, and leaves it."""

SOUGHT_SECONDS = 1.5
"""How far from a long gap a whole pose is looked for; further away the frame beside the gap is held."""

WHOLE = 0.97
"""Share of a whole face's mesh that lies inside the picture."""

ELSEWHERE = 1.0
"""A face that is found again further away than this, in sides of its box, is shown there at once, as after a cut."""


@dataclass(frozen=True)
class Gap:
    """Frames without a face: `first` to `last`, both included, from `start` on for `seconds`."""

    first: int
    last: int
    start: float
    seconds: float


@dataclass(frozen=True)
class TrackingReport:
    """What was done about frames without a whole face, and how the clip lay.

    Attributes
    ----------
    bridged : short gaps, interpolated
    held : long gaps, in which the last whole pose is held, or at the start the first
    quarter_turns : of the clip's pictures, counter-clockwise, before its face was looked for
    doubtful : whether its first face cannot be trusted, see `orientation.disagreement`
    """

    bridged: tuple[Gap, ...] = ()
    held: tuple[Gap, ...] = ()
    quarter_turns: int = 0
    doubtful: bool = False

    def __str__(self) -> str:
        """One line for the user for each thing done; empty if there is none."""
        lines = []
        if self.quarter_turns:
            lines.append(f"The face {lies(self.quarter_turns)} in this clip: it was turned upright.")
        if self.doubtful:
            lines.append(
                "What was found in this clip may be no face, or one that is hard to read: look at a preview of the landmarks."
            )
        lines += [_gap_line(gap, "filled by interpolation") for gap in self.bridged]
        lines += [
            _gap_line(gap, f"the {'first' if gap.first == 0 else 'last'} whole pose is held")
            for gap in self.held
        ]
        return "\n".join(lines)


def lies(quarter_turns: int) -> str:
    """How a picture lies that so many counter-clockwise quarter turns bring upright, after "the face"."""
    return "is upside down" if quarter_turns == 2 else "lies on its side"


def _gap_line(gap: Gap, remedy: str) -> str:
    return f"No face from {gap.start:.2f} s for {gap.seconds:.2f} s (frames {gap.first} to {gap.last}): {remedy}."


def track_motion(
    clip: Iterable[tuple[float, np.ndarray]],
    frame_rate: float,
    detector: FaceDetector,
    source: str,
    face: int | None = None,
    any_turn: bool = False,
) -> tuple[Motion, TrackingReport]:
    """Follow a face through a clip.

    Parameters
    ----------
    clip : (seconds, RGB picture) pairs, read one at a time
    frame_rate : frames a second
    detector : finds the faces; with a bundle the motion has blendshape scores
    source : the clip's name, for messages
    face : which face from left to right, counted from 1; None for the largest
    any_turn : the clip may lie on its side or stand on its head; the motion is then that of the clip turned upright

    Returns
    -------
    The motion, and what was done about frames without a whole face: gaps of up to half a second between two faces are
    interpolated, longer ones and the end hold the last whole pose, the start holds the first.

    Raises
    ------
    FaceNotFound
        No frame has a face, or the first one with faces has fewer than `face`.
    """
    times: list[float] = []

    def pictures() -> Iterator[np.ndarray]:
        for time, picture in clip:
            times.append(time)
            yield picture

    seen = list(detector.track(pictures(), face, any_turn))
    if not any(seen):
        raise FaceNotFound(
            f"No face was found in {source} ({len(seen)} frames). Use a clip in which one face is well visible."
        )
    return motion_of(seen, np.array(times, np.float64), frame_rate, source)


def motion_of(
    seen: list[Landmarks | None], times: np.ndarray, frame_rate: float, source: str
) -> tuple[Motion, TrackingReport]:
    """The motion of what was seen in each frame, None where nothing was; parameters and result as of `track_motion`."""
    found = np.array([face is not None for face in seen])
    known = np.flatnonzero(found)
    faces = [face for face in seen if face is not None]
    landmarks = np.zeros((len(seen), N_LANDMARKS, 3), np.float32)
    landmarks[known] = [face.normalised for face in faces]
    scores = [face.blendshapes for face in faces if face.blendshapes is not None]
    blendshapes = None
    if len(scores) == len(known):
        blendshapes = np.zeros((len(seen), 52), np.float32)
        blendshapes[known] = scores

    bridged: list[Gap] = []
    held: list[Gap] = []
    trusted = found.copy()
    pixels = np.array([*faces[0].size, faces[0].size[0]], np.float32)
    whole = found & (share_inside(landmarks) >= WHOLE)
    all_values = [landmarks] if blendshapes is None else [landmarks, blendshapes]
    seen_values = [values.copy() for values in all_values]
    for gap in _gaps(found, times, frame_rate):
        if gap.first > 0 and gap.last + 1 < len(seen) and gap.seconds <= BRIDGED_SECONDS:
            bridged.append(gap)
            for values in all_values:
                _interpolate(values, times, gap)
        else:
            held.append(gap)
            pose, filled = _held_pose(whole, gap, max(1, round(SOUGHT_SECONDS * frame_rate)))
            trusted[filled] = False
            returns = filled.stop < len(seen) and _near(
                landmarks[pose] * pixels, landmarks[filled.stop] * pixels
            )
            for values, own in zip(all_values, seen_values, strict=True):
                _hold(values, own[pose], pose, filled, round(EASED_SECONDS * frame_rate), returns)
    first = faces[0]
    motion = Motion(
        landmarks, times, frame_rate, first.size, source, trusted, blendshapes, first.quarter_turns
    )
    report = TrackingReport(tuple(bridged), tuple(held), first.quarter_turns, first.doubtful)
    return motion, report


def share_inside(landmarks: np.ndarray) -> np.ndarray:
    """``(T,)``: of normalised landmarks ``(T, 478, 3)``, the share of the mesh that lies inside the picture."""
    mesh = landmarks[:, :N_MESH, :2]
    inside: np.ndarray = ((mesh >= 0) & (mesh <= 1)).all(axis=-1).mean(axis=1)
    return inside


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two poses (478, 3), pixels, are near enough to lead over from one to the other."""
    side = float(np.ptp(one[:, :2], axis=0).max())
    return float(np.linalg.norm((one - other)[:, :2], axis=-1).mean()) <= ELSEWHERE * max(side, 1e-6)


def _gaps(found: np.ndarray, times: np.ndarray, frame_rate: float) -> list[Gap]:
    edges = np.diff(np.concatenate([[True], found, [True]]).astype(int))
    gaps = []
    for first, after in zip(np.flatnonzero(edges < 0), np.flatnonzero(edges > 0), strict=True):
        last = int(after) - 1
        seconds = float(times[last] - times[first]) + 1.0 / frame_rate
        gaps.append(Gap(int(first), last, float(times[first]), seconds))
    return gaps


def _interpolate(values: np.ndarray, times: np.ndarray, gap: Gap) -> None:
    missing = slice(gap.first, gap.last + 1)
    start, end = gap.first - 1, gap.last + 1
    share = (times[missing] - times[start]) / max(times[end] - times[start], 1e-9)
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    values[missing] = (1 - share) * values[start] + share * values[end]


def _held_pose(whole: np.ndarray, gap: Gap, reach: int) -> tuple[int, slice]:
    """The frame whose pose is held, and the frames that show it instead of their own."""
    after = gap.last + 1
    if after < len(whole):
        after += _first(whole[after : after + reach])
    if gap.first == 0:
        return after, slice(0, after)
    pose = gap.first - 1 - _first(whole[max(0, gap.first - reach) : gap.first][::-1])
    return pose, slice(pose + 1, after)


def _first(whole: np.ndarray) -> int:
    """The first frame that shows a whole face, 0 where none does."""
    return int(whole.argmax())


def _hold(values: np.ndarray, pose: np.ndarray, at: int, filled: slice, eased: int, returns: bool) -> None:
    """Show the `pose` of frame `at` in the `filled` frames of `values` (T, ...), and lead over to it before them and,
    where it `returns`, from it after them."""
    values[filled] = pose
    if at < filled.start:
        start = max(0, at - eased)
        _mix(values[start:at], pose, smooth_step(np.arange(start, at), at - eased, at))
    if returns:
        back = values[filled.stop : filled.stop + eased]
        _mix(back, pose, 1.0 - smooth_step(np.arange(1, len(back) + 1), 0, eased + 1))


def _mix(values: np.ndarray, pose: np.ndarray, share: np.ndarray) -> None:
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    values[:] = (1.0 - share) * values + share * pose
