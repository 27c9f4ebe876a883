"""Drawn portraits as an endless source: every position is another identity, drawn when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from followyouremoji.config import Share, validated
from followyouremoji.data.source import TrainingClip
from followyouremoji.errors import SettingsError
from followyouremoji.face.topology import LEFT_EYE_LOOP, RIGHT_EYE_LOOP
from followyouremoji.portraits import (
    HELD_OUT_STYLES,
    STYLES,
    Performance,
    expressive_motion,
    random_identity,
    speech,
)

if TYPE_CHECKING:
    from followyouremoji.portraits import DrawnPortrait

    Style = str
else:
    Style = Literal[STYLES + HELD_OUT_STYLES]

DrawnSize = Annotated[int, Field(ge=32, le=2048, multiple_of=8)]


@validated
class DrawnStyle:
    """What drawn people look like and do."""

    styles: tuple[Style, ...] = ()
    """Styles that occur, equally often; one that is named twice occurs twice as often. All but the held-out ones, which
    are kept for judging, by default."""
    acting: Literal["motion", "singles"] = "motion"
    """Successive frames of speech or of changing expressions, or an expression of its own in every frame, which shows
    more of a face in few frames."""
    speech: Share = 0.4
    """Share of the motions that are speech."""
    frame_rates: tuple[PositiveFloat, PositiveFloat] = (8.0, 25.0)
    """Least and most frames a second of a motion; low rates show what a stride over frames would."""

    @model_validator(mode="after")
    def _lower_first(self) -> Self:
        if self.frame_rates[0] > self.frame_rates[1]:
            raise ValueError(f"`frame_rates` are two numbers, the lower first, not {list(self.frame_rates)}")
        return self


@validated
class DrawnPart(DrawnStyle):
    """Drawn people as a part of a run's data."""

    size: DrawnSize | None = None
    """Width and height of the pictures, pixels; by default that of the shards beside it, else 512."""
    seed: NonNegativeInt | None = None
    """The same seed draws the same people; by default the run's, for `[validation]` another, which draws others."""

    def source(self, size: int | None, seed: int) -> Drawn:
        """The clips, in `size` and from `seed` where it names none."""
        named = {name: value for name, value in vars(self).items() if value is not None}
        return Drawn(**{"size": size or Drawn.size, "seed": seed, **named})


@validated
class Drawn(DrawnStyle):
    """Clips of drawn people; a `ClipSource`."""

    size: DrawnSize = 512
    """Width and height of the pictures, pixels."""
    seed: NonNegativeInt = 0
    """The same seed draws the same people."""

    def clip(self, position: int, frames: int) -> TrainingClip:
        """See `ClipSource`: the identity that seed and position give, in `frames` frames of a performance.

        Raises SettingsError where skia, which draws, is not installed.
        """
        try:
            from followyouremoji.portraits import draw_portrait
        except ModuleNotFoundError as reason:
            raise SettingsError(
                "drawing portraits needs skia: pip install 'followyouremoji[portraits]'"
            ) from reason
        rng = np.random.default_rng((self.seed, position))
        style = str(rng.choice(self.styles)) if self.styles else None
        identity = random_identity(rng, style)
        drawn = [draw_portrait(identity, moment, self.size) for moment in self._performance(rng, frames)]
        return TrainingClip(
            key=f"drawn-{self.seed}-{position}-{identity.style}",
            pictures=np.stack([portrait.picture for portrait in drawn]),
            points=np.stack([spatial_points(portrait) for portrait in drawn]),
        )

    def _performance(self, rng: np.random.Generator, frames: int) -> list[Performance]:
        if self.acting == "singles":
            return [Performance.random(rng) for _ in range(frames)]
        frame_rate = float(rng.uniform(self.frame_rates[0], self.frame_rates[1]))
        talks = rng.random() < self.speech
        return (speech if talks else expressive_motion)(rng, frames, frame_rate)


def spatial_points(portrait: DrawnPortrait) -> np.ndarray:
    """The points of a drawn portrait with depth, ``(478, 3)`` float32 pixels: z as a face detector gives it, growing
    away from the camera, zero at the face's mean depth, in the same unit as x. An iris lies at the mean depth of its
    eye's outline."""
    camera = portrait.vertices @ portrait.pose[:3, :3].T + portrait.pose[:3, 3]
    distance = -camera[:, 2]
    scale = _pixels_per_centimetre(portrait, camera)
    depth = (distance - distance.mean()) * scale
    irises = np.repeat([depth[list(loop)].mean() for loop in (RIGHT_EYE_LOOP, LEFT_EYE_LOOP)], 5)
    return np.concatenate([portrait.points, np.concatenate([depth, irises])[:, None]], axis=1).astype(
        np.float32
    )


def _pixels_per_centimetre(portrait: DrawnPortrait, camera: np.ndarray) -> float:
    """At the face's mean distance: from how far its points are spread in the picture."""
    tangents = camera[:, :2] / -camera[:, 2:]
    spread = np.linalg.norm(tangents - tangents.mean(axis=0), axis=1).sum()
    mesh = portrait.points[: len(camera)]
    seen = np.linalg.norm(mesh - mesh.mean(axis=0), axis=1).sum()
    return float(seen / spread / -camera[:, 2].mean())
