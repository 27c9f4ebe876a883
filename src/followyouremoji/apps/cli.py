"""The command `fye`. Commands import what they need when they run, so that help comes at once."""

from __future__ import annotations

from typing import Annotated

import typer

from followyouremoji.apps import batch, choices, inspect, live, lora, plan, points, studio
from followyouremoji.apps.bench import bench_app
from followyouremoji.apps.data import data_app
from followyouremoji.apps.help import examples, reflow
from followyouremoji.apps.motion import motion_app
from followyouremoji.apps.serve import serve_app
from followyouremoji.apps.sticker import sticker_app
from followyouremoji.apps.training import portraits_app, train_app
from followyouremoji.apps.weights import weights_app
from followyouremoji.executors.settings import ClusterChoice
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
    epilog=examples(
        "fye animate bundled:ada bundled:hello  # both come with the program",
        "fye animate me.jpg smile.mp4  # makes me_smile.mp4, with the clip's sound",
        "fye live me.jpg  # your camera moves the portrait",
        "fye sticker me.jpg laugh --for telegram  # a sticker; and packs of them",
        "fye studio --open  # all of that on a page in the browser",
        "fye serve  # the same for programs, by HTTP",
        "fye weights download  # the model for photographs, several gigabytes",
        "fye doctor  # if something does not work",
        more="Each command has examples of its own: fye COMMAND --help.",
    ),
)
MODELS, TRAINING = "Models and this installation", "Training and measuring"  # panels of the help


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
    epilog=examples(
        "fye animate bundled:ada bundled:hello  # writes ada_hello.mp4",
        "fye animate me.jpg smile.mp4 -o out.gif --stop 50  # 50 frames, as a GIF",
        "fye animate me.jpg talk.mp4 --start 0:12 --duration 3s  # three seconds",
        "fye animate me.jpg wink.png -o wink.jpg  # one pose, one picture",
        "fye animate me.jpg bundled:talk --mouth 1.3 --head none  # the head still",
        "fye animate me.jpg bundled:smile --pose yaw=-10  # and turned a little",
        "fye animate me.jpg wink.mp4 --loop blend -o wink.webp  # repeats smoothly",
        "fye animate us.jpg smile.mp4 --face all  # everybody smiles",
        "fye animate us.jpg --face 1=smile.mp4 --face 2=bundled:talk",
        "fye animate llama.jpg talk.mp4 --points llama.json  # see fye points",
        "fye animate me.jpg long.mp4 --job long-job  # run it again to go on",
        "fye animate me.jpg smile.mp4 --weights released  # for photographs",
        "fye animate me.jpg long.mp4 --cluster auto  # its parts on many machines",
    )
)
@choices.expanded
def animate(request: AnimationRequest, cluster: ClusterChoice) -> None:
    """Animate PORTRAIT with the expressions of DRIVING."""
    from followyouremoji.apps.output import say
    from followyouremoji.apps.screen import Screen, summary
    from followyouremoji.requests.animation import animate as run

    with cluster.workers() as executor, Screen() as screen:
        outcome = run(request, screen, executor=executor)
    if outcome.made_before:
        say(f"{outcome.path}: the job in {request.resume} is finished.")
    else:
        say(summary(outcome))


app.command(epilog=batch.EPILOG)(batch.batch)
app.command(epilog=live.EPILOG)(live.live)
app.command(epilog=studio.EPILOG)(studio.studio)
app.add_typer(serve_app, name="serve")
app.command(epilog=points.EPILOG)(points.points)
app.command(epilog=inspect.EPILOG)(inspect.inspect)
app.add_typer(motion_app, name="motion")
app.add_typer(sticker_app, name="sticker")


@app.command(
    epilog=examples("fye doctor  # ends with Ready, or with what is missing"), rich_help_panel=MODELS
)
def doctor() -> None:
    """Show what is installed, which device and precision would be used, and which weights are there."""
    from followyouremoji.apps.doctor import examine

    if not examine():
        raise typer.Exit(1)


app.add_typer(weights_app, name="weights", rich_help_panel=MODELS)
app.add_typer(train_app, name="train", rich_help_panel=TRAINING)
app.add_typer(data_app, name="data", rich_help_panel=TRAINING)
app.add_typer(portraits_app, name="portraits", rich_help_panel=TRAINING)
app.add_typer(bench_app, name="bench", rich_help_panel=TRAINING)
train_app.command(epilog=lora.EPILOG)(lora.lora)
train_app.command(epilog=plan.EPILOG)(plan.plan)
reflow(app)
