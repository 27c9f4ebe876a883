"""The command `fye`. Commands import what they need when they run, so that help comes at once."""

from __future__ import annotations

from typing import Annotated

import typer

from followyouremoji.apps import batch, choices, live
from followyouremoji.apps.bench import bench_app
from followyouremoji.apps.data import data_app
from followyouremoji.apps.lora import lora as lora_command
from followyouremoji.apps.motion import motion_app
from followyouremoji.apps.plan import plan as plan_command
from followyouremoji.apps.points import points as points_command
from followyouremoji.apps.sticker import sticker_app
from followyouremoji.apps.studio import studio
from followyouremoji.apps.training import portraits_app, train_app
from followyouremoji.apps.weights import weights_app
from followyouremoji.requests.request import AnimationRequest
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
    "fye batch portraits/ motions/ -o out/  [dim]each portrait by each motion[/]\n\n"
    "fye live me.jpg  [dim]your camera moves the portrait, live[/]\n\n"
    "fye sticker me.jpg laugh --for telegram  [dim]a sticker for a messenger; fye sticker pack makes many[/]\n\n"
    "fye motion preview me.jpg smile.mp4 look.mp4  [dim]a look ahead, quick[/]\n\n"
    "fye weights list  [dim]which models are there[/]\n\n"
    "fye doctor  [dim]if something does not work[/]",
)
app.add_typer(motion_app, name="motion")
app.add_typer(sticker_app, name="sticker")
app.add_typer(weights_app, name="weights")
app.add_typer(portraits_app, name="portraits")
app.add_typer(data_app, name="data")
app.add_typer(train_app, name="train")
app.add_typer(bench_app, name="bench")
train_app.command("lora")(lora_command)
train_app.command("plan")(plan_command)
app.command()(studio)
app.command("points")(points_command)


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
    "fye animate llama.jpg talk.fyemotion --points llama.json  [dim]a face that is not found: see fye points[/]\n\n"
    "fye animate me.jpg wink.mp4 --loop blend -o wink.webp  [dim]a sticker that plays on without a jump[/]\n\n"
    "fye animate us.jpg smile.mp4 --face all  [dim]everybody smiles; or --face 1=smile.mp4 --face 2=talk.mp4[/]\n\n"
    "fye animate me.jpg speech.mp4 --job speech-job  [dim]long; the same command goes on after a break[/]\n\n"
    "fye animate me.jpg smile.mp4 --side-by-side --weights released --steps 20"
)
@choices.expanded
def animate(request: AnimationRequest) -> None:
    """Animate PORTRAIT with the expressions of DRIVING."""
    from followyouremoji.apps.output import say
    from followyouremoji.apps.screen import Screen, summary
    from followyouremoji.requests.animation import animate as run

    with Screen() as screen:
        outcome = run(request, screen)
    if outcome.made_before:
        say(f"{outcome.path}: the job in {request.resume} is finished.")
    else:
        say(summary(outcome))


app.command(epilog=batch.EPILOG)(batch.batch)
app.command(epilog=live.EPILOG)(live.live)


@app.command()
def doctor() -> None:
    """What is installed, which device and precision would be used, which weights are there."""
    from followyouremoji.apps.doctor import examine

    if not examine():
        raise typer.Exit(1)
