"""`fye motion`: motion files out of clips, a preview of what a face will do, and what a motion file holds."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated

import typer

from followyouremoji.apps import choices
from followyouremoji.apps.help import examples
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.requests.request import AnimationRequest, ClipSettings, Output
from followyouremoji.settings import AnimationSettings

motion_app = typer.Typer(
    no_args_is_help=True,
    help="Motion files: the movements of a face, to use again; and a quick look ahead.",
    epilog=examples(
        "fye motion extract talk.mp4 talk.fyemotion",
        "fye animate me.jpg talk.fyemotion  # plays on any portrait",
        "fye motion preview me.jpg talk.mp4 look.mp4  # landmarks alone, quick",
    ),
)


@motion_app.command(
    epilog=examples(
        "fye motion extract talk.mp4 talk.fyemotion",
        "fye motion extract talk.mp4 part.fyemotion --start 2s --duration 3s --face 2",
    )
)
@choices.expanded
def extract(
    clip: Annotated[
        str,
        typer.Argument(
            metavar="CLIP",
            help="A clip, a motion that the papers' authors released (.npy), or [bold]bundled:NAME[/].",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The motion file; its name ends in .fyemotion.")],
    *,
    part: ClipSettings,
    settings: Annotated[AnimationSettings, ("frame_rate", "detector_bundle")],
    output: Annotated[Output, ("overwrite",)],
    face: Annotated[
        int | None,
        typer.Option(
            help="Which face of the clip, 1 is the furthest to the left.", min=1, show_default="the largest"
        ),
    ] = None,
) -> None:
    """Follow the face in CLIP once, and keep its motion as a small file that plays on any portrait."""
    from followyouremoji.apps.output import say
    from followyouremoji.apps.screen import Screen
    from followyouremoji.errors import MotionError
    from followyouremoji.face.detection import FaceDetector
    from followyouremoji.face.motion import MOTION_ENDING
    from followyouremoji.requests.bundled import driving_source
    from followyouremoji.requests.driving import Driving
    from followyouremoji.requests.result import check_output

    driving = Driving(driving_source(clip), part.range, settings.frame_rate)
    check_output(out, (MOTION_ENDING,), output.overwrite, MotionError, "the motion")
    with FaceDetector(settings.detector_bundle) as detector, Screen() as screen:
        motion = driving.track(detector, face, part.smooth, screen)
    motion.save(out, output.overwrite)
    say(f"{out}: {len(motion)} frames, {motion.duration:.1f} s, {out.stat().st_size / 1e3:.0f} kB.")


PREVIEWED = (
    *("portrait", "driving", "points"),
    *(field.name for kind in (ClipSettings, AlignmentSettings) for field in fields(kind)),
    *("frame_rate", "driving_face", "faces", "crop", "detector_bundle", "overwrite"),
)


@motion_app.command(
    epilog=examples(
        "fye motion preview me.jpg talk.mp4 look.mp4",
        "fye motion preview bundled:ada bundled:hello look.gif --mouth 1.3",
        "fye motion preview us.jpg talk.mp4 look.mp4 --face all  # every face",
    )
)
@choices.expanded
def preview(
    request: Annotated[AnimationRequest, PREVIEWED],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The clip to write; a picture where the driving is one.")
    ],
    *,
    size: Annotated[int, typer.Option(help="Side of the clip, pixels.", min=64, max=2048)] = 512,
) -> None:
    """Draw the landmarks that a model would follow over the portrait. Quick, because no model runs."""
    from followyouremoji.apps.output import say
    from followyouremoji.apps.screen import Screen
    from followyouremoji.requests.driving import counted
    from followyouremoji.requests.preview import preview as run

    output = Output(path=out, overwrite=request.output.overwrite)
    with Screen() as screen:
        outcome = run(replace(request, output=output), size, screen)
    say(f"{out}: the landmarks of {counted(outcome.frames)}.")


@motion_app.command(
    epilog=examples("fye motion make keyframes.json mine.fyemotion", "fye animate me.jpg mine.fyemotion")
)
@choices.expanded
def make(
    keyframes: Annotated[
        Path,
        typer.Argument(metavar="KEYFRAMES", help="Poses at moments, a .json file: see docs/guides/poses.md."),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The motion file; its name ends in .fyemotion.")],
    *,
    output: Annotated[Output, ("overwrite",)],
) -> None:
    """Make a motion, which plays on any portrait, of poses at moments that you write down."""
    from followyouremoji.apps.output import say
    from followyouremoji.errors import MotionError
    from followyouremoji.face.keyframes import read_keyframes
    from followyouremoji.face.motion import MOTION_ENDING
    from followyouremoji.requests.driving import counted
    from followyouremoji.requests.result import check_output

    check_output(out, (MOTION_ENDING,), output.overwrite, MotionError, "the motion")
    motion = read_keyframes(keyframes).motion(keyframes.name)
    motion.save(out, output.overwrite)
    say(f"{out}: {counted(len(motion))}, {motion.duration:.1f} s.")


@motion_app.command(epilog=examples("fye motion info talk.fyemotion", "fye motion info bundled:hello"))
def info(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A motion file (.fyemotion, or one that the papers' authors released, .npy), or [bold]bundled:NAME[/].",
        ),
    ],
) -> None:
    """Show what a motion file holds: source, length, size, and where the face was missing."""
    from followyouremoji.apps.output import say
    from followyouremoji.errors import MotionError, shown
    from followyouremoji.face.alignment import neutral_frame
    from followyouremoji.face.motion import MOTION_ENDINGS, Motion
    from followyouremoji.requests.bundled import driving_source

    motion = driving_source(file)
    if isinstance(motion, Path):
        if motion.suffix.lower() not in MOTION_ENDINGS:
            raise MotionError(
                f"{motion} is not a motion file ({' or '.join(MOTION_ENDINGS)}); make one with fye motion extract"
            )
        motion = Motion.read(motion)
    missing = len(motion) - int(motion.found.sum())
    say(f"source       {shown(motion.source)}")
    say(f"frames       {len(motion)}, {motion.duration:.2f} s at {motion.frame_rate:g} frames a second")
    say(f"seen in      pictures of {motion.size[0]}x{motion.size[1]} pixels")
    say(f"face         {f'missing in {missing} frames, filled in' if missing else 'found in every frame'}")
    say(f"expressions  {'52 scores a frame' if motion.blendshapes is not None else 'no scores'}")
    say(f"most relaxed frame  {neutral_frame(motion)}")
    if motion.rest is not None:
        say("rest         known: the motion is measured from it")
