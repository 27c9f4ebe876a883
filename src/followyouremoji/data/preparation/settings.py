"""Settings of a preparation: how clips are cut, which frames are good enough, how they are stored."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from followyouremoji.config import Share, validated

Angle = Annotated[float, Field(ge=0, le=180)]


@validated
class Cutting:
    """Where a clip is cut into pieces that show one face without a break."""

    scene_change: Share = 0.12
    """Mean difference of two successive frames, as a share of full brightness, that is always a cut."""
    scene_jump: Annotated[float, Field(ge=1)] = 8.0
    """A smaller difference is a cut too where it is so many times the usual one of the scene."""
    overlap: Share = 0.5
    """Least intersection over union of a face's boxes in successive frames; less is another face, or a jump."""
    travel: Annotated[float, Field(ge=1)] = 1.5
    """Longest way of a head within one piece: the side of the box around all its faces over a face's own."""
    max_frames: Annotated[int, Field(ge=2)] = 256
    """Longer pieces are divided evenly."""


@validated
class Filters:
    """What is good enough to learn from."""

    face_size: NonNegativeFloat = 160.0
    """Least longer side of the landmarks' box, pixels of the source clip."""
    yaw: Angle = 60.0
    """Furthest the head may turn, degrees either way."""
    pitch: Angle = 40.0
    """Furthest the head may nod, degrees either way."""
    roll: Angle = 45.0
    """Furthest the head may tilt, degrees either way."""
    outside: Share = 0.02
    """Largest share of the landmarks that may lie outside the picture."""
    sharpness: NonNegativeFloat = 0.06
    """Least median sharpness of a piece, see `survey.sharpness`."""
    duplicate: NonNegativeFloat = 0.05
    """Frames whose face differs less than this from the last one's (mean, of 255 levels) are repetitions."""
    frozen_frames: NonNegativeInt = 12
    """More repetitions in a row than this are a frozen picture, which ends a piece."""
    found_share: Share = 0.5
    """Least share of a scene's frames in which its face is seen."""
    confidence: Share = 0.5
    """Of a detector that looks anew at a few frames of a piece."""
    confirmed_share: Share = 0.6
    """Least share of those frames in which it must agree with the tracked landmarks."""
    other_face: Share = 0.4
    """Largest size of a second face in the crop, relative to the first."""
    min_frames: PositiveInt = 32
    """Shorter pieces are left out."""


@validated
class PrepareSettings:
    """A preparation. All of it is kept in the output folder, and a run that goes on must have the same."""

    size: Annotated[int, Field(ge=32, le=4096, multiple_of=8)] = 512
    """Side of the stored pictures, pixels."""
    frame_rate: Annotated[float, Field(ge=1, le=240)] | None = None
    """Frames a second of the stored clips; None keeps each clip's own."""
    margin: Annotated[float, Field(ge=1, le=10)] = 2.0
    """Side of the square crop over the longer side of the face, as in `media.cropping.FACE_MARGIN`."""
    least_margin: Annotated[float, Field(ge=1, le=10)] = 1.25
    """Where the picture is too small for `margin`, the side over that of the box around all faces of the piece."""
    quality: Annotated[int, Field(ge=1, le=100)] = 95
    """Of the stored JPEG pictures."""
    shard_megabytes: Annotated[float, Field(ge=0.01, le=1e6)] = 512.0
    """Size at which a shard is full."""
    cutting: Cutting = Cutting()
    """Where clips are cut."""
    filters: Filters = Filters()
    """What is good enough."""

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.margin < self.least_margin:
            raise ValueError(
                f"`margin` must be at least `least_margin`, {self.least_margin:g}, not {self.margin:g}"
            )
        if self.cutting.max_frames < self.filters.min_frames:
            raise ValueError(
                f"pieces of at least {self.filters.min_frames} frames cannot be of at most {self.cutting.max_frames}"
            )
        return self

    def as_dict(self) -> dict[str, Any]:
        """Every setting, as it is written to `settings.json`."""
        return dataclasses.asdict(self)
