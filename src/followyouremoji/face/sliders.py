"""The sliders of a face, and poses made of them: what an expression editor shows and `--pose` takes. Needs no NumPy.

A *pose* is a mapping from names to amounts, such as ``{"smile": 0.4, "gaze_x": 0.2}``; `poses` says what it does to a
face. Names are those of `SLIDERS`, and of `expressions.EXPRESSIONS` where no slider has the same: ``smile`` moves the
mouth alone. In names "left" and "right" are the person's own, but a gaze goes by the picture: positive to its right and
up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from followyouremoji.errors import shown

from .expressions import EXPRESSIONS, Expression, expression

AT_REST = Expression()
SliderGroup = Literal["head", "eyes", "gaze", "brows", "mouth"]


@dataclass(frozen=True)
class Slider:
    """One thing that a face can be told to do.

    Attributes
    ----------
    name : as in a pose
    low, high : the range of amounts, of which 0 is rest: degrees in the group "head", else 1 for a full movement
    label : what it does, for users
    effect : of an amount of 1; the head's sliders turn it instead
    """

    name: str
    low: float
    high: float
    group: SliderGroup
    label: str
    effect: Expression = AT_REST


_AHEAD, _ACROSS, _UP = (0.0, 0.0), (1.0, 0.0), (0.0, 1.0)

SLIDERS: tuple[Slider, ...] = (
    Slider("pitch", -30.0, 30.0, "head", "Nod: up"),
    Slider("yaw", -30.0, 30.0, "head", "Turn: to the picture's right"),
    Slider("roll", -30.0, 30.0, "head", "Tilt: clockwise"),
    Slider("blink", 0.0, 1.0, "eyes", "Close both eyes", expression(blink=1.0)),
    Slider("wink_left", 0.0, 1.0, "eyes", "Close the left eye", expression(blink_left=1.0, squint_left=0.6)),
    Slider(
        "wink_right", 0.0, 1.0, "eyes", "Close the right eye", expression(blink_right=1.0, squint_right=0.6)
    ),
    Slider("wide", 0.0, 1.0, "eyes", "Open both eyes wide", expression(wide=1.4)),
    Slider("squint", 0.0, 1.0, "eyes", "Narrow both eyes", expression(squint=1.0)),
    Slider("gaze_x", -1.0, 1.0, "gaze", "Both eyes: to the picture's right", expression(_ACROSS)),
    Slider("gaze_y", -1.0, 1.0, "gaze", "Both eyes: up", expression(_UP)),
    Slider(
        "left_eye_x", -1.0, 1.0, "gaze", "Left eye: to the picture's right", expression((_AHEAD, _ACROSS))
    ),
    Slider("left_eye_y", -1.0, 1.0, "gaze", "Left eye: up", expression((_AHEAD, _UP))),
    Slider(
        "right_eye_x", -1.0, 1.0, "gaze", "Right eye: to the picture's right", expression((_ACROSS, _AHEAD))
    ),
    Slider("right_eye_y", -1.0, 1.0, "gaze", "Right eye: up", expression((_UP, _AHEAD))),
    Slider(
        "brows_up", 0.0, 1.0, "brows", "Raise both brows", expression(brow_inner_up=0.9, brow_outer_up=1.1)
    ),
    Slider("brows_down", 0.0, 1.0, "brows", "Lower both brows", expression(brow_knit=0.8, brow_down=0.8)),
    Slider("brows_worried", 0.0, 1.0, "brows", "Raise their inner ends", expression(brow_inner_up=1.3)),
    Slider("brow_left_up", 0.0, 1.0, "brows", "Raise the left brow", expression(brow_outer_up_left=1.3)),
    Slider("brow_right_up", 0.0, 1.0, "brows", "Raise the right brow", expression(brow_outer_up_right=1.3)),
    Slider("smile", 0.0, 1.0, "mouth", "Smile", expression(smile=1.1, mouth_stretch=0.25, squint=0.2)),
    Slider("mouth_open", 0.0, 1.0, "mouth", "Open the mouth", expression(jaw_open=1.0)),
    Slider(
        "aaa",
        0.0,
        1.0,
        "mouth",
        "Say aaa",
        expression(jaw_open=0.8, mouth_stretch=0.35, upper_lip_up=0.35, lower_lip_down=0.25),
    ),
    Slider(
        "eee",
        0.0,
        1.0,
        "mouth",
        "Say eee",
        expression(mouth_stretch=0.8, smile=0.35, upper_lip_up=0.35, lower_lip_down=0.5, jaw_open=0.08),
    ),
    Slider("woo", 0.0, 1.0, "mouth", "Say woo", expression(kiss=1.1, funnel=0.4, jaw_open=0.35, frown=0.5)),
    Slider("pout", 0.0, 1.0, "mouth", "Pout", expression(kiss=0.9, funnel=0.2, frown=1.0, lips_press=0.5)),
    Slider("frown", 0.0, 1.0, "mouth", "Corners of the mouth down", expression(frown=1.3)),
    Slider(
        "jaw_aside", -1.0, 1.0, "mouth", "Jaw: to the person's left", expression(jaw_side=0.9, mouth_side=0.6)
    ),
    Slider("mouth_aside", -1.0, 1.0, "mouth", "Mouth: to the person's left", expression(mouth_side=1.0)),
    Slider(
        "teeth",
        0.0,
        1.0,
        "mouth",
        "Show the teeth",
        expression(upper_lip_up=0.75, lower_lip_down=0.8, mouth_stretch=0.5),
    ),
    Slider("puff", 0.0, 1.0, "mouth", "Puff the cheeks", expression(puff=1.1, kiss=0.3, lips_press=0.4)),
)
"""All sliders, in the order in which an editor shows them. A label says where positive amounts lead."""

ALIASES = {
    "gaze_right": ("gaze_x", 1.0),
    "gaze_left": ("gaze_x", -1.0),
    "gaze_up": ("gaze_y", 1.0),
    "gaze_down": ("gaze_y", -1.0),
}
"""Other names of sliders, and what an amount is multiplied by."""

STRONGEST = 1.5
"""Amount of a named expression at most; 1 is as it is in the table."""

EFFECTS: Mapping[str, Expression] = {**EXPRESSIONS, **{slider.name: slider.effect for slider in SLIDERS}}
"""What an amount of 1 does, by every name that a pose can hold."""

_SLIDER_NAMES = tuple(slider.name for slider in SLIDERS)
_RANGES = dict.fromkeys(EXPRESSIONS, (0.0, STRONGEST))
_RANGES |= {slider.name: (slider.low, slider.high) for slider in SLIDERS}
_RANGES |= {name: _RANGES[meant] for name, (meant, _) in ALIASES.items()}


def within_ranges(pose: Mapping[str, float]) -> dict[str, float]:
    """A pose with every amount brought within its range, as what lies between two may leave them."""
    return {name: min(max(amount, _RANGES[name][0]), _RANGES[name][1]) for name, amount in pose.items()}


def _of_text(text: str) -> dict[str, float]:
    return _of_pairs(map(_pair, text.split(","))) if text.strip() else {}


def _pair(part: str) -> tuple[str, Any]:
    name, equals, amount = (one.strip() for one in part.partition("="))
    if not equals:
        raise ValueError(f"{shown(repr(name))} has no amount; write NAME=AMOUNT, such as smile=0.4")
    try:
        return name, float(amount)
    except ValueError:
        return name, amount


def _of_pairs(pairs: Iterable[tuple[str, Any]]) -> dict[str, float]:
    pose: dict[str, float] = {}
    for given, amount in pairs:
        if given not in _RANGES:
            raise ValueError(_unknown(given))
        low, high = _RANGES[given]
        is_number = isinstance(amount, Real) and not isinstance(amount, bool)
        if not is_number or not low <= amount <= high:
            raise ValueError(f"{given} must be a number from {low:g} to {high:g}, not {shown(repr(amount))}")
        name, sign = ALIASES.get(given, (given, 1.0))
        if name in pose:
            raise ValueError(f"{name} is given twice")
        pose[name] = sign * float(amount)
    return pose


def _unknown(name: object) -> str:
    close = get_close_matches(str(name), _RANGES, 3)
    if close:
        return f"there is no {shown(repr(name))}; did you mean {' or '.join(close)}?"
    expressions = (name for name in EXPRESSIONS if name not in _SLIDER_NAMES)
    return (
        f"there is no {shown(repr(name))}; the sliders are {', '.join((*_SLIDER_NAMES, *ALIASES))}; the expressions are "
        f"{', '.join(expressions)}"
    )


def _read(given: Any) -> Any:
    if isinstance(given, str):
        return _of_text(given)
    return _of_pairs(given.items()) if isinstance(given, Mapping) else given


Pose = Annotated[dict[str, float], BeforeValidator(_read)]
"""A pose as an entry of a `config.validated` class, made of a mapping or of the text ``NAME=AMOUNT,NAME=AMOUNT``; empty
text is a face at rest. Every alias is replaced by the slider that it stands for.

An unknown name, one that is given twice, and an amount that is no number or outside its range are mistakes.
"""
