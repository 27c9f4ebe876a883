"""A sticker, or a pack of them, that somebody asks for, as data: checked when it is made. Needs neither NumPy nor
torch."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, field_validator, model_validator

from followyouremoji.config import validated
from followyouremoji.errors import SettingsError, shown
from followyouremoji.face.expressions import EXPRESSIONS, NAMED_EXPRESSIONS
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.options import option
from followyouremoji.requests.request import (
    AnimationRequest,
    ClipSettings,
    FaceChoice,
    Loras,
    ModelChoice,
    listed,
    loras_option,
    points_option,
)
from followyouremoji.settings import AnimationSettings, Switch
from followyouremoji.stickers.services import SERVICES

Backdrop = Literal["remove", "keep"]
Closing = Literal["blend", "pingpong"]


@validated
class StickerLook:
    """What is seen beside the moving face."""

    backdrop: Backdrop = option(
        "remove",
        "The portrait's background: `remove` leaves head and hair alone, `keep` a square of the picture around the face.",
        panel="Result",
    )
    outline: Switch = option(
        "auto",
        "A white outline around what is seen.",
        panel="Result",
        otherwise="where the service asks for one, and the background is removed",
    )
    caption: str | None = option(
        None, "A short text below the face, in any script.", panel="Result", otherwise="none", min_length=1
    )
    font: Path | None = option(
        None,
        "The caption's font, a .ttf or .otf file.",
        panel="Result",
        otherwise="one that is installed and has its letters",
        strict=False,
    )


@validated
class PortraitRequest:
    """What a sticker and a pack have in common: the portrait, the services, the look and the model."""

    portrait: str = option(..., "The picture to animate, or `bundled:NAME` (ada, max, emoji, stone, fox).")
    services: Annotated[tuple[str, ...], BeforeValidator(listed)] = option(
        (),
        f"What the result is for, which sets its kind and limits: {', '.join(SERVICES)}; several times for several.",
        panel="Result",
        otherwise="has to be given",
        strict=False,
        validate_default=True,
    )
    look: StickerLook = StickerLook()
    face: int | None = option(
        None,
        "Which face of the portrait, 1 is the furthest to the left.",
        panel="Framing",
        otherwise="the largest",
        ge=1,
    )
    points: Path | None = points_option()
    model: ModelChoice = ModelChoice()
    loras: Loras = loras_option()
    alignment: AlignmentSettings = AlignmentSettings()
    settings: AnimationSettings = AnimationSettings()
    """Its `loop` is not read: a sticker's is in the request."""
    overwrite: bool = option(False, "Replace the output if it exists.", panel="Result")

    @field_validator("services")
    @classmethod
    def _are_known(cls, services: tuple[str, ...]) -> tuple[str, ...]:
        known = ", ".join(SERVICES)
        if not services:
            raise ValueError(f"say what the result is for: {known}")
        for service in services:
            if service not in SERVICES:
                raise ValueError(f"{shown(repr(service))} is not known; known are {known}")
        return tuple(dict.fromkeys(services))

    @model_validator(mode="after")
    def _names_one_face(self) -> Self:
        if self.points is not None and self.face is not None:
            raise SettingsError(
                "points on a face say which one is animated: leave the face's number out",
                settings=("points", "face"),
            )
        return self

    def animation(self, driving: str) -> AnimationRequest:
        """The animation that is made for it, as the model's checks and notes take it."""
        return AnimationRequest(
            portrait=self.portrait,
            driving=driving,
            model=self.model,
            loras=self.loras,
            alignment=self.alignment,
            settings=self.settings,
            faces=() if self.face is None else (FaceChoice(face=self.face),),
            points=self.points,
        )


@validated
class StickerClip(ClipSettings):
    """As of any animation, but that the beginning of a long motion is used only where it is named."""

    start: str | None = option(
        None,
        "Where in the driving to begin: the number of a frame from 0 on, or a time such as 1.5s or 0:12.",
        panel="Motion",
        otherwise="where it is liveliest, if it is longer than the service takes",
    )


@validated
class StickerRequest(PortraitRequest):
    """A portrait and a motion, as a sticker for one service or several.

    >>> StickerRequest(portrait="me.jpg", driving="smile", services=("telegram",))

    Raises UserError, of a kind that suits it, for values that cannot be used; files are not looked at yet.
    """

    driving: str = option(
        ...,
        f"What moves it: a clip, a motion file, `bundled:hello`, or an expression ({', '.join(NAMED_EXPRESSIONS)}).",
    )
    path: Path | None = option(
        None,
        "The file, or a folder for several services.",
        panel="Result",
        otherwise="PORTRAIT_MOTION_SERVICE in this folder",
        strict=False,
    )
    clip: StickerClip = field(default_factory=StickerClip)
    closing: Closing = option(
        "blend",
        "How the sticker goes on with its beginning: `blend` leads the last half second back into the first pose, `pingpong` "
        "goes forwards and backwards.",
        panel="Motion",
    )


@validated
class PackRequest(PortraitRequest):
    """A portrait's expressions as a pack of stickers for one service or several.

    >>> PackRequest(portrait="me.jpg", services=("telegram", "signal"))

    Raises as `StickerRequest`.
    """

    path: Path | None = option(
        None,
        "The folder, in which each service gets one of its own.",
        panel="Result",
        otherwise="PORTRAIT_stickers in this folder",
        strict=False,
    )
    expressions: Annotated[tuple[str, ...], BeforeValidator(listed)] = option(
        NAMED_EXPRESSIONS,
        "An expression of the pack; several times for several.",
        panel="Result",
        otherwise=f"these {len(NAMED_EXPRESSIONS)}: {', '.join(NAMED_EXPRESSIONS)}",
        strict=False,
        min_length=1,
    )

    @field_validator("expressions")
    @classmethod
    def _are_expressions(cls, expressions: tuple[str, ...]) -> tuple[str, ...]:
        for name in expressions:
            if name not in EXPRESSIONS:
                raise ValueError(
                    f"there is no expression {shown(repr(name))}; there are {', '.join(EXPRESSIONS)}"
                )
        return tuple(dict.fromkeys(expressions))
