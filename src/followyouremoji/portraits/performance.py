"""The motion of a drawn portrait: expression, gaze and head pose, and smooth motion over time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from followyouremoji.face.controls import bounded
from followyouremoji.face.easing import smooth_step
from followyouremoji.face.expressions import CONTROLS, EXPRESSIONS, Gaze, expression


@dataclass(frozen=True)
class Performance:
    """One moment of a portrait.

    Attributes
    ----------
    controls : ``K`` weights in the order of `face.expressions.CONTROLS`
    gaze : (x, y) of the right and the left eye, ``[-1, 1]``, x to the picture's right, y up
    yaw, pitch, roll : degrees; positive turns the face to the picture's right, up, and tilts it clockwise
    shift : (x, y) of the head, in parts of the picture's side, x right, y down
    scale : size of the head relative to the usual framing
    """

    controls: tuple[float, ...] = (0.0,) * len(CONTROLS)
    gaze: tuple[Gaze, Gaze] = ((0.0, 0.0), (0.0, 0.0))
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0

    @classmethod
    def neutral(cls) -> "Performance":
        """A face at rest that looks into the camera."""
        return cls()

    @classmethod
    def of(cls, name: str, intensity: float = 1.0) -> "Performance":
        """A named expression, frontal. Raises KeyError for a name that is not in `face.expressions.EXPRESSIONS`."""
        expression = EXPRESSIONS[name]
        return cls(tuple(intensity * expression.vector()), _as_gaze(intensity * np.array(expression.gaze)))

    @classmethod
    def within_limits(cls, controls: np.ndarray, gaze: np.ndarray, **head: Any) -> "Performance":
        """Of weights ``(K,)`` and gaze ``(2, 2)`` of any strength, brought within what the face can do."""
        return cls(_weights(controls), _as_gaze(gaze), **head)

    @classmethod
    def random(cls, rng: np.random.Generator, turn: float = 1.0) -> "Performance":
        """A blend of one or two named expressions with random strength, gaze and head pose.

        ``turn`` scales the angles, whose standard deviations are 12, 8 and 6 degrees (yaw, pitch, roll).
        """
        names = list(EXPRESSIONS)
        controls = np.zeros(len(CONTROLS))
        gaze = np.zeros((2, 2))
        fractions = (1.0,) if rng.random() < 0.6 else (0.65, 0.5)
        for fraction in fractions:
            expression = EXPRESSIONS[names[rng.integers(len(names))]]
            strength = fraction * rng.uniform(0.4, 1.15)
            controls += strength * expression.vector()
            gaze += strength * np.array(expression.gaze)
        controls += (rng.random(len(CONTROLS)) < 0.12) * rng.uniform(0.0, 0.3, len(CONTROLS))
        if rng.random() < 0.75:
            gaze += rng.normal(0.0, (0.35, 0.22))
        angles = np.clip(rng.normal(0.0, 1.0, 3), -2.3, 2.3) * (12.0, 8.0, 6.0) * turn
        return cls(
            _weights(controls),
            _as_gaze(gaze),
            yaw=float(angles[0]),
            pitch=float(angles[1]),
            roll=float(angles[2]),
            shift=(rng.normal(0.0, 0.015), rng.normal(0.0, 0.012)),
            scale=float(np.exp(rng.normal(0.0, 0.03))),
        )


def _weights(controls: np.ndarray) -> tuple[float, ...]:
    return tuple(bounded(controls).tolist())


def _as_gaze(gaze: np.ndarray) -> tuple[Gaze, Gaze]:
    (rx, ry), (lx, ly) = np.clip(gaze, -0.95, 0.95).tolist()
    return (rx, ry), (lx, ly)


def wander(rng: np.random.Generator, frames: int, frame_rate: float, period: float) -> np.ndarray:
    """A smooth random curve of about unit variance that changes over ``period`` seconds, ``(frames,)``."""
    seconds = np.arange(frames) / frame_rate
    rates = rng.uniform(0.4, 1.4, 4) / period
    phases = rng.uniform(0.0, 2.0 * np.pi, 4)
    return np.sin(2.0 * np.pi * rates * seconds[:, None] + phases).sum(axis=1) / np.sqrt(2.0)


def _blinks(rng: np.random.Generator, frames: int, frame_rate: float) -> np.ndarray:
    """Lid closing of natural blinks: every 2 to 5 seconds, about 0.25 s long, ``(frames,)`` in [0, 1]."""
    moments = [rng.uniform(0.3, 2.5)]
    while moments[-1] < frames / frame_rate:
        moments.append(moments[-1] + rng.uniform(2.0, 5.0))
    return blinks_at(moments[:-1], frames, frame_rate)


def blinks_at(moments: Iterable[float], frames: int, frame_rate: float) -> np.ndarray:
    """Lid closing of blinks whose middles are at some seconds, ``(frames,)`` in [0, 1]."""
    seconds = np.arange(frames) / frame_rate
    closing = np.zeros(frames)
    for moment in moments:
        closing = np.maximum(closing, np.clip(1.35 - np.abs(seconds - moment) / 0.11, 0.0, 1.0))
    return closing


def saccades(rng: np.random.Generator, frames: int, frame_rate: float, reach: float) -> np.ndarray:
    """Gaze that jumps and rests 0.5 to 2 seconds, jumps taking about two frames, ``(frames, 2)``."""
    gaze = np.zeros((frames, 2))
    frame, target = 0, np.zeros(2)
    while frame < frames:
        rest = max(1, int(rng.uniform(0.5, 2.0) * frame_rate))
        gaze[frame : frame + rest] = target
        frame += rest
        target = np.clip(rng.normal(0.0, (reach, 0.6 * reach)), -0.9, 0.9)
    kernel = np.array([0.25, 0.5, 0.25])
    padded = np.pad(gaze, ((1, 1), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, axis], kernel, "valid") for axis in (0, 1)], axis=1)


def _frames(
    rng: np.random.Generator, controls: np.ndarray, gaze: np.ndarray, frame_rate: float, sway: float
) -> list[Performance]:
    """Add blinks and head sway to control curves ``(T, K)`` and gaze ``(T, 2, 2)``."""
    frames = len(controls)
    blink = _blinks(rng, frames, frame_rate)
    for name in ("blink_left", "blink_right"):
        place = CONTROLS.index(name)
        controls[:, place] = np.maximum(controls[:, place], blink)
    angles = (
        np.stack([wander(rng, frames, frame_rate, 3.5) for _ in range(3)], axis=1) * (9.0, 5.0, 4.0) * sway
    )
    shifts = (
        np.stack([wander(rng, frames, frame_rate, 4.0) for _ in range(2)], axis=1) * (0.010, 0.007) * sway
    )
    scales = np.exp(0.015 * sway * wander(rng, frames, frame_rate, 5.0))
    return [
        Performance(
            _weights(weights),
            _as_gaze(eyes),
            yaw=float(angle[0]),
            pitch=float(angle[1]),
            roll=float(angle[2]),
            shift=(float(shift[0]), float(shift[1])),
            scale=float(scale),
        )
        for weights, eyes, angle, shift, scale in zip(controls, gaze, angles, shifts, scales, strict=True)
    ]


def speech(rng: np.random.Generator, frames: int, frame_rate: float) -> list[Performance]:
    """Motion like speech: about four syllables a second of changing mouth shapes, pauses, blinks, glances and sway.

    Returns ``frames`` performances at ``frame_rate`` frames a second.
    """
    controls = np.zeros((frames, len(CONTROLS)))
    seconds = np.arange(frames) / frame_rate
    shapes = (
        EXPRESSIONS["jaw_open"].vector() * 0.45,
        EXPRESSIONS["oh"].vector() * 0.7,
        EXPRESSIONS["teeth"].vector() * 0.55,
        EXPRESSIONS["kiss"].vector() * 0.5,
        expression(jaw_open=0.25, mouth_stretch=0.5, smile=0.2).vector(),
    )
    moment = rng.uniform(0.0, 0.2)
    while moment < frames / frame_rate:
        syllable = shapes[rng.integers(len(shapes))] * rng.uniform(0.5, 1.2)
        width = rng.uniform(0.06, 0.11)
        controls += np.exp(-0.5 * ((seconds - moment) / width) ** 2)[:, None] * syllable
        moment += rng.uniform(0.6, 1.0) if rng.random() < 0.12 else rng.uniform(0.15, 0.30)
    mood = EXPRESSIONS[str(rng.choice(["smile", "neutral", "brows_up", "sad", "frown"]))].vector() * 0.4
    controls += np.clip(0.5 + 0.5 * wander(rng, frames, frame_rate, 3.0), 0.0, 1.0)[:, None] * mood
    lift = np.clip(wander(rng, frames, frame_rate, 1.2) - 0.4, 0.0, 1.0) * 0.7
    for name in ("brow_inner_up", "brow_outer_up_left", "brow_outer_up_right"):
        controls[:, CONTROLS.index(name)] += lift
    glances = saccades(rng, frames, frame_rate, 0.25)
    return _frames(rng, controls, np.repeat(glances[:, None], 2, axis=1), frame_rate, sway=0.8)


def expressive_motion(rng: np.random.Generator, frames: int, frame_rate: float) -> list[Performance]:
    """Motion that goes through named expressions, each reached within 0.3 to 0.6 s and held up to 1.2 s.

    Returns ``frames`` performances at ``frame_rate`` frames a second.
    """
    names = [name for name in EXPRESSIONS if name != "neutral"]
    width = 4 + len(CONTROLS)
    keys, moments = [np.zeros(width)], [0.0]
    while moments[-1] < frames / frame_rate + 1.0:
        expression = EXPRESSIONS["neutral" if rng.random() < 0.2 else names[rng.integers(len(names))]]
        target = np.concatenate([expression.vector(), np.ravel(expression.gaze)]) * rng.uniform(0.5, 1.1)
        reached = moments[-1] + rng.uniform(0.3, 0.6)
        keys += [target, target]
        moments += [reached, reached + rng.uniform(0.2, 1.2)]
    seconds = np.arange(frames) / frame_rate
    place = np.clip(np.searchsorted(moments, seconds, side="right") - 1, 0, len(moments) - 2)
    start, stop = np.array(moments)[place], np.array(moments)[place + 1]
    eased = smooth_step((seconds - start) / (stop - start))[:, None]
    curve = (1.0 - eased) * np.array(keys)[place] + eased * np.array(keys)[place + 1]
    gaze = curve[:, -4:].reshape(frames, 2, 2) + saccades(rng, frames, frame_rate, 0.2)[:, None]
    return _frames(rng, curve[:, :-4], gaze, frame_rate, sway=1.1)
