"""Settings of a preparation: how clips are cut, which frames are good enough, how they are stored."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from followyouremoji.errors import SettingsError, is_number


@dataclass(frozen=True)
class Cutting:
    """Where a clip is cut into pieces that show one face without a break.

    Attributes
    ----------
    scene_change : mean difference of two successive frames, as a share of full brightness, that is always a cut
    scene_jump : a smaller difference is a cut too where it is so many times the usual one of the scene
    overlap : least intersection over union of a face's boxes in successive frames; less is another face, or a jump
    travel : longest way of a head within one piece: the side of the box around all its faces over a face's own
    max_frames : longer pieces are divided evenly
    """

    scene_change: float = 0.12
    scene_jump: float = 8.0
    overlap: float = 0.5
    travel: float = 1.5
    max_frames: int = 256

    def __post_init__(self) -> None:
        _require(self, "scene_change", 0.0, 1.0)
        _require(self, "scene_jump", 1.0, math.inf)
        _require(self, "overlap", 0.0, 1.0)
        _require(self, "travel", 1.0, math.inf)
        _require(self, "max_frames", 2, math.inf)


@dataclass(frozen=True)
class Filters:
    """What is good enough to learn from.

    Attributes
    ----------
    face_size : least longer side of the landmarks' box, pixels of the source clip
    yaw, pitch, roll : furthest the head may turn, degrees either way
    outside : largest share of the landmarks that may lie outside the picture
    sharpness : least median sharpness of a piece, see `survey.sharpness`
    duplicate : frames whose face differs less than this from the last one's (mean, of 255 levels) are repetitions
    frozen_frames : more repetitions in a row than this are a frozen picture, which ends a piece
    found_share : least share of a scene's frames in which its face is seen
    confidence : of a detector that looks anew at a few frames of a piece
    confirmed_share : least share of those frames in which it must agree with the tracked landmarks
    other_face : largest size of a second face in the crop, relative to the first
    min_frames : shorter pieces are left out
    """

    face_size: float = 160.0
    yaw: float = 60.0
    pitch: float = 40.0
    roll: float = 45.0
    outside: float = 0.02
    sharpness: float = 0.06
    duplicate: float = 0.05
    frozen_frames: int = 12
    found_share: float = 0.5
    confidence: float = 0.5
    confirmed_share: float = 0.6
    other_face: float = 0.4
    min_frames: int = 32

    def __post_init__(self) -> None:
        for name in ("face_size", "sharpness", "duplicate"):
            _require(self, name, 0.0, math.inf)
        for name in ("yaw", "pitch", "roll"):
            _require(self, name, 0.0, 180.0)
        for name in ("outside", "found_share", "confidence", "confirmed_share", "other_face"):
            _require(self, name, 0.0, 1.0)
        _require(self, "frozen_frames", 0, math.inf)
        _require(self, "min_frames", 1, math.inf)


@dataclass(frozen=True)
class PrepareSettings:
    """A preparation. All of it is kept in the output folder, and a run that goes on must have the same.

    Attributes
    ----------
    size : side of the stored pictures, pixels
    frame_rate : frames a second of the stored clips; None keeps each clip's own
    margin : side of the square crop over the longer side of the face, as in `media.cropping.FACE_MARGIN`
    least_margin : where the picture is too small for `margin`, the side over that of the box around all faces of the
        piece
    quality : of the stored JPEG pictures, 1 to 100
    shard_megabytes : size at which a shard is full
    """

    size: int = 512
    frame_rate: float | None = None
    margin: float = 2.0
    least_margin: float = 1.25
    quality: int = 95
    shard_megabytes: float = 512.0
    cutting: Cutting = field(default_factory=Cutting)
    filters: Filters = field(default_factory=Filters)

    def __post_init__(self) -> None:
        _require(self, "size", 32, 4096)
        if self.size % 8:
            raise SettingsError(
                f"the size of training pictures must be a multiple of 8, not {self.size}: use {round(self.size / 8) * 8}"
            )
        if self.frame_rate is not None:
            _require(self, "frame_rate", 1.0, 240.0)
        _require(self, "least_margin", 1.0, 10.0)
        _require(self, "margin", self.least_margin, 10.0)
        _require(self, "quality", 1, 100)
        _require(self, "shard_megabytes", 0.01, 1e6)
        if self.cutting.max_frames < self.filters.min_frames:
            raise SettingsError(
                f"pieces of at least {self.filters.min_frames} frames cannot be of at most {self.cutting.max_frames}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Every setting, as it is written to `settings.json`."""
        return dataclasses.asdict(self)


def _require(settings: object, name: str, least: float, most: float) -> None:
    value = getattr(settings, name)
    if not is_number(value) or not least <= value <= most:
        bound = f"at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
        raise SettingsError(f"`{name}` must be a number {bound}, not {value!r}")
