"""What a client asks for, as data: the settings of an animation, without what is
for the server's owner to set, such as files of the server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from followyouremoji.config import validated
from followyouremoji.errors import SettingsError
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.options import option
from followyouremoji.requests.bundled import PREFIX
from followyouremoji.requests.request import AnimationRequest, ClipSettings, FaceChoice, ModelChoice, Output
from followyouremoji.settings import AnimationSettings

PARTS = ("portrait", "motion")
"""Of a request, which are uploaded or are names of what is bundled."""
LARGEST_SIZE = 2048
"""Pixels of the generated square's side: the work grows with its square."""

OWNERS = ("overwrite", "timestamp_authority")
"""Settings, beside paths, that are not the client's: nothing is replaced, and the server asks no address for it."""

Format = Literal["mp4", "webm", "gif", "webp", "apng"]


@validated
class JobSettings:
    """How a job's portrait is animated; as in a request of `fye animate`, without what is not
    the client's."""

    format: Format = option("mp4", "What the result is; of a motion of one frame it is a PNG.")
    faces: tuple[Annotated[int, Field(ge=1)], ...] | Literal["all"] = option(
        (),
        "Numbers of the faces that move, 1 is the furthest to the left, or `all`.",
        otherwise="the largest",
    )
    output: Output = Output()
    clip: ClipSettings = field(default_factory=ClipSettings)
    alignment: AlignmentSettings = AlignmentSettings()
    settings: AnimationSettings = AnimationSettings()

    @model_validator(mode="after")
    def _names_no_file(self) -> Self:
        named = next(_owners(self), None)
        if named is not None:
            raise SettingsError(f"`{named}` is for the server's owner to set: leave it out", settings=[named])
        if self.settings.size is not None and self.settings.size > LARGEST_SIZE:
            raise SettingsError(
                f"a `size` of {self.settings.size} pixels is too large: up to {LARGEST_SIZE} are taken here",
                settings=["size"],
            )
        return self


def _owners(settings: Any) -> Iterator[str]:
    """Names of the settings that are given and not the client's."""
    for one in fields(settings):
        value = getattr(settings, one.name)
        if isinstance(value, Path) or (one.name in OWNERS and value):
            yield one.name
        elif is_dataclass(value):
            yield from _owners(value)


def settings_schema(definitions: str) -> dict[str, Any]:
    """The JSON schema of `JobSettings`, whose parts lie at `definitions`, without what is not the client's."""
    schema = TypeAdapter(JobSettings).json_schema(ref_template=f"{definitions}{{model}}")
    for kind in (schema, *schema["$defs"].values()):
        entries = kind.get("properties", {})
        for name in [name for name, entry in entries.items() if name in OWNERS or _is_path(entry)]:
            del entries[name]
    return schema


def _is_path(entry: dict[str, Any]) -> bool:
    return any(one.get("format") == "path" for one in (entry, *entry.get("anyOf", ())))


@validated
class JobRequest:
    """A job as it is kept. `portrait` and `motion` are names of files in the job's folder, or of what is bundled;
    `digest` tells whether a request is the same."""

    portrait: str
    motion: str
    settings: JobSettings
    digest: str


def animation_request(
    job: JobRequest, folder: Path, result: Path, model: ModelChoice, kept: Path | None
) -> AnimationRequest:
    """What a job in a folder asks for; what is finished is `kept` there, if anywhere. Raises UserError."""
    portrait, driving = (
        given if given.startswith(PREFIX) else str(folder / part / given)
        for part, given in zip(PARTS, (job.portrait, job.motion), strict=True)
    )
    named: tuple[int | Literal["all"], ...] = ("all",) if job.settings.faces == "all" else job.settings.faces
    return AnimationRequest(
        portrait=portrait,
        driving=driving,
        output=replace(job.settings.output, path=result),
        model=model,
        clip=job.settings.clip,
        alignment=job.settings.alignment,
        settings=job.settings.settings,
        faces=tuple(FaceChoice(face=face) for face in named),
        resume=kept,
    )
