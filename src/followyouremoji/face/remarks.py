"""What alignment changed about a motion, in sentences for users; none where there is nothing to say."""

from __future__ import annotations

from .heads import Eased
from .identity import OPEN_LIPS, lip_gap
from .motion import Motion
from .neutral import OwnFace
from .shots import Shots

UNSEEN = 0.02
"""Sizes of the face that a head may go less far without a word."""


NOTED = 0.1
"""Certainty from which an expression of the portrait is spoken of."""


def notes_on_portrait(own: OwnFace) -> list[str]:
    """What of the portrait's own expression gives way."""
    shows, seen = own.shows, []
    if shows.mouth > NOTED:
        is_open = lip_gap(own.face) > sum(OPEN_LIPS) / 2
        seen.append("its open mouth" if is_open else "the expression of its mouth")
    if shows.brows > NOTED:
        seen.append("the expression of its brows")
    closed = sum(eye > NOTED for eye in (shows.right_eye, shows.left_eye))
    if closed:
        seen.append("its closed eyes" if closed == 2 else "its closed eye")
    if not seen:
        return []
    what = seen[0] if len(seen) == 1 else f"{', '.join(seen[:-1])} and {seen[-1]}"
    return [f"The portrait shows an expression of its own: {what} gave way to the driving face's."]


def notes_on_shots(motion: Motion, shots: Shots) -> list[str]:
    """Where the cuts are, if they lead from one setup to another."""
    if shots.count == 1:
        return []
    times = [f"{motion.timestamps[cut] - motion.timestamps[0]:.2f} s" for cut in shots.cuts[:5]]
    where = ", ".join(times) + (" and so on" if len(shots.cuts) > 5 else "")
    return [
        f"The driving has cuts (at {where}): in each of its {shots.count} scenes expression and head motion are measured from "
        "a relaxed frame of its own, and the head stays near the portrait's place."
    ]


def notes_on_turn(eased: tuple[Eased, ...]) -> list[str]:
    """How far the head turns instead of into what is hidden."""
    return [
        f"The portrait's head turns by {one.given:.0f} instead of {one.wanted:.0f} degrees: its picture does not show "
        "what would come into view."
        for one in eased
    ]


def notes_on_travel(eased: tuple[Eased, ...]) -> list[str]:
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
