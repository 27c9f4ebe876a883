"""The command `fye`. Commands import what they need when they run, so that help comes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from followyouremoji.apps import choices
from followyouremoji.apps.choices import ADVANCED, MODEL, RESULT
from followyouremoji.apps.data import data_app
from followyouremoji.apps.lora import lora as lora_command
from followyouremoji.apps.motion import motion_app
from followyouremoji.apps.training import portraits_app, train_app
from followyouremoji.apps.weights import weights_app
from followyouremoji.version import __version__

app = typer.Typer(
    name="fye",
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Follow Your Emoji: animate [bold]any portrait[/] with the expressions of a driving video.",
    epilog="[bold]To begin[/]\n\n"
    "fye animate bundled:ada bundled:hello  [dim]both come with the program[/]\n\n"
    "fye animate me.jpg smile.mp4  [dim]makes me_smile.mp4, with the clip's sound[/]\n\n"
    "fye motion preview me.jpg smile.mp4 look.mp4  [dim]a look ahead, quick[/]\n\n"
    "fye weights list  [dim]which models are there[/]\n\n"
    "fye doctor  [dim]if something does not work[/]",
)
app.add_typer(motion_app, name="motion")
app.add_typer(weights_app, name="weights")
app.add_typer(portraits_app, name="portraits")
app.add_typer(data_app, name="data")
app.add_typer(train_app, name="train")
train_app.command("lora")(lora_command)


def print_version(wanted: bool) -> None:
    if wanted:
        print(f"fye {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command(
    epilog="[bold]Examples[/]\n\n"
    "fye animate me.jpg smile.mp4  [dim]writes me_smile.mp4[/]\n\n"
    "fye animate me.jpg smile.mp4 -o out.gif --stop 50  [dim]the first 50 frames, as a GIF[/]\n\n"
    "fye animate me.jpg speech.mp4 --start 0:12 --duration 3s  [dim]three seconds of it[/]\n\n"
    "fye animate me.jpg wink.png -o wink.jpg  [dim]one pose, one picture[/]\n\n"
    "fye animate me.jpg talk.fyemotion --mouth 1.3 --head none  [dim]a stronger mouth, a still head[/]\n\n"
    "fye animate me.jpg wink.mp4 --loop blend -o wink.webp  [dim]a sticker that plays on without a jump[/]\n\n"
    "fye animate me.jpg speech.mp4 --job speech-job  [dim]long; the same command goes on after a break[/]\n\n"
    "fye animate me.jpg smile.mp4 --side-by-side --weights released --steps 20"
)
@choices.grouped
def animate(
    portrait: choices.Portrait,
    driving: choices.DrivingFile,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The result: .mp4, .webm, .gif, .webp, .apng, or a folder of PNGs; a picture where the driving is one.",
            show_default="PORTRAIT_DRIVING.mp4 in this folder",
            rich_help_panel=RESULT,
        ),
    ] = None,
    side_by_side: Annotated[
        bool,
        typer.Option(
            "--side-by-side", help="Driving, landmarks, portrait and result in a row.", rich_help_panel=RESULT
        ),
    ] = False,
    no_sound: Annotated[
        bool, typer.Option("--no-sound", help="Leave out the driving clip's sound.", rich_help_panel=RESULT)
    ] = False,
    overwrite: choices.Overwrite = False,
    max_side: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Bound of the result's longer side; the portrait is scaled to it before any work.",
            min=64,
            rich_help_panel=RESULT,
            show_default="for .mp4, what common players take",
        ),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(
            metavar="COLOUR",
            help="What a transparent portrait is laid on, such as white or #3060a0.",
            rich_help_panel=RESULT,
            show_default="transparent; white in .mp4 and .jpg",
        ),
    ] = None,
    frame_rate: choices.FrameRate,
    loop: Annotated[
        Literal["off", "blend", "pingpong"],
        typer.Option(
            help="A result that can be played on and on: [bold]blend[/] leads the last half second back into the first pose, "
            "[bold]pingpong[/] goes forwards and backwards, without sound.",
            rich_help_panel=RESULT,
        ),
    ] = "off",
    job: Annotated[
        Path | None,
        typer.Option(
            "--job",
            metavar="FOLDER",
            help="Keep what is finished in this folder: after a break, even a crash, the same command goes on where it was.",
            rich_help_panel=RESULT,
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            help="The model: [bold]bundled[/] (drawn portraits), [bold]released[/] (the authors', for photographs), "
            "or a checkpoint's folder.",
            rich_help_panel=MODEL,
        ),
    ] = "bundled",
    lora: choices.Loras = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="Side of the generated square, pixels.",
            min=1,
            rich_help_panel=MODEL,
            show_default="the model's",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Denoising steps: fewer are quicker; the model's own number is what it is best at.",
            min=1,
            rich_help_panel=MODEL,
            show_default="the model's",
        ),
    ] = None,
    speed: Annotated[
        str,
        typer.Option(
            metavar="[exact|lossless|fast|fastest|paper]",
            help="How many passes of the network are forecast instead of computed: [bold]exact[/] none, [bold]lossless[/] as many as "
            "make no visible difference, [bold]fast[/] and [bold]fastest[/] more; [bold]paper[/] is the papers' own cache. "
            "With few steps all are computed.",
            rich_help_panel=MODEL,
        ),
    ] = "lossless",
    guidance: Annotated[
        float | None,
        typer.Option(
            help="How strictly the result follows portrait and motion; 1 is quickest, and more is for models that learnt it.",
            min=1.0,
            rich_help_panel=MODEL,
            show_default="the model's",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same result.", min=0, rich_help_panel=MODEL)
    ] = 0,
    device: Annotated[
        str | None,
        typer.Option(
            help="cuda, cuda:1, mps or cpu; several share a long clip: cuda:0,cuda:1.",
            rich_help_panel=MODEL,
            show_default="a GPU if there is one",
        ),
    ] = None,
    dtype: Annotated[
        Literal["fp32", "fp16", "bf16"] | None,
        typer.Option(
            help="Precision of the networks.",
            rich_help_panel=MODEL,
            show_default="bf16 or fp16 on GPUs, fp32 on CPUs",
        ),
    ] = None,
    clip_range: choices.Part,
    driving_face: choices.DrivingFace = None,
    alignment: choices.Alignment,
    smooth: choices.Smooth = choices.SMOOTH,
    face: choices.Face = None,
    crop: choices.Cropping = None,
    paste: choices.Pasting = None,
    window: Annotated[
        int | None,
        typer.Option(
            help="Frames generated at once; fewer need less memory.",
            min=3,
            rich_help_panel=ADVANCED,
            show_default="the model's",
        ),
    ] = None,
    long_clips: Annotated[
        Literal["auto", "keyframes", "windows", "tiles", "chain"],
        typer.Option(
            help="How clips longer than a window are made: [bold]keyframes[/] first and then what lies between, "
            "overlapping [bold]windows[/] (the released code's usual way), [bold]tiles[/] with Gaussian weights (its other one), or a "
            "[bold]chain[/] of windows, each going on from the last frame of the one before.",
            rich_help_panel=ADVANCED,
        ),
    ] = "auto",
    batch: Annotated[
        int | None,
        typer.Option(
            help="Parts of a long clip made at once; fewer need less memory.",
            min=1,
            rich_help_panel=ADVANCED,
            show_default="what suits the device",
        ),
    ] = None,
    shared_noise: Annotated[
        float | None,
        typer.Option(
            help="Part of the noise that all frames share; more flickers less.",
            min=0.0,
            max=1.0,
            rich_help_panel=ADVANCED,
            show_default="the model's",
        ),
    ] = None,
    offload: choices.Offload = None,
    compile_: choices.Compile = False,
    bundle: choices.Bundle = None,
) -> None:
    """Animate PORTRAIT with the expressions of DRIVING."""
    from followyouremoji.apps.animate import ModelChoice
    from followyouremoji.apps.animate import animate as run
    from followyouremoji.apps.result import Output
    from followyouremoji.media.pictures import colour
    from followyouremoji.settings import AnimationSettings

    run(
        portrait,
        driving,
        Output(
            output,
            side_by_side,
            not no_sound,
            overwrite,
            max_side,
            None if background is None else colour(background),
        ),
        ModelChoice(weights, device, dtype, tuple(lora or ()), offload, compile_),
        clip_range=clip_range,
        smooth=smooth,
        alignment=alignment,
        settings=AnimationSettings(
            size=size,
            steps=steps,
            guidance_scale=guidance,
            speed=speed,
            seed=seed,
            shared_noise=shared_noise,
            window=window,
            long_clips=long_clips,
            batch=batch,
            loop=loop,
            crop="auto" if crop is None else crop,
            paste_back="auto" if paste is None else paste,
            face=face,
            driving_face=driving_face,
            frame_rate=frame_rate,
            detector_bundle=bundle,
        ),
        job_folder=job,
    )


@app.command()
def doctor() -> None:
    """What is installed, which device and precision would be used, which weights are there."""
    from followyouremoji.apps.doctor import examine

    if not examine():
        raise typer.Exit(1)
