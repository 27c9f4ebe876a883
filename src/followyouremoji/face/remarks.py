"""What alignment did beside carrying a motion over, in sentences for users; none where there is nothing to say."""

from __future__ import annotations

import numpy as np

from .heads import Eased
from .identity import EYE_DISTANCE_CM, OPEN_LIPS, STRONG_BROWS, STRONG_MOUTH, lip_gap
from .motion import Motion
from .neutral import OwnFace
from .regions import REGIONS
from .shots import Shots

UNSEEN = 0.02
"""Sizes of the face that a head may go less far without a word."""


def told_of_portrait(own: OwnFace) -> list[str]:
    """What of the portrait's own expression gives way, where it is seen: not where a relaxed face is fitted anyway."""
    seen = []
    if own.taken.mouth > 0.1 and lip_gap(own.face) > OPEN_LIPS[0]:
        seen.append("its open mouth")
    elif own.taken.mouth > 0.1 and _apart(own.face, own.relaxed, "mouth") > STRONG_MOUTH[0]:
        seen.append("the expression of its mouth")
    if own.taken.brows > 0.1 and _apart(own.face, own.relaxed, "brows") > STRONG_BROWS[0]:
        seen.append("the expression of its brows")
    closed = [eye for eye in ("right_eye", "left_eye") if getattr(own.taken, eye) > 0.1]
    if closed:
        seen.append("its closed eyes" if len(closed) == 2 else "its closed eye")
    if not seen:
        return []
    what = seen[0] if len(seen) == 1 else f"{', '.join(seen[:-1])} and {seen[-1]}"
    return [f"The portrait shows an expression of its own: {what} gave way to the driving face's."]


def _apart(face: np.ndarray, other: np.ndarray, region: str) -> float:
    """Root mean square between a region's points of two faces, in eye distances."""
    between = (face - other)[list(REGIONS[region])]
    return float(np.sqrt((between**2).sum(axis=1).mean())) / EYE_DISTANCE_CM


def told_of_shots(motion: Motion, shots: Shots) -> list[str]:
    """Where the cuts are, if they lead from one setup to another."""
    if shots.count == 1:
        return []
    times = [f"{motion.timestamps[cut] - motion.timestamps[0]:.2f} s" for cut in shots.cuts[:5]]
    where = ", ".join(times) + (" and so on" if len(shots.cuts) > 5 else "")
    return [
        f"The driving has cuts (at {where}): in each of its {shots.count} setups expression and head motion are measured from "
        "a relaxed frame of its own, and the head stays near the portrait's place."
    ]


def told_of_turn(eased: tuple[Eased, ...]) -> list[str]:
    """How far the head turns instead of into what is hidden."""
    return [
        f"The portrait's head turns by {one.given:.0f} instead of {one.wanted:.0f} degrees: what its picture hides of the "
        "face cannot be turned into sight."
        for one in eased
    ]


def told_of_travel(eased: tuple[Eased, ...]) -> list[str]:
    """How far the head goes instead of out of the picture."""
    eased = tuple(one for one in eased if one.wanted - one.given > UNSEEN)
    if not eased:
        return []
    parts = [
        f"{one.given:.2f} instead of {one.wanted:.2f} of the face's size {one.side}"
        if one.side != "nearer"
        else f"{one.given:.0%} instead of {one.wanted:.0%} larger"
        for one in eased
    ]
    return [f"The head would leave the picture: it travels at most {', '.join(parts)}."]
