"""Motions that nobody performed: poses at moments, and the way from one to the next.

The ``.json`` file of keyframes
-------------------------------
::

    {"format": "followyouremoji-keyframes", "version": 1, "frame_rate": 25, "keyframes": [
        {"seconds": 0, "pose": {}},
        {"seconds": 0.4, "pose": {"smile": 0.8, "gaze_right": 0.3}, "easing": "hold"},
        {"seconds": 1, "pose": {}, "easing": "ease"}]}

``keyframes`` are in the order of their times, at most `MOST_KEYFRAMES` within `LONGEST` seconds; poses are those of
`sliders`. ``seconds`` beside them says how long the motion lasts; without it, the last keyframe is its last frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, TypeAdapter, model_validator

from followyouremoji.config import parse, validated
from followyouremoji.files import atomic
from followyouremoji.reading import read_bytes

from ..errors import MotionError
from .easing import smooth_step
from .expressions import CONTROLS, EXPRESSIONS
from .gaze import Eyes, PortraitEyes
from .geometry import blocks, landmarks_of
from .heads import turned_further
from .motion import Motion
from .poses import Moves, move_faces, neutral_face, summed
from .sliders import Pose, within_ranges
from .topology import N_LANDMARKS

MOST_KEYFRAMES, LONGEST = 1000, 600.0
MOST_BYTES = 1 << 22
"""Of a file: `MOST_KEYFRAMES` poses of all sliders are a third of it."""

SIZE = (512, 512)
DISTANCE, IRIS_RADIUS = 60.0, 0.6
"""Centimetres: of the face from the camera, and of its irises."""

Easing = Literal["ease", "linear", "hold", "overshoot"]
Seconds = Annotated[float, Field(ge=0.0, le=LONGEST)]

_BEYOND = 1.70158  # an overshoot of a tenth


def _overshoot(t: np.ndarray) -> np.ndarray:
    back = t - 1.0
    return 1.0 + (_BEYOND + 1.0) * back**3 + _BEYOND * back**2


EASINGS: dict[Easing, Callable[[np.ndarray], np.ndarray]] = {
    "ease": smooth_step,
    "linear": lambda t: t,
    "hold": np.zeros_like,
    "overshoot": _overshoot,
}
"""From 0 at a keyframe to 1 at the next: at rest at both, steadily, all at once, or quickly and a tenth too far."""


@validated
class Keyframe:
    """A pose at a moment, and the way to the next one."""

    seconds: Seconds
    """When, from the beginning."""

    pose: Pose = Field(default_factory=dict)
    """Amounts by name; {} is at rest."""

    easing: Easing = "ease"
    """How the face goes on to the next keyframe."""


@validated
class Keyframes:
    """A motion in keyframes, as its file has it."""

    format: Literal["followyouremoji-keyframes"] = "followyouremoji-keyframes"
    """What the file is."""

    version: Literal[1] = 1
    """Of the format."""

    frame_rate: float = Field(25.0, ge=1.0, le=60.0)
    """Frames a second."""

    seconds: Seconds | None = None
    """How long the motion lasts; null is up to the last keyframe."""

    keyframes: tuple[Keyframe, ...] = Field(min_length=1, max_length=MOST_KEYFRAMES, strict=False)
    """In the order of their times."""

    @model_validator(mode="after")
    def _rise(self) -> Self:
        for number, (before, after) in enumerate(pairwise(self.keyframes), 1):
            if after.seconds <= before.seconds:
                raise ValueError(
                    f"`keyframes[{number}]` at {after.seconds:g} s does not come after the one at {before.seconds:g} s"
                )
        return self

    @property
    def frames(self) -> int:
        """How many frames the motion has."""
        if self.seconds is None:
            return math.floor(self.keyframes[-1].seconds * self.frame_rate + 1e-6) + 1
        return max(1, round(self.seconds * self.frame_rate))

    def motion(self, source: str = "keyframes") -> Motion:
        """What they make of the neutral face; `source` names it in messages."""
        times = np.arange(self.frames) / self.frame_rate
        return _performed(self._amounts_at(times), self.frame_rate, source)

    def pose_at(self, seconds: float) -> dict[str, float]:
        """The pose at a moment, every amount within its range; the moment may lie outside the motion."""
        (place,), (following,), (share,) = self._way_at(np.array([seconds]))
        before, after = self.keyframes[place].pose, self.keyframes[following].pose
        between = {name: before.get(name, 0.0) for name in before | after}
        for name, amount in between.items():
            between[name] = amount + float(share) * (after.get(name, 0.0) - amount)
        return within_ranges(between)

    def _amounts_at(self, times: np.ndarray) -> np.ndarray:
        """Of all that poses can move, ``(T, K + 7)``."""
        place, following, share = self._way_at(times)
        amounts = np.stack([summed(one.pose) for one in self.keyframes])
        between: np.ndarray = amounts[place] + share[:, None] * (amounts[following] - amounts[place])
        return between

    def _way_at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The keyframes before and after some times, and how far the face has gone from one to the other, ``(T,)`` all;
        before the first keyframe and after the last these hold."""
        moments = np.array([one.seconds for one in self.keyframes])
        place = np.maximum(np.searchsorted(moments, times + 1e-6, side="right") - 1, 0)
        following = np.minimum(place + 1, len(moments) - 1)
        span = np.where(following > place, moments[following] - moments[place], 1.0)
        gone = np.clip((times - moments[place]) / span, 0.0, 1.0)
        share = np.empty(len(times))
        for easing, way in EASINGS.items():
            here = np.array([one.easing == easing for one in self.keyframes])[place]
            share[here] = way(gone[here])
        return place, following, share


def keyframe_motion(
    keyframes: Sequence[Keyframe], frame_rate: float = 25.0, seconds: float | None = None
) -> Motion:
    """The neutral face moved by keyframes, with its `rest`: on a portrait it does what their poses do.

    `seconds` is how long it lasts; None is up to the last keyframe. Raises SettingsError for keyframes, a rate or a
    length that `Keyframes` refuses.
    """
    return Keyframes(keyframes=tuple(keyframes), frame_rate=frame_rate, seconds=seconds).motion()


def read_keyframes(path: Path) -> Keyframes:
    """Read a file of keyframes. Raises MotionError naming it and the wrong entry."""
    try:
        text = read_bytes(path, MOST_BYTES)
    except OSError as error:
        raise MotionError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise MotionError(f"{path} is no file of keyframes: {error}.") from error
    return parse(Keyframes, text, path, MotionError)


def write_keyframes(path: Path, keyframes: Keyframes, overwrite: bool = False) -> None:
    """Write a file of keyframes, complete or not at all. Raises MotionError where it exists and may not be replaced, or
    cannot be written."""
    if path.exists() and not overwrite:
        raise MotionError(f"{path} is there already. Choose another name or allow it to be overwritten.")
    try:
        with atomic(path) as temporary:
            temporary.write_bytes(TypeAdapter(Keyframes).dump_json(keyframes, indent=1))
    except OSError as error:
        raise MotionError(f"{path} cannot be written: {error.strerror or error}.") from error


SHOWN_SECONDS = 2.0
"""Length of `expression_motion`."""


def expression_motion(name: str, frame_rate: float = 25.0) -> Motion:
    """A named expression that rises, is held and falls, with a blink and a little sway: 2 s that begin and end at rest.

    Raises KeyError for a name that is not in `expressions.EXPRESSIONS`.
    """
    shown = EXPRESSIONS[name]
    times = np.arange(round(SHOWN_SECONDS * frame_rate)) / frame_rate
    course = smooth_step(times, 0.08, 0.42) * (1.0 - smooth_step(times, 1.2, 1.55))
    breathing = 1.0 + 0.06 * np.sin(2.0 * np.pi * times / 0.8)
    amounts = np.zeros((len(times), len(CONTROLS) + 7))
    amounts[:, : len(CONTROLS)] = (course * breathing)[:, None] * shown.vector()
    amounts[:, len(CONTROLS) : -3] = course[:, None] * np.ravel(shown.gaze)
    blink = np.clip(1.35 - np.abs(times - 1.72) / 0.11, 0.0, 1.0)
    for lids in ("blink_left", "blink_right"):
        place = CONTROLS.index(lids)
        amounts[:, place] = np.maximum(amounts[:, place], blink)
    side = -1.0 if name.endswith("_right") else 1.0
    sway = np.sin(2.0 * np.pi * np.outer(times / (SHOWN_SECONDS - 1.0 / frame_rate), [1.0, 2.0, 1.0]))
    amounts[:, -3:] = course[:, None] * [2.5 * side, 1.5, 3.5 * side] + sway * [1.5, 0.8, 1.0]
    return _performed(amounts, frame_rate, name)


def _performed(amounts: np.ndarray, frame_rate: float, source: str) -> Motion:
    """The neutral face moved by `poses.summed` amounts ``(T, K + 7)``."""
    landmarks = np.empty((len(amounts), N_LANDMARKS, 3), np.float32)
    for block in blocks(len(amounts)):
        landmarks[block] = _seen(Moves.of(amounts[block]))
    return Motion(
        landmarks=landmarks,
        timestamps=np.arange(len(amounts)) / frame_rate,
        frame_rate=frame_rate,
        size=SIZE,
        source=source,
        found=np.ones(len(amounts), bool),
        rest=_seen(Moves.of(np.zeros((1, amounts.shape[1]))))[0].astype(np.float32),
    )


def _seen(moves: Moves) -> np.ndarray:
    """Landmarks ``(T, 478, 3)`` of the neutral face in moves of T frames. Irises go on below closed lids, so that where
    eyes look can be measured there, too."""
    faces = np.repeat(neutral_face()[None], len(moves.head), axis=0)
    move_faces(faces, moves.controls, neutral_face())
    irises = np.repeat(_eyes().pupils(faces, moves.gaze), 5, axis=1) + _eyes().rims
    pose = np.eye(4)
    pose[2, 3] = -DISTANCE
    poses = turned_further(np.broadcast_to(pose, (len(faces), 4, 4)), moves.head)
    return landmarks_of(np.concatenate([faces, irises], axis=1), poses, SIZE)


@cache
def _eyes() -> PortraitEyes:
    rim = IRIS_RADIUS * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]], float)
    return PortraitEyes(Eyes.of(neutral_face()[None]), np.zeros((2, 2)), np.zeros(2), np.tile(rim, (2, 1)))
