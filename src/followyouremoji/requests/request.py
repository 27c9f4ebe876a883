"""An animation that somebody asks for, or a batch of them, as data: checked when it is made, with a JSON schema. Needs
neither NumPy nor torch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from followyouremoji.config import validated
from followyouremoji.errors import SettingsError, UserError
from followyouremoji.face.expressions import NAMED_EXPRESSIONS
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.options import option
from followyouremoji.settings import AnimationSettings

if TYPE_CHECKING:
    from followyouremoji.media.ranges import ClipRange

Precision = Literal["fp32", "fp16", "bf16"]
Format = Literal["mp4", "webm", "gif", "webp", "apng", "frames"]


@validated
class Output:
    """What is written, and where."""

    path: Path | None = option(
        None,
        "The file to write: .mp4, .webm, .gif, .webp, .apng, or a folder of PNGs; a picture where the driving is one.",
        panel="Result",
        otherwise="me_smile.mp4 for me.jpg and smile.mp4",
        strict=False,
    )
    side_by_side: bool = option(
        False, "Show driving, landmarks, portrait and result in a row.", panel="Result"
    )
    sound: bool = option(
        True, "Keep the driving clip's sound, as by default, or leave it out.", panel="Result"
    )
    overwrite: bool = option(False, "Replace the output if it exists.", panel="Result")
    max_side: int | None = option(
        None,
        "Most pixels of the result's longer side; a larger portrait is scaled down before any work.",
        panel="Result",
        otherwise="for .mp4, what common players can show",
        ge=64,
    )
    background: str | None = option(
        None,
        "What a transparent portrait is laid on, such as `white` or `#3060a0`.",
        panel="Result",
        otherwise="transparent; white in .mp4 and .jpg",
    )
    watermark: bool = option(
        False,
        "Put an invisible mark into the pictures, which `fye inspect` finds where metadata are lost. Needs the extra `watermark`.",
        panel="Provenance",
    )
    certificate: Path | None = option(
        None,
        "Sign where the result comes from with this certificate of yours, a PEM file (C2PA; .mp4, .gif, .webp, .apng, .png, .jpg). "
        "Needs the extra `provenance`.",
        panel="Provenance",
        otherwise="the environment variable FYE_CERTIFICATE, or not signed",
        strict=False,
    )
    private_key: Path | None = option(
        None,
        "The certificate's private key, a PEM file.",
        panel="Provenance",
        otherwise="the environment variable FYE_PRIVATE_KEY",
        strict=False,
    )
    timestamp_authority: str | None = option(
        None,
        "The address of a timestamp authority (RFC 3161), which is asked to vouch for when it was signed.",
        panel="Provenance",
        otherwise="the environment variable FYE_TIMESTAMP_AUTHORITY, or nobody is asked",
    )

    @field_validator("background")
    @classmethod
    def _is_colour(cls, text: str | None) -> str | None:
        if text is not None:
            from followyouremoji.media.pictures import colour

            colour(text)
        return text


@validated
class ModelChoice:
    """Which model animates, and how it is run."""

    weights: str = option(
        "bundled",
        "The model: `bundled` (drawn portraits), `released` (the authors', for photographs), or a checkpoint's folder.",
        panel="Model",
    )
    device: str | None = option(
        None,
        "Where the networks run: `cuda`, `cuda:1`, `mps` or `cpu`; several GPUs share a long clip: `cuda:0,cuda:1`.",
        panel="Model",
        otherwise="a GPU if there is one",
    )
    dtype: Precision | None = option(
        None,
        "Precision of the networks' numbers; 16 bits need half the memory.",
        panel="Model",
        otherwise="bf16 or fp16 on GPUs, fp32 on CPUs",
    )
    decoder: str = option(
        "full",
        "The network that makes the pictures in the end: `full`, the model's own; `small`, a much quicker one for previews and live "
        "use, for the released weights and others with Stable Diffusion's autoencoder (`fye weights download --small-decoder` "
        "fetches it); or the file of one that you distilled.",
        panel="Model",
        min_length=1,
    )
    offload: bool | None = option(
        None,
        "Save memory: hold only the networks that are at work (on a GPU, in its memory), first those that read the portrait, then "
        "the one that makes the frames. The result is the same to the bit.",
        panel="Advanced",
        otherwise="where the model is large for the device",
    )
    compiled: bool = option(
        False,
        "Compile the network with torch before it runs: meant for GPUs and long clips. Takes minutes at first, needs a C++ "
        "compiler (CPU) or Triton (GPU), and rounds differently.",
        panel="Advanced",
    )


@validated
class Lora:
    """A LoRA's file, and how much of it is added: 1 as it was trained."""

    file: Path = option(..., "The file.", strict=False)
    scale: float = option(1.0, "How much of it is added.", ge=-10.0, le=10.0)


def parse_lora(given: Any) -> Any:
    """`FILE` or `FILE:SCALE` as a Lora; an existing file's name is taken as it is. Mappings are read, too."""
    if isinstance(given, Mapping):
        return Lora(**given)
    if not isinstance(given, str):
        return given
    name, colon, number = given.rpartition(":")
    if colon and not Path(given).exists():
        with suppress(ValueError):
            return Lora(file=Path(name), scale=float(number))
    return Lora(file=Path(given))


Loras = tuple[Annotated[Lora, BeforeValidator(parse_lora)], ...]


def loras_option() -> Any:
    """The option for `Loras`."""
    return option(
        (),
        "The look of one person or character, a file of `fye train lora`, and how strongly it acts, 1 by default; may be given "
        "several times.",
        panel="Model",
        otherwise="none",
        strict=False,
    )


@validated
class FaceChoice:
    """A face of the portrait that moves, and what drives it."""

    face: Annotated[int, Field(ge=1)] | Literal["all"] = option(
        ..., "Its number, 1 is the furthest to the left, or all of them."
    )
    driving: str | None = option(
        None, "What moves it, as the request's driving.", otherwise="the request's driving", min_length=1
    )

    @field_validator("face", mode="before")
    @classmethod
    def _is_face(cls, face: Any) -> Any:
        if face == "all" or (type(face) is int and face >= 1):
            return face
        raise ValueError(f"{face} is no face: give its number, 1 is the furthest to the left, or all")


def parse_face(given: Any) -> Any:
    """`N`, `all` or `N=DRIVING` as a FaceChoice. Mappings are read, too."""
    if isinstance(given, Mapping):
        return FaceChoice(**given)
    if not isinstance(given, str):
        return given
    name, equals, driving = given.partition("=")
    if equals and not driving:
        raise ValueError(
            f"{given} names no driving; write {name}=FILE, or {name} alone for the request's driving"
        )
    number: Any = int(name) if name.isdecimal() else name
    return FaceChoice(face=number, driving=driving or None)


Faces = tuple[Annotated[FaceChoice, BeforeValidator(parse_face)], ...]


def faces_option(words: str) -> Any:
    """The option for `Faces`."""
    return option((), words, panel="Framing", otherwise="the largest", strict=False)


def points_option() -> Any:
    """The option for a file of points on the portrait's face."""
    return option(
        None,
        "A file of points placed on the portrait's face by hand, where none is found or the landmarks are wrong; `fye points` "
        "makes one.",
        panel="Framing",
        otherwise="the face is looked for",
        strict=False,
    )


@validated
class ClipSettings:
    """The part of the driving that is used, and how it is tracked."""

    start: str | None = option(
        None,
        "Where in the driving to begin: the number of a frame from 0 on, or a time such as 1.5s or 0:12.",
        panel="Motion",
        otherwise="its beginning",
    )
    stop: str | None = option(
        None,
        "Where in the driving to end, given in the same ways; that frame is left out.",
        panel="Motion",
        otherwise="the end",
    )
    duration: str | None = option(
        None,
        "How much of the driving to use, in place of an end: frames, or a time such as 3s.",
        panel="Motion",
        otherwise="up to the end",
    )
    smooth: float = option(
        1.0,
        "How much trembling of a clip's landmarks to take out, 0 for none. A motion file was smoothed when it was made.",
        panel="Motion",
        ge=0.0,
        le=5.0,
    )

    @model_validator(mode="after")
    def _is_range(self) -> Self:
        _ = self.range
        return self

    @property
    def range(self) -> ClipRange:
        """The part. Raises ClipError for texts that name none."""
        from followyouremoji.media.ranges import ClipRange, parse_moment

        moments = {}
        for name in ("start", "stop", "duration"):
            text = getattr(self, name)
            try:
                moments[name] = None if text is None else parse_moment(text)
            except UserError as error:
                error.settings = (name,)
                raise
        return ClipRange(moments["start"] or 0, moments["stop"], moments["duration"])


@validated
class AnimationRequest:
    """A portrait, what drives it, and everything that can be set.

    >>> AnimationRequest(portrait="me.jpg", driving="smile.mp4", settings=AnimationSettings(seed=7))
    >>> config.parse(AnimationRequest, '{"portrait": "me.jpg", "driving": "smile.mp4"}', "the request")

    Raises UserError, of a kind that suits it, for values that cannot be used; files are not looked at yet.
    """

    portrait: str = option(..., "The picture to animate, or `bundled:NAME` (ada, max, emoji, stone, fox).")
    driving: str | None = option(
        None,
        "What moves it: a clip, a picture, a motion file (.fyemotion, or a released .npy), or `bundled:NAME` (hello, talk, "
        f"{', '.join(NAMED_EXPRESSIONS)}).",
        otherwise="what is given for each face",
    )
    output: Output = Output()
    model: ModelChoice = ModelChoice()
    loras: Loras = loras_option()
    clip: ClipSettings = field(default_factory=ClipSettings)  # its check imports NumPy
    alignment: AlignmentSettings = AlignmentSettings()
    settings: AnimationSettings = AnimationSettings()
    faces: Faces = faces_option(
        "Which face of the portrait moves, 1 is the furthest to the left: `2`, `all`, or `2=wink.mp4` with a driving of its own; "
        "several times for several faces. The others keep still."
    )
    points: Path | None = points_option()
    resume: Path | None = option(
        None,
        "For long clips: keep what is finished in this folder. After a break, even a crash, the same request goes on from there.",
        panel="Result",
        otherwise="nothing is kept",
        strict=False,
    )

    @model_validator(mode="after")
    def _drives_each_face(self) -> Self:
        _ = self.driven
        return self

    @property
    def driven(self) -> dict[int | Literal["all"] | None, str]:
        """What drives which face: a number from the left, all of them, or None, the largest."""
        named = [choice.face for choice in self.faces]
        twice = next((face for face in named if named.count(face) > 1), None)
        if twice is not None:
            raise _faces_error(f"{_in_words(twice)} named twice: name each face once")
        if "all" in named and len(named) > 1:
            raise _faces_error("all faces are named, and single ones as well: name either")
        own = [choice for choice in self.faces if choice.driving is not None]
        if self.driving is not None and self.faces and len(own) == len(self.faces):
            raise _faces_error(
                f"{self.driving} drives no face, since each face that is named has a driving of its own: leave it out, or name a "
                "face without one"
            )
        driven: dict[int | Literal["all"] | None, str] = {}
        for choice in self.faces:
            driven[choice.face] = choice.driving or self._own_driving(_in_words(choice.face))
        return driven or {None: self._own_driving("the face is")}

    def _own_driving(self, whose: str) -> str:
        if self.driving is None:
            raise SettingsError(
                f"{whose} to move, but nothing is given that drives it: a clip, a picture, a motion file or bundled:hello",
                settings=("driving", "faces"),
            )
        return self.driving


@validated
class BatchOutput(Output):
    """What a batch writes, and where."""

    path: Path = option(
        Path("batch"),
        "The folder of the results, PORTRAIT_MOTION.mp4 each. It is made where there is none.",
        panel="Result",
        strict=False,
    )
    format: Format = option(
        "mp4",
        "What results are written as; `frames` are folders of PNGs. Of a motion of one frame a PNG is made.",
        panel="Result",
    )
    overwrite: bool = option(
        False,
        "Replace results that were made of other inputs or settings; those that are as asked for stay.",
        panel="Result",
    )


def listed(given: Any) -> Any:
    """One text as a list of it."""
    return (given,) if isinstance(given, str) else given


@validated
class BatchRequest:
    """Many portraits, each animated by many motions, all with the same settings.

    >>> BatchRequest(portraits="portraits/", motions=("smile.mp4", "bundled:hello"))

    Raises as `AnimationRequest`.
    """

    portraits: Annotated[tuple[str, ...], BeforeValidator(listed)] = option(
        ...,
        "The pictures to animate: a folder, a file, `bundled:NAME`, or a list in a .txt with one of these a line.",
        strict=False,
    )
    motions: Annotated[tuple[str, ...], BeforeValidator(listed)] = option(
        ...,
        "What moves each of them: clips, pictures and motion files, given in the same ways.",
        strict=False,
    )
    output: BatchOutput = BatchOutput()
    model: ModelChoice = ModelChoice()
    loras: Loras = loras_option()
    faces: Faces = faces_option(
        "Which face of each portrait moves, 1 is the furthest to the left: `2`, or `all`; several times for several faces."
    )
    clip: ClipSettings = field(default_factory=ClipSettings)
    alignment: AlignmentSettings = AlignmentSettings()
    settings: AnimationSettings = AnimationSettings()

    def pair(self, portrait: str, driving: str, path: Path) -> AnimationRequest:
        """The request of one result."""
        same = {one.name: getattr(self.output, one.name) for one in fields(Output)}
        return AnimationRequest(
            portrait=portrait,
            driving=driving,
            output=Output(**{**same, "path": path}),
            model=self.model,
            loras=self.loras,
            faces=self.faces,
            clip=self.clip,
            alignment=self.alignment,
            settings=self.settings,
        )


def _in_words(face: int | Literal["all"]) -> str:
    return "all faces are" if face == "all" else f"face {face} is"


def _faces_error(message: str) -> SettingsError:
    return SettingsError(message, settings=("faces",))
