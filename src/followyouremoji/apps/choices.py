"""Options that several commands share, each with its help text."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from followyouremoji.errors import ClipError, SettingsError

if TYPE_CHECKING:
    from followyouremoji.face.alignment import AlignmentSettings
    from followyouremoji.media.ranges import ClipRange

RESULT, MODEL, MOTION, FRAMING, ADVANCED = "Result", "Model", "Motion", "Framing", "Advanced"


SMOOTH = 1.0
"""How much trembling is taken out of a clip's landmarks where nothing else is asked for, see `Motion.smoothed`."""


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command as typer reads it: a parameter that is annotated with a function stands for the options which that
    takes, and is given what it makes of them."""
    groups: dict[str, tuple[Callable[..., Any], list[inspect.Parameter]]] = {}
    options: list[inspect.Parameter] = []
    for one in inspect.signature(command, eval_str=True).parameters.values():
        marks = getattr(one.annotation, "__metadata__", ())
        collect = next(filter(inspect.isfunction, marks), None)
        members = [one]
        if collect is not None:
            members = list(inspect.signature(collect).parameters.values())
            groups[one.name] = collect, members
        options += [member.replace(kind=inspect.Parameter.KEYWORD_ONLY) for member in members]

    @wraps(command)
    def run(**given: Any) -> None:
        for name, (collect, members) in groups.items():
            given[name] = collect(**{member.name: given.pop(member.name) for member in members})
        command(**given)

    run.__annotations__ = {option.name: option.annotation for option in options}
    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return run


def strength(text: str) -> typer.models.OptionInfo:
    return typer.Option(help=text, min=0.0, max=5.0, rich_help_panel=MOTION, show_default=True)


Portrait = Annotated[
    str,
    typer.Argument(
        metavar="PORTRAIT",
        help="The picture to animate, or [bold]bundled:NAME[/] (ada, max, emoji, stone, fox).",
    ),
]
DrivingFile = Annotated[
    str,
    typer.Argument(
        metavar="DRIVING",
        help="What moves it: a clip, a picture, a motion file (.fyemotion, or a released .npy), or "
        "[bold]bundled:NAME[/] (hello, talk).",
    ),
]
Loras = Annotated[
    list[str] | None,
    typer.Option(
        "--lora",
        metavar="FILE[:SCALE]",
        help="A LoRA of one person or character (fye train lora), at full strength or as much as SCALE says; may be given "
        "several times.",
        rich_help_panel=MODEL,
        show_default=False,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the output if it exists.", rich_help_panel=RESULT)
]
Start = Annotated[
    str,
    typer.Option(
        metavar="FRAME|TIME",
        help="Where in the driving to begin: the number of a frame from 0 on, or a time such as 1.5s or 0:12.",
        rich_help_panel=MOTION,
    ),
]
Stop = Annotated[
    str | None,
    typer.Option(
        metavar="FRAME|TIME",
        help="Where to end; the frame itself is left out.",
        rich_help_panel=MOTION,
        show_default="the end",
    ),
]
Duration = Annotated[
    str | None,
    typer.Option(
        metavar="FRAMES|TIME",
        help="How much of the driving to use, instead of --stop.",
        rich_help_panel=MOTION,
        show_default=False,
    ),
]
Fps = Annotated[
    str,
    typer.Option(
        "--fps",
        metavar="N|auto",
        help="Frames a second to generate; [bold]auto[/] takes the driving's own, of high-speed clips a whole fraction that is at most 60.",
        rich_help_panel=RESULT,
    ),
]
Face = Annotated[
    int | None,
    typer.Option(
        help="Which face of the portrait, 1 is the furthest to the left.",
        min=1,
        rich_help_panel=FRAMING,
        show_default="the largest",
    ),
]
DrivingFace = Annotated[
    int | None,
    typer.Option(
        help="Which face of the driving clip, 1 is the furthest to the left.",
        min=1,
        rich_help_panel=MOTION,
        show_default="the largest",
    ),
]
HeadMotion = Annotated[
    Literal["relative", "absolute", "none", "image"],
    typer.Option(
        help="Head motion: [bold]relative[/] to the portrait's own pose, [bold]absolute[/] as in the driving, "
        "[bold]none[/], or [bold]image[/]: landmarks as they are, not fitted to the portrait.",
        rich_help_panel=MOTION,
    ),
]
HeadStrength = Annotated[float, strength("How far the head moves.")]
Expression = Annotated[float, strength("How strong the expression is; 0 keeps the portrait's own.")]
Brows = Annotated[float, strength("The same for the brows alone.")]
Eyes = Annotated[float, strength("The same for the lids alone.")]
Mouth = Annotated[float, strength("The same for the mouth alone.")]
Gaze = Annotated[float, strength("How far the eyes look around.")]
Neutral = Annotated[
    int | None,
    typer.Option(
        help="Number of the driving frame with a relaxed face, counted from --start.",
        min=0,
        rich_help_panel=MOTION,
        show_default="found by itself",
    ),
]
PortraitExpression = Annotated[
    Literal["keep", "replace", "auto"],
    typer.Option(
        help="An expression that the portrait shows itself: [bold]keep[/] it and add the driving one, [bold]replace[/] it, or "
        "[bold]auto[/]: replace an open mouth, closed eyes and other plain ones.",
        rich_help_panel=MOTION,
    ),
]
ConjugateGaze = Annotated[
    Literal["auto", "on", "off"],
    typer.Option(
        help="Both eyes turned by one direction: [bold]auto[/] where a clip's two pupils disagree more than eyes can, "
        "[bold]on[/], or [bold]off[/]: each as it was tracked. Crossed eyes stay crossed. Not with --head absolute or image.",
        rich_help_panel=MOTION,
    ),
]
Smooth = Annotated[
    float,
    typer.Option(
        help="How much trembling of a clip's landmarks to take out; 0 is none. A motion file was smoothed when it was made.",
        min=0.0,
        max=5.0,
        rich_help_panel=MOTION,
    ),
]
Cropping = Annotated[
    bool | None,
    typer.Option(
        "--crop/--no-crop",
        help="Animate a square around the face, or the middle of the whole picture.",
        rich_help_panel=FRAMING,
        show_default="what suits model and picture",
    ),
]
Pasting = Annotated[
    bool | None,
    typer.Option(
        "--paste/--no-paste",
        help="Put the animated square back into the picture, or give the square alone.",
        rich_help_panel=FRAMING,
        show_default="paste what was cropped",
    ),
]
Offload = Annotated[
    bool | None,
    typer.Option(
        "--offload/--no-offload",
        help="Hold in memory, on a GPU in the GPU's, only the networks that are at work: those that read the portrait, then the one that makes "
        "the frames. The result is the same to the bit.",
        rich_help_panel=ADVANCED,
        show_default="where the model is large for the device",
    ),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Compile the network with torch before it runs: meant for GPUs and long clips. Takes minutes at first, needs a C++ compiler (CPU) or "
        "Triton (GPU), and rounds differently.",
        rich_help_panel=ADVANCED,
    ),
]
Bundle = Annotated[
    Path | None,
    typer.Option(
        help="Google's face_landmarker.task (fye weights download --face-landmarker): the relaxed frame is then chosen "
        "by its 52 expression scores, as in the released code. Slower.",
        rich_help_panel=ADVANCED,
        show_default=False,
    ),
]


def parse_rate(fps: Fps = "auto") -> float | None:
    """The frames a second that --fps asks for; None for "auto". Raises SettingsError."""
    if fps.strip().lower() == "auto":
        return None
    try:
        rate = float(fps)
    except ValueError:
        rate = 0.0
    if not 0.0 < rate <= 1000.0:
        raise SettingsError(f"--fps {fps} cannot be used: give frames a second, such as 25, or auto.")
    return rate


def parse_range(start: Start = "0", stop: Stop = None, duration: Duration = None) -> "ClipRange":
    """The part of a clip that --start, --stop and --duration ask for; raises ClipError, naming the option."""
    from followyouremoji.media.ranges import ClipRange, parse_moment

    moments = []
    for option, text in (("--start", start), ("--stop", stop), ("--duration", duration)):
        try:
            moments.append(None if text is None else parse_moment(text))
        except ClipError as reason:
            raise ClipError(f"{option}: {reason}") from None
    begin, end, length = moments
    return ClipRange(begin or 0, end, length)


def alignment_settings(
    head: HeadMotion = "relative",
    head_strength: HeadStrength = 1.0,
    expression: Expression = 1.0,
    brows: Brows = 1.0,
    eyes: Eyes = 1.0,
    mouth: Mouth = 1.0,
    gaze: Gaze = 1.0,
    neutral: Neutral = None,
    portrait_expression: PortraitExpression = "auto",
    conjugate_gaze: ConjugateGaze = "auto",
) -> "AlignmentSettings":
    from followyouremoji.face.alignment import AlignmentSettings

    return AlignmentSettings(
        head=head,
        head_strength=head_strength,
        expression=expression,
        brows=brows,
        eyes=eyes,
        mouth=mouth,
        gaze=gaze,
        neutral=neutral,
        portrait_expression=portrait_expression,
        conjugate_gaze=conjugate_gaze,
    )


# For parameters of commands that are `grouped`.
FrameRate = Annotated[float | None, parse_rate]
Part = Annotated["ClipRange", parse_range]
Alignment = Annotated["AlignmentSettings", alignment_settings]
