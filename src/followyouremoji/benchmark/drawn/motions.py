"""What the drivers of EmojiBench-Drawn do: 45 motions of 6 seconds. Each begins at rest, and within the first 64 frames
its expression has come and gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from followyouremoji.face.easing import smooth_step
from followyouremoji.face.expressions import CONTROLS, EXPRESSIONS, GROUPS
from followyouremoji.portraits import Performance, speech
from followyouremoji.portraits.performance import blinks_at, saccades, wander

FRAME_RATE = 25.0
FRAMES = 150
FIRST_FRAMES = 64
"""As many as the paper measures."""
FULL_COURSE = FIRST_FRAMES / FRAME_RATE
"""Seconds in which an expression has come and gone."""
SECONDS = FRAMES / FRAME_RATE
EASE_SECONDS = 0.4
"""In which natural movements set in after the resting first frame."""

_MOTION = 2
"""Stream of random numbers, beside those of `identities`."""

Random = np.random.Generator


@dataclass(frozen=True)
class Act:
    """Something that a face does once: it rises, is held and falls again. Times are seconds.

    Attributes
    ----------
    controls : ``(K,)`` weights at its height, see `face.expressions.CONTROLS`
    gaze : ``(2, 2)`` of the right and the left eye, in parts of their reach
    head : degrees of yaw, pitch and roll
    nearer : logarithm of the head's size
    """

    at: float
    rise: float
    hold: float
    fall: float
    controls: np.ndarray | float = 0.0
    gaze: np.ndarray | float = 0.0
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    nearer: float = 0.0

    @property
    def end(self) -> float:
        return self.at + self.rise + self.hold + self.fall

    def course(self, seconds: np.ndarray) -> np.ndarray:
        """How far it is at each time, 0 to 1."""
        falling = (seconds - self.at - self.rise - self.hold) / self.fall
        return smooth_step((seconds - self.at) / self.rise) * (1.0 - smooth_step(falling))


def expression(name: str, strength: float, at: float, rise: float, hold: float, fall: float) -> Act:
    """A named expression as an act."""
    shown = EXPRESSIONS[name]
    return Act(at, rise, hold, fall, strength * shown.vector(), strength * np.array(shown.gaze))


def performed(
    rng: Random, acts: Sequence[Act], blinks: Sequence[float], sway: float = 0.35
) -> list[Performance]:
    """The 150 moments of acts that add up, with blinks, small glances and sway."""
    seconds = np.arange(FRAMES) / FRAME_RATE
    controls, gaze = np.zeros((FRAMES, len(CONTROLS))), np.zeros((FRAMES, 2, 2))
    head, nearer = np.zeros((FRAMES, 3)), np.zeros(FRAMES)
    for act in acts:
        course = act.course(seconds)
        controls += course[:, None] * np.asarray(act.controls)
        gaze += course[:, None, None] * np.asarray(act.gaze)
        head += course[:, None] * np.array(act.head)
        nearer += course * act.nearer
    closing = blinks_at(blinks, FRAMES, FRAME_RATE)
    for name in ("blink_left", "blink_right"):
        place = CONTROLS.index(name)
        controls[:, place] = np.maximum(controls[:, place], closing)
    # The sway starts at rest, however it wanders.
    awake = smooth_step(seconds / EASE_SECONDS)[:, None]
    drift = np.stack(
        [wander(rng, FRAMES, FRAME_RATE, period) for period in (3.5, 3.5, 3.5, 4.0, 4.0)], axis=1
    )
    gaze += awake[:, None] * saccades(rng, FRAMES, FRAME_RATE, 0.07)[:, None]
    head += awake * sway * drift[:, :3] * (5.0, 3.0, 2.5)
    shift = awake * sway * drift[:, 3:] * (0.008, 0.006)
    return [
        Performance.within_limits(
            controls[k],
            gaze[k],
            yaw=float(head[k, 0]),
            pitch=float(head[k, 1]),
            roll=float(head[k, 2]),
            shift=(float(shift[k, 0]), float(shift[k, 1])),
            scale=float(np.exp(nearer[k])),
        )
        for k in range(FRAMES)
    ]


def _shown(rng: Random, names: Sequence[str], strength: float = 1.0) -> list[Performance]:
    """An expression that comes and goes, a blink, and once more, weaker, longer and with the head turned; with several
    `names`, all of them at once."""
    at, rise, hold, fall = rng.uniform((0.16, 0.25, 0.75, 0.4), (0.26, 0.45, 1.0, 0.55))
    again, later = at + rise + hold + fall + rng.uniform(0.55, 0.8), rng.uniform(0.35, 0.6)
    held, less = rng.uniform(1.0, 1.4), 0.75 * strength
    acts = [expression(name, strength, at, rise, hold, fall) for name in names]
    acts += [expression(name, less, again, later, held, 0.6) for name in names]
    side = rng.choice([-1.0, 1.0])
    turn = (side * rng.uniform(7.0, 12.0), rng.uniform(-5.0, 5.0), side * rng.uniform(0.0, 5.0))
    acts.append(Act(again - 0.2, 0.7, held + later - 0.4, 0.8, head=turn))
    return performed(rng, acts, [acts[0].end, again + later + held + 0.75])


def _talk(rng: Random, nods: int = 0, tilt: float = 0.0, mood: str | None = None) -> list[Performance]:
    """Speech with blinks, glances and sway, that begins at rest."""
    spoken = speech(rng, FRAMES, FRAME_RATE)
    seconds = np.arange(FRAMES) / FRAME_RATE
    awake = smooth_step(seconds / EASE_SECONDS)
    nodding = sum(
        (Act(0.5 + 1.1 * k, 0.16, 0.05, 0.2).course(seconds) for k in range(nods)), np.zeros(FRAMES)
    )
    tilted = tilt * Act(0.6, 0.5, 1.0, 0.4).course(seconds)
    added = 0.5 * EXPRESSIONS[mood].vector() if mood else np.zeros(len(CONTROLS))
    return [
        Performance.within_limits(
            awake[k] * (np.array(moment.controls) + added),
            awake[k] * np.array(moment.gaze),
            yaw=awake[k] * moment.yaw,
            pitch=awake[k] * moment.pitch - 7.0 * float(nodding[k]),
            roll=awake[k] * moment.roll + float(tilted[k]),
            shift=(awake[k] * moment.shift[0], awake[k] * moment.shift[1]),
            scale=float(moment.scale ** awake[k]),
        )
        for k, moment in enumerate(spoken)
    ]


Place = tuple[float, float]


def _glances(
    rng: Random, looks: Sequence[tuple[Place, Place]], rise: float = 0.08, lids: bool = True
) -> list[Performance]:
    """Looks of the right and the left eye, each held and left again, then all once more in another order; the lids go
    with the eyes where these look up and down."""
    order = [*looks, *(looks[k] for k in rng.permutation(len(looks)))]
    # The first round in the first 64 frames, the second slower.
    each = (FULL_COURSE - 0.35) / len(looks)
    slower = (SECONDS - FULL_COURSE - 0.3) / len(looks)
    acts, at = list[Act](), 0.2
    for k, look in enumerate(order):
        lasting = each if k < len(looks) else slower
        level = 0.5 * (look[0][1] + look[1][1])
        controls = np.zeros(len(CONTROLS))
        if lids and level:
            named = EXPRESSIONS["look_up" if level > 0.0 else "look_down"]
            controls = abs(level) / 0.8 * named.vector()
        acts.append(Act(at, rise, lasting - 3.0 * rise, rise, controls, np.array(look)))
        at += lasting
    return performed(rng, acts, [0.2 + each * len(looks), SECONDS - 0.3], sway=0.2)


def _pursuit(rng: Random, across: float, down: float) -> list[Performance]:
    """Eyes that follow something which swings slowly."""
    swings = [
        Act(0.2 + 0.55 * k, 0.55, 0.0, 0.55, gaze=np.array([sign * across, sign * down]))
        for k, sign in ((0, 1.0), (2, -1.0), (5, 1.0), (7, -1.0))
    ]
    return performed(rng, swings, [2.6, 5.6], sway=0.2)


def _crossed(rng: Random, with_smile: bool) -> list[Performance]:
    if with_smile:
        return _shown(rng, ("smile", "cross_eyed"), 0.9)
    return _shown(rng, ("cross_eyed",), 1.1)


def _head(
    rng: Random,
    turns: Sequence[tuple[float, float, float]],
    nearer: Sequence[float] = (),
    steady: float = 0.0,
) -> list[Performance]:
    """Turns of the head there and back, first quick, then slower and the other way round; `steady` is the share that
    the eyes make up for, to go on looking at who looks."""
    steps: list[tuple[tuple[float, float, float], float]] = [(turn, 0.0) for turn in turns]
    steps += [((0.0, 0.0, 0.0), change) for change in nearer]
    each, slower = (FULL_COURSE - 0.3) / len(steps), (SECONDS - FULL_COURSE - 0.2) / len(steps)
    acts, at = list[Act](), 0.16
    for k, (turn, change) in enumerate([*steps, *steps[::-1]]):
        lasting = each if k < len(steps) else slower
        gaze = np.array([-steady * turn[0] / 50.0, -steady * turn[1] / 40.0])
        acts.append(
            Act(at, 0.4 * lasting, 0.15 * lasting, 0.4 * lasting, gaze=gaze, head=turn, nearer=change)
        )
        at += lasting
    return performed(rng, acts, [FULL_COURSE, SECONDS - 0.25], sway=0.15)


def _circle(rng: Random) -> list[Performance]:
    """The head goes round, once quickly and once slowly."""
    quarter = (22.0, 14.0)
    acts = [
        Act(start + step * k, step, 0.0, step, head=(quarter[0] * x, quarter[1] * y, 3.0 * x))
        for start, step in ((0.16, 0.42), (2.7, 0.6))
        for k, (x, y) in enumerate(((1, 0), (0, 1), (-1, 0), (0, -1)))
    ]
    return performed(rng, acts, [2.5, 5.8], sway=0.15)


def _mixed(rng: Random, names: Sequence[str]) -> list[Performance]:
    """Expressions in quick succession with turns of the head: the first three in the first 64 frames, each with a
    course of its own, the others slower."""
    acts, at = list[Act](), 0.2
    for k, name in enumerate(names):
        quick = k < 3
        rise, hold, fall = (0.22, 0.25, 0.28) if quick else (0.35, 0.45, 0.35)
        acts.append(expression(name, rng.uniform(0.85, 1.1), at, rise, hold, fall))
        turn = tuple((rng.uniform(-1.0, 1.0, 3) * (14.0, 8.0, 6.0)).tolist())
        acts.append(
            Act(at, rise, hold, fall, head=(turn[0], turn[1], turn[2]), nearer=rng.uniform(-0.06, 0.10))
        )
        at += rise + hold + fall
    return performed(rng, acts, [2.5, 5.75])


@dataclass(frozen=True)
class DrivingMotion:
    """One of the 45.

    Attributes
    ----------
    name : such as "smile" or "talk-2"
    group : what tables are split by
    act : the moments, by random numbers of the motion's own
    """

    name: str
    group: str
    act: Callable[[Random], list[Performance]]

    def performances(self, seed: int, number: int) -> list[Performance]:
        """`FRAMES` moments, of which the first is at rest."""
        moments = self.act(np.random.default_rng((seed, _MOTION, number)))
        return [Performance.neutral(), *moments[1:]]


_AHEAD = (0.0, 0.0)
_RIGHT, _LEFT = (0.85, 0.0), (-0.85, 0.0)
_UP, _DOWN = (0.0, 0.8), (0.0, -0.8)


def _motions() -> tuple[DrivingMotion, ...]:
    made = [
        DrivingMotion(name, group, partial(_shown, names=(name,)))
        for group, names in GROUPS.items()
        for name in names
    ]
    others: dict[str, dict[str, Callable[[Random], list[Performance]]]] = {
        "talk": {
            "talk-1": _talk,
            "talk-2": partial(_talk, nods=4),
            "talk-3": partial(_talk, mood="smile"),
            "talk-4": partial(_talk, tilt=9.0),
            "talk-5": partial(_talk, nods=2, mood="brows_up"),
        },
        "glances": {
            "horizontal-1": partial(_glances, looks=((_RIGHT, _RIGHT), (_LEFT, _LEFT))),
            "horizontal-2": partial(_pursuit, across=0.9, down=0.0),
            "vertical-1": partial(_glances, looks=((_UP, _UP), (_DOWN, _DOWN))),
            "vertical-2": partial(_pursuit, across=0.0, down=0.8),
        },
        "eyes apart": {
            "crossed-1": partial(_crossed, with_smile=False),
            "crossed-2": partial(_crossed, with_smile=True),
            "right-eye": partial(_glances, looks=((_RIGHT, _AHEAD), (_LEFT, _AHEAD), (_UP, _AHEAD)), lids=False),
            "left-eye": partial(_glances, looks=((_AHEAD, _LEFT), (_AHEAD, _RIGHT), (_AHEAD, _DOWN)), lids=False),
        },
        "head turns": {
            "yaw": partial(_head, turns=((27.0, 0.0, 0.0), (-27.0, 0.0, 0.0)), steady=0.7),
            "pitch": partial(_head, turns=((0.0, 15.0, 0.0), (0.0, -15.0, 0.0))),
            "roll": partial(_head, turns=((0.0, 0.0, 20.0), (0.0, 0.0, -20.0))),
            "approach": partial(_head, turns=(), nearer=(0.24, -0.2)),
            "circle": _circle,
        },
        "exaggeration": {
            f"exaggerated-{name}": partial(_shown, names=(name,), strength=strength)
            for name, strength in (("laugh", 1.5), ("shout", 1.5), ("surprised", 1.5), ("teeth", 1.6), ("oh", 1.5))
        },
        "mixed": {
            "mixed-1": partial(_mixed, names=("brows_up", "smirk_left", "oh", "sleepy", "grin", "look_right")),
            "mixed-2": partial(_mixed, names=("smile", "wink_right", "kiss", "jaw_open", "angry", "look_up")),
            "mixed-3": partial(_mixed, names=("teeth", "look_left", "mouth_right", "sad", "laugh", "pout")),
            "mixed-4": partial(_mixed, names=("surprised", "frown", "smirk_right", "puff", "cross_eyed", "smile")),
        },
    }  # fmt: skip
    made += [
        DrivingMotion(name, group, act) for group, named in others.items() for name, act in named.items()
    ]
    return tuple(made)


MOTIONS = _motions()
"""The 45 driving motions; a motion's number is its place."""

ALL_GROUPS = tuple(dict.fromkeys(motion.group for motion in MOTIONS))
