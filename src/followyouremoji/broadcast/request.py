"""What a live portrait is asked for, as data, checked when it is made. Needs neither NumPy nor torch."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import model_validator

from followyouremoji.config import validated
from followyouremoji.errors import SettingsError
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.options import option
from followyouremoji.requests.request import Loras, ModelChoice, loras_option, points_option


@validated
class LiveRequest:
    """A portrait, the camera that moves it, and where it is shown.

    >>> LiveRequest(portrait="me.jpg", camera="0", record=Path("me.mp4"))

    Raises SettingsError for values that cannot be used; files and cameras are not looked at yet.
    """

    portrait: str = option(..., "The picture to animate, or `bundled:NAME` (ada, max, emoji, stone, fox).")
    camera: str = option(
        "0",
        "What moves it: a camera's number, 0 is the first, or a clip, which plays at its own speed.",
        panel="Motion",
    )
    mirror: bool | None = option(
        None,
        "Move as in a mirror, or as others see you.",
        panel="Result",
        otherwise="a mirror, but not for clips and virtual cameras",
    )
    size: int = option(
        512,
        "Longer side of the pictures, pixels; a larger portrait is scaled down to it first. Smaller is quicker.",
        panel="Result",
        ge=64,
        le=2048,
    )
    record: Path | None = option(
        None,
        "Record the portrait, with a clip's sound: .mp4, .webm, .gif, .webp or .apng.",
        panel="Result",
        otherwise="nothing is kept",
        strict=False,
    )
    overwrite: bool = option(False, "Replace the recording if it exists.", panel="Result")
    virtual_camera: bool = option(
        False, "Pass the portrait on as a camera that other programs can choose.", panel="Result"
    )
    show: bool = option(
        True, "Show the portrait, as by default, or only record it or pass it on.", panel="Page"
    )
    page: bool = option(
        False, "Show it on a page for the browser, also where a window could be opened.", panel="Page"
    )
    port: int = option(0, "The page's port; 0 takes one that is free.", panel="Page", ge=0, le=65535)
    face: int | None = option(
        None,
        "Which face of the portrait moves, 1 is the furthest to the left.",
        panel="Framing",
        otherwise="the largest",
        ge=1,
    )
    points: Path | None = points_option()
    model: ModelChoice = ModelChoice()
    loras: Loras = loras_option()
    alignment: AlignmentSettings = AlignmentSettings()

    @model_validator(mode="after")
    def _is_seen(self) -> Self:
        if not self.show and self.page:
            raise SettingsError(
                "the portrait is either shown on a page or not shown", settings=("page", "show")
            )
        if not self.show and self.record is None and not self.virtual_camera:
            raise SettingsError(
                "nobody would see the portrait: have it shown, recorded or passed on",
                settings=("show", "record", "virtual_camera"),
            )
        if self.points is not None and self.face is not None:
            raise SettingsError(
                "points on a face say which one moves: leave its number out", settings=("points", "face")
            )
        return self

    @property
    def number(self) -> int | None:
        """The number of the camera; None for a clip."""
        return int(self.camera) if self.camera.isdecimal() else None

    @property
    def mirrored(self) -> bool:
        """Whether the portrait moves as in a mirror. Calls mirror what they show to oneself, so what is passed on to
        them is not."""
        if self.mirror is not None:
            return self.mirror
        return self.number is not None and not self.virtual_camera
