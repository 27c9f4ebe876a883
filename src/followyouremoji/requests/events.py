"""What a running animation tells, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np

StageName = Literal["tracking", "loading", "animating", "drawing", "encoding"]
NoteCode = Literal[
    "portrait_scaled",
    "portrait",
    "driving",
    "driving_rate",
    "driving_damaged",
    "driving_gaps",
    "alignment",
    "drawn_model",
    "slow_on_cpu",
    "scenes_at_once",
    "speed_unmeasured",
    "left_out",
    "less_memory",
]


@dataclass(frozen=True)
class Stage:
    """A part of the work begins; `sentence` says which."""

    name: StageName
    sentence: str


@dataclass(frozen=True)
class Progress:
    """How much of the stage is done, and of how much, None where that is not known."""

    done: int
    total: int | None


@dataclass(frozen=True)
class Note:
    """What a user should know beside the result; `settings` are names of those that it is about."""

    code: NoteCode
    sentence: str
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """A frame, as it is written: uint8 (height, width, 3 or 4)."""

    number: int
    picture: np.ndarray


Event = Stage | Progress | Note | Frame
OnEvent = Callable[[Event], None]
"""Called from the threads that work, one event after the other. What it raises ends the work, with nothing left but
what a resume folder keeps: so a front end cancels."""


def ignore(event: object) -> None:
    """For who wants the outcome alone."""


class Outcome(BaseModel):
    """What was made.

    Attributes
    ----------
    path : of the result
    frames, size, frame_rate : how many, (width, height) in pixels, a second
    sound : whether it has sound
    seconds : that the work took
    computed, forecast : passes of the denoiser
    notes : all of them
    made_before : whether nothing was done, since an earlier run with the same resume folder made it
    """

    model_config = ConfigDict(frozen=True)

    path: Path
    frames: int
    size: tuple[int, int]
    frame_rate: float
    sound: bool
    seconds: float
    computed: int = 0
    forecast: int = 0
    notes: tuple[Note, ...] = ()
    made_before: bool = False


class PairResult(BaseModel):
    """What came of a portrait and a motion of a batch: an `outcome`, or as `error` a sentence on what cannot be used,
    with the names of `settings` that it is about. `name` is that of the result's file, without its ending."""

    model_config = ConfigDict(frozen=True)

    name: str
    portrait: str
    motion: str
    outcome: Outcome | None = None
    error: str | None = None
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PairBegins:
    """A pair of a batch is taken up: `number` of `total`, from 1 on, those left out that were made before."""

    name: str
    number: int
    total: int


@dataclass(frozen=True)
class PairEnds:
    """What came of it."""

    result: PairResult


@dataclass(frozen=True)
class BatchProgress:
    """Frames of a batch that are done, a fraction while one is worked on, of all that are to be made."""

    done: float
    total: int


BatchEvent = Event | PairBegins | PairEnds | BatchProgress
OnBatchEvent = Callable[[BatchEvent], None]
"""As `OnEvent`. Of many notes that say the same, the first comes."""


class BatchOutcome(BaseModel):
    """What came of all pairs, in the order of portraits and, of each, of motions; `seconds` that it took."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    pairs: tuple[PairResult, ...]
    seconds: float

    @property
    def failed(self) -> tuple[PairResult, ...]:
        return tuple(pair for pair in self.pairs if pair.outcome is None)

    @property
    def made(self) -> int:
        """How many results this run made."""
        return sum(pair.outcome is not None and not pair.outcome.made_before for pair in self.pairs)

    @property
    def made_before(self) -> int:
        return sum(pair.outcome is not None and pair.outcome.made_before for pair in self.pairs)
