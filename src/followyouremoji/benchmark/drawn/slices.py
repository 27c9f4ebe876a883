"""Which part of EmojiBench-Drawn is drawn: all of it, or a slice of it whose files are the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from .identities import COUNTS, PORTRAITS, style_of
from .motions import FIRST_FRAMES, FRAMES, MOTIONS

SEED = 20261
"""Of the suite; no training draws with three numbers as seed, as the suite does."""
SIZE = 256
MOTION_STEP = 7
"""From a portrait's motion to the next one's. It has no divisor in common with 45, so that the few portraits of a small
style meet motions of many groups."""

Kind = Literal["portrait", "clip", "truth"]


@dataclass(frozen=True)
class Item:
    """What is drawn in one go: a portrait, a driver's clip, or the true result of the pair of portrait `number`."""

    kind: Kind
    number: int


@dataclass(frozen=True)
class Slice:
    """A part of the suite. An item's files depend on the seed, its number, the size and the numbers of frames, and not
    on what else is drawn.

    Attributes
    ----------
    driven : numbers of the motions whose clips are self-reenacted
    portraits : numbers of the portraits, each with one motion: `motion_of`
    frames, truth_frames : of a driver's clip, and of a true result
    """

    name: str
    driven: tuple[int, ...]
    portraits: tuple[int, ...]
    seed: int = SEED
    size: int = SIZE
    frames: int = FRAMES
    truth_frames: int = FIRST_FRAMES

    @cached_property
    def clips(self) -> tuple[int, ...]:
        """Numbers of all motions that the slice needs."""
        return tuple(sorted({*self.driven, *map(motion_of, self.portraits)}))

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """All that is drawn, the longest first."""
        return (
            *(Item("clip", number) for number in self.clips),
            *(Item("truth", number) for number in self.portraits),
            *(Item("portrait", number) for number in self.portraits),
        )


def motion_of(portrait: int) -> int:
    """The number of the motion that drives a portrait."""
    return portrait * MOTION_STEP % len(MOTIONS)


def _mini() -> Slice:
    """A portrait of each style, whose motion's group no earlier one has as far as that can be, one more person, and six
    of their drivers."""
    chosen, groups = list[int](), set[str]()
    for style in (*list(COUNTS)[::-1], "person"):
        of_style = [number for number in range(PORTRAITS) if style_of(number)[0] == style]
        fresh = [number for number in of_style if MOTIONS[motion_of(number)].group not in groups]
        chosen.append(fresh[0] if fresh else next(n for n in of_style if n not in chosen))
        groups.add(MOTIONS[motion_of(chosen[-1])].group)
    chosen.sort()
    return Slice("mini", tuple(sorted(map(motion_of, chosen)))[::2], tuple(chosen))


FULL = Slice("full", tuple(range(len(MOTIONS))), tuple(range(PORTRAITS)))
MINI = _mini()
SLICES = {"full": FULL, "mini": MINI}
