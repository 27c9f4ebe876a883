"""What a face does, by name: the controls of the metric face, and the expressions that are made of them.

`controls` says what each control moves. Needs no NumPy to be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MEASURED_CONTROLS = (
    "brow_down_left", "brow_down_right", "brow_inner_up", "brow_outer_up_left", "brow_outer_up_right",
    "squint_left", "squint_right", "smile_left", "smile_right", "jaw_open", "upper_lip_up", "lower_lip_down",
    "lips_press", "mouth_stretch", "mouth_side", "jaw_side", "pucker", "funnel",
)  # fmt: skip
"""Controls with a displacement measured on people, in the order of `shapes.face_shapes`."""

FORMED_CONTROLS = (
    "kiss", "frown_left", "frown_right", "puff", "sneer", "brow_knit",
    "blink_left", "blink_right", "wide_left", "wide_right",
)  # fmt: skip
"""Controls formed by hand: what the measured people did too weakly."""

CONTROLS = MEASURED_CONTROLS + FORMED_CONTROLS

Gaze = tuple[float, float]
"""Where an eye looks, in [-1, 1]: x to the picture's right, y up."""


@dataclass(frozen=True)
class Expression:
    """Weights of `CONTROLS` by name, and the gaze of the right and the left eye."""

    controls: tuple[tuple[str, float], ...] = ()
    gaze: tuple[Gaze, Gaze] = ((0.0, 0.0), (0.0, 0.0))

    def vector(self) -> np.ndarray:
        """Control weights in the order of `CONTROLS`, ``(K,)``."""
        import numpy as np

        weights = np.zeros(len(CONTROLS))
        for name, weight in self.controls:
            weights[CONTROLS.index(name)] = weight
        return weights


def expression(gaze: tuple[Gaze, Gaze] | Gaze = (0.0, 0.0), **controls: float) -> Expression:
    """A control without a side stands for both sides; a gaze of one pair stands for both eyes."""
    listed = []
    for name, weight in controls.items():
        both = [name] if name in CONTROLS else [f"{name}_left", f"{name}_right"]
        listed += [(one, weight) for one in both]
    right, left = gaze if isinstance(gaze[0], tuple) else (gaze, gaze)
    return Expression(tuple(listed), (right, left))


EXPRESSIONS: Mapping[str, Expression] = MappingProxyType(
    {
        "neutral": expression(),
        "smile": expression(smile=0.75, squint=0.2),
        "grin": expression(smile=0.95, squint=0.3, upper_lip_up=0.55, lower_lip_down=0.45),
        "laugh": expression(
            smile=1.0, squint=0.9, jaw_open=0.75, upper_lip_up=0.4, blink=0.5, brow_outer_up=0.3
        ),
        "sad": expression((0.0, -0.3), brow_inner_up=1.2, brow_down=0.2, frown=1.15, blink=0.2, pucker=0.2),
        "angry": expression(
            brow_knit=1.1, brow_down=0.6, squint=0.3, lips_press=0.3, frown=0.85, sneer=0.6, wide=0.3
        ),
        "surprised": expression(brow_inner_up=1.1, brow_outer_up=1.0, wide=1.0, jaw_open=0.75, kiss=0.35),
        "afraid": expression(
            brow_inner_up=1.3, brow_down=0.3, wide=1.0, mouth_stretch=0.7, jaw_open=0.3, frown=0.4
        ),
        "disgusted": expression(
            brow_knit=0.5, brow_down=0.5, sneer=1.1, squint=0.7, upper_lip_up=0.8, frown=0.5
        ),
        "wink_left": expression(blink_left=1.0, smile=0.6, smile_left=0.8, squint_left=0.6),
        "wink_right": expression(blink_right=1.0, smile=0.6, smile_right=0.8, squint_right=0.6),
        "eyes_closed": expression(blink=1.0, smile=0.15),
        "kiss": expression(kiss=1.0, pucker=0.7, blink=0.15),
        "pout": expression(kiss=0.55, frown=0.5, brow_inner_up=0.7, lips_press=0.3),
        "smirk_left": expression((0.35, 0.0), smile_left=0.95, brow_outer_up_left=0.7),
        "smirk_right": expression((-0.35, 0.0), smile_right=0.95, brow_outer_up_right=0.7),
        "frown": expression(frown=1.2, brow_knit=0.6),
        "brows_up": expression(brow_inner_up=0.9, brow_outer_up=1.1, wide=0.5, smile=0.2),
        "one_brow_up": expression(brow_outer_up_left=1.4, brow_down_right=0.8, smile_left=0.3),
        "cross_eyed": expression(((0.8, -0.15), (-0.8, -0.15)), brow_inner_up=0.4, kiss=0.3),
        "look_left": expression((0.8, 0.0)),
        "look_right": expression((-0.8, 0.0)),
        "look_up": expression((0.0, 0.75), brow_inner_up=0.5, brow_outer_up=0.4, wide=0.3),
        "look_down": expression((0.0, -0.8), blink=0.35),
        "jaw_open": expression(jaw_open=1.0),
        "shout": expression(jaw_open=0.95, mouth_stretch=0.4, upper_lip_up=0.6, brow_knit=0.7, squint=0.4),
        "oh": expression(jaw_open=0.5, kiss=0.75, brow_inner_up=0.4),
        "teeth": expression(upper_lip_up=0.75, lower_lip_down=0.8, mouth_stretch=0.5),
        "puff": expression(puff=1.0, lips_press=0.5, brow_inner_up=0.4, wide=0.2),
        "mouth_left": expression(mouth_side=0.8, brow_outer_up_left=0.3),
        "mouth_right": expression(mouth_side=-0.8, brow_outer_up_right=0.3),
        "sleepy": expression((0.0, -0.4), blink=0.6, brow_inner_up=0.3, brow_outer_up=0.2, jaw_open=0.08),
    }
)
"""Named expressions; "left" is the person's left, which is right in the picture."""

GROUPS = {
    "joy": ("smile", "grin", "laugh"),
    "sadness": ("sad", "pout", "frown"),
    "anger": ("angry", "disgusted", "shout"),
    "surprise": ("surprised", "afraid", "one_brow_up"),
    "lids": ("wink_left", "wink_right", "eyes_closed"),
    "mouth": ("kiss", "puff", "mouth_left"),
}
"""The 18 expressions that benchmarks and bundled motions show, in groups of three."""

NAMED_EXPRESSIONS = tuple(name for names in GROUPS.values() for name in names)
