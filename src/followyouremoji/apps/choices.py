"""Options of commands, made from what the settings declare, and the flags by which messages name settings."""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from functools import wraps
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from followyouremoji.broadcast.request import LiveRequest
from followyouremoji.errors import UserError
from followyouremoji.executors.settings import ClusterChoice
from followyouremoji.job_server.keys import Limits
from followyouremoji.job_server.settings import ServerSettings
from followyouremoji.options import Panel, bound, extra, options
from followyouremoji.requests.request import AnimationRequest
from followyouremoji.stickers.request import PackRequest, StickerRequest
from followyouremoji.studio.settings import StudioSettings

FLAGS = {
    "path": ("--output", "-o"),
    "side_by_side": ("--side-by-side",),
    "sound": (" /--no-sound",),
    "show": (" /--no-show",),
    "page": ("--page",),
    "virtual_camera": ("--virtual-camera",),
    "mirror": ("--mirror/--no-mirror",),
    "overwrite": ("--overwrite",),
    "loras": ("--lora",),
    "driving": ("DRIVING",),
    "face": ("--face",),
    "faces": ("--face",),
    "scale": ("--lora",),
    "resume": ("--job",),
    "frame_rate": ("--fps",),
    "guidance_scale": ("--guidance",),
    "crop": ("--crop/--no-crop",),
    "paste_back": ("--paste/--no-paste",),
    "offload": ("--offload/--no-offload",),
    "compiled": ("--compile",),
    "detector_bundle": ("--bundle",),
    "services": ("--for",),
    "backdrop": ("--background",),
    "outline": ("--outline/--no-outline",),
    "closing": ("--loop",),
    "expressions": ("--only",),
}
"""Where they are not the setting's own name."""

METAVARS = {
    "loras": "FILE[:SCALE]",
    "faces": "N|all|N=DRIVING",
    "start": "FRAME|TIME",
    "stop": "FRAME|TIME",
    "duration": "FRAMES|TIME",
    "frame_rate": "N|auto",
    "resume": "FOLDER",
    "points": "FILE",
    "cluster": "ADDRESS",
    "background": "COLOUR",
    "max_side": "PIXELS",
    "pose": "NAME=AMOUNT",
    "camera": "N|CLIP",
    "record": "FILE",
    "head": "WAY",
    "long_clips": "WAY",
    "portrait_expression": "WAY",
    "speed": "LEVEL",
    "services": "SERVICE",
    "expressions": "EXPRESSION",
    "font": "FILE",
    "certificate": "FILE",
    "private_key": "FILE",
    "timestamp_authority": "URL",
}
"""Where they are not the type's own, which is long where there are many choices; the help names these."""

KNOWN = {
    "scale",
    "face",
    *(
        name
        for kind in (
            AnimationRequest,
            ClusterChoice,
            LiveRequest,
            PackRequest,
            StickerRequest,
            StudioSettings,
            ServerSettings,
            Limits,
        )
        for name, _ in options(kind)
    ),
}


def flags(name: str) -> tuple[str, ...]:
    """How a setting is named on the command line."""
    return FLAGS.get(name, (f"--{name.replace('_', '-')}",))


def with_flags(sentence: str, settings: Iterable[str]) -> str:
    """A sentence with the flags of the settings that it is about."""
    named = ", ".join(flags(name)[0].removeprefix(" /") for name in settings if name in KNOWN)
    if not named:
        return sentence
    return f"{sentence[:-1]} ({named})." if sentence.endswith(".") else f"{sentence} ({named})"


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """A command as typer reads it: a parameter that is annotated with a class of settings stands for an option each,
    and is given what they make. `Annotated` with a tuple of names, it stands for those alone.

    Options stand in the order of `Panel`. Errors that name settings get their flags.
    """
    own = inspect.signature(command, eval_str=True).parameters
    groups: dict[str, tuple[Any, list[str]]] = {}
    placed: list[tuple[int, inspect.Parameter]] = []
    panels = [None, *get_args(Panel)]
    for one in own.values():
        kind, names = one.annotation, None
        if get_origin(kind) is Annotated:
            kind, names = get_args(kind)[:2]
        if is_dataclass(kind):
            fields = {name: field for name, field in options(kind) if names is None or name in names}
            groups[one.name] = kind, [*fields]
            placed += [
                (panels.index(extra(field, "panel")), parameter(name, field))
                for name, field in fields.items()
            ]
        else:
            placed.append((0, one.replace(kind=inspect.Parameter.KEYWORD_ONLY)))
    parameters = [one for _, one in sorted(placed, key=lambda pair: pair[0])]

    @wraps(command)
    def run(**given: Any) -> None:
        try:
            for group, (kind, names) in groups.items():
                given[group] = made(kind, {name: given.pop(name) for name in names})
            command(**given)
        except UserError as error:
            error.args, error.settings = (with_flags(str(error), error.settings),), ()
            raise

    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def made(kind: Any, given: dict[str, Any]) -> Any:
    """Settings of the options that were given."""
    values = {}
    for name, field in kind.__pydantic_fields__.items():
        if is_dataclass(field.annotation):
            values[name] = made(field.annotation, given)
        elif (value := given.get(name)) is not None:
            values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    """A setting as a parameter of a command: an argument where it is in no panel of options."""
    words = re.sub(r"`([^`]*)`", r"[bold]\1[/]", field.description or "")
    kind, default = field.annotation, field.default
    otherwise = extra(field, "otherwise")
    if extra(field, "panel") is None:
        if get_origin(kind) is tuple:  # only one argument of a command could take several
            kind = str
        mark: Any = typer.Argument(metavar=name.upper(), help=words, show_default=otherwise or False)
        if field.is_required():
            default = inspect.Parameter.empty
    else:
        if bool in get_args(kind) and default == "auto":
            kind, default = Union[bool, None], None  # noqa: UP007
        elif name == "pose":
            kind = Union[str, None]  # noqa: UP007
        elif get_origin(kind) is tuple:
            kind, default = Union[list[str], None], None  # noqa: UP007
        how: dict[str, Any] = {"min": bound(field, "ge"), "max": bound(field, "le")}
        if name == "frame_rate":
            how = {"parser": rate}
        mark = typer.Option(
            *flags(name),
            help=words,
            metavar=METAVARS.get(name),
            **how,
            rich_help_panel=extra(field, "panel"),
            show_default=(otherwise or False) if default is None else not isinstance(default, bool),
        )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, mark]
    )


def rate(text: str) -> float | None:
    """Frames a second; None for "auto"."""
    try:
        return None if text.strip().lower() == "auto" else float(text)
    except ValueError:
        raise typer.BadParameter("give frames a second, such as 25, or auto") from None
