"""A motion's course in time: where scenes begin, which poses are held, and how an end is joined to its beginning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from followyouremoji.face.easing import smooth_step
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import Loop

CUT = 0.06
"""Share of the face's size that all points move by, on the mean, from one frame to the next where a scene begins."""

ABRUPT = 4.0
"""How many times as far as in the frames around it: a fast turn of the head takes more than one frame."""

FAR, ABRUPT_AND_FAR = 0.5, 2.0
"""The same for a jump of more than half of the face's size, which even a fast head does not make: the liveliest of
seven filmed people moves by 0.28 from one frame to the next."""

GROWN = 0.2
"""Logarithm of a face's growth that is as far; the same person's face grows by 0.04."""

AROUND = 6
"""Frames before and after that a jump is compared with: with the fourth largest movement among them. Where a clip shows
every frame twice, every other frame stands still; and up to three may be other cuts."""

HELD = 1e-3
"""Pixels that points may differ by in a held pose: rounding, no movement."""

JOINED_SECONDS = 0.5
"""The end of a clip that is led back into its beginning; never more than half of the clip."""


@dataclass(frozen=True)
class Timeline:
    """What has to be generated of a clip, and when it is shown.

    A pose that is held over frames is generated once, and so is one that a ping-pong shows again on its way back.

    Attributes
    ----------
    frames : (P,) the frame that each pose is made for, ascending.
    shown : (T,) the pose that each frame shows.
    cuts : poses that begin a scene, ascending, without the first.
    circular : whether the first pose follows the last.
    """

    frames: np.ndarray
    shown: np.ndarray
    cuts: tuple[int, ...] = ()
    circular: bool = False

    def __len__(self) -> int:
        """How many poses there are."""
        return len(self.frames)

    def only(self, poses: np.ndarray) -> Timeline:
        """These poses alone, ascending indices that hold the first of each scene, each shown once."""
        cuts = tuple(int(cut) for cut in np.searchsorted(poses, self.cuts))
        return Timeline(self.frames[poses], np.arange(len(poses)), cuts, self.circular and len(poses) > 1)

    @staticmethod
    def straight(frames: int) -> Timeline:
        """Every frame is a pose of its own, in one scene."""
        return Timeline(np.arange(frames), np.arange(frames))


def timeline(points: np.ndarray, loop: Loop = "off") -> Timeline:
    """The course of aligned landmarks (T, 478, 2), pixels; `loop` says how their motion was closed, see `looped`."""
    forward = len(points) // 2 + 1 if loop == "pingpong" else len(points)
    shown = held_poses(points[:forward])
    frames = np.flatnonzero(np.diff(shown, prepend=-1))
    cuts = tuple(int(shown[cut]) for cut in find_cuts(points[:forward]))
    back = shown[1 : forward - 1][::-1] if forward < len(points) else shown[:0]
    return Timeline(frames, np.concatenate([shown, back]), cuts, loop == "blend" and len(frames) > 1)


def find_cuts(points: np.ndarray, found: np.ndarray | None = None) -> tuple[int, ...]:
    """Frames of landmarks (T, 478, 2) at which the face jumps: another scene, or a face found again elsewhere.

    `found` (T,) says in which frames a face was seen, where that is known. What was filled in between tells nothing: a
    face that comes back is compared with the one that left, and only a far jump counts.
    """
    found = np.ones(len(points), bool) if found is None else found
    seen = np.flatnonzero(found)
    if len(seen) < 2:
        return ()
    # Frame by frame, since the landmarks of a long clip are its largest part in memory.
    moved, grown = np.array([_moved(points[before], points[after]) for before, after in pairwise(seen)]).T
    usual = _usual_around(moved)
    adjacent = np.diff(seen) == 1
    far = (moved > FAR) & (moved > ABRUPT_AND_FAR * usual)
    far |= (grown > GROWN) & (grown > ABRUPT * _usual_around(grown))
    # Two frames alone do not tell what is usual.
    abrupt = (moved > CUT) & (moved > ABRUPT * usual) & adjacent & (len(moved) > 1)
    return tuple(seen[1:][abrupt | far].tolist())


def _usual_around(values: np.ndarray) -> np.ndarray:
    """What is usual around each of the values (N,), none negative: the larger of its two neighbours, and the
    fourth largest of `AROUND` on both sides; near the ends, where there are fewer, the third to the largest."""
    padded = np.pad(values, AROUND, constant_values=-1.0)
    around = np.stack(
        [padded[AROUND + step :][: len(values)] for step in range(-AROUND, AROUND + 1) if step != 0]
    )
    beside = around[AROUND - 1 : AROUND + 1].max(axis=0)
    there = (around >= 0.0).sum(axis=0)
    rank = np.maximum(4 * there // (2 * AROUND), 1)
    ranked: np.ndarray = np.take_along_axis(-np.sort(-around, axis=0), rank[None] - 1, axis=0)[0]
    return np.maximum(np.maximum(beside, ranked), 0.0)


def _moved(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """How far all points (478, 2) move on the mean, as a share of the larger face's size, and how much the face grows
    or shrinks, as a logarithm."""
    sizes = [max(float(np.ptp(points, axis=0).mean()), 1e-9) for points in (before, after)]
    moved = float(np.linalg.norm(after - before, axis=-1).mean()) / max(sizes)
    return moved, abs(float(np.log(sizes[1] / sizes[0])))


def held_poses(points: np.ndarray) -> np.ndarray:
    """Number the poses of landmarks (T, 478, 2): a frame that differs from the first one of its pose by rounding alone
    has its number.

    Returns (T,) whole numbers that begin with 0 and rise by at most 1.
    """
    poses, first = np.zeros(len(points), int), 0
    for frame in range(1, len(points)):
        held = np.abs(points[frame] - points[first]).max() <= HELD
        poses[frame] = poses[frame - 1] + (not held)
        first = first if held else frame
    return poses


def looped(motion: Motion, loop: Loop) -> Motion:
    """A motion whose end goes on with its beginning.

    "blend" keeps its length: the last half second is led into the first pose, and comes to rest there. "pingpong" plays
    it forwards and backwards, the turning frames once: T frames become 2 T - 2. A motion of one frame, and "off", stay
    as they are.
    """
    if loop == "off" or len(motion) < 2:
        return motion
    return _led_back(motion) if loop == "blend" else _back_and_forth(motion)


def _led_back(motion: Motion) -> Motion:
    joined = min(round(JOINED_SECONDS * motion.frame_rate), len(motion) // 2)
    if joined < 1:
        return motion
    # The weight of the first pose reaches 1 one frame after the last, where the loop begins again.
    weight = smooth_step(np.arange(1, joined + 1) / (joined + 1))

    def led(values: np.ndarray) -> np.ndarray:
        result = values.copy()
        by_frame = weight.reshape(-1, *[1] * (values.ndim - 1))
        result[-joined:] = (1.0 - by_frame) * values[-joined:] + by_frame * values[0]
        return result

    scores = None if motion.blendshapes is None else led(motion.blendshapes)
    return replace(motion, landmarks=led(motion.landmarks), blendshapes=scores)


def _back_and_forth(motion: Motion) -> Motion:
    order = np.concatenate([np.arange(len(motion)), np.arange(len(motion) - 2, 0, -1)])
    times = motion.timestamps[0] + np.arange(len(order)) / motion.frame_rate
    return replace(
        motion,
        landmarks=motion.landmarks[order],
        timestamps=times,
        found=motion.found[order],
        blendshapes=None if motion.blendshapes is None else motion.blendshapes[order],
    )
