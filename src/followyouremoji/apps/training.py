"""`fye portraits` and `fye train`: drawn portraits, and training on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from followyouremoji.apps.help import examples
from followyouremoji.errors import advice_on_memory

LESS_MEMORY = (
    "in [optimisation] give a larger `accumulation` (a batch in more parts), `checkpointing = true` (a denoiser's run), fewer "
    '`targets`, or in a new run `optimiser = "adamw8bit"`. What was saved stays, and the same command goes on'
)

portraits_app = typer.Typer(
    no_args_is_help=True,
    help="Drawn portraits, as the bundled model learnt from them.",
    epilog=examples("fye portraits sheet portraits.png  # sixty of them in one picture"),
)
train_app = typer.Typer(
    no_args_is_help=True,
    help="Train a model of your own, on drawn portraits or on clips; or teach one a person.",
    epilog=examples(
        "fye train lora me.jpg me.safetensors  # one person's look",
        "fye train draw data/faces --identities 500 --pictures 8 --size 256",
        "fye train run configs/bundled/autoencoder.toml  # a whole model, in this order",
        "fye train run configs/bundled/stage1.toml",
        "fye train run configs/bundled/stage2.toml",
        "fye train export configs/bundled/stage2.toml my_model --steps 1",
        more="The configs are in the repository. Training on clips: docs/guides/training.md.",
    ),
)


@portraits_app.callback()
def portraits() -> None:
    pass


@portraits_app.command(
    epilog=examples(
        "fye portraits sheet portraits.png",
        "fye portraits sheet portraits.png --identities 4 --size 256 --seed 7",
    )
)
def sheet(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The picture to write: .png, .jpg or .webp.")],
    identities: Annotated[
        int, typer.Option(help="How many portraits: rows of the picture.", min=1, max=100)
    ] = 10,
    performances: Annotated[
        int, typer.Option(help="How many expressions: columns of the picture.", min=1, max=100)
    ] = 6,
    size: Annotated[int, typer.Option(help="Side of a portrait, pixels.", min=32, max=1024)] = 128,
    seed: Annotated[int, typer.Option(help="The same seed draws the same sheet.", min=0)] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the picture if it exists.")] = False,
) -> None:
    """Draw random portraits in random expressions, all in one picture."""
    import numpy as np

    from followyouremoji.apps.output import say
    from followyouremoji.errors import PictureError
    from followyouremoji.media.pictures import PICTURE_ENDINGS, write_picture
    from followyouremoji.requests.result import check_output

    check_output(out, PICTURE_ENDINGS, overwrite, PictureError, "the sheet")
    require_skia()
    from followyouremoji.portraits.sheet import portrait_sheet

    drawn = portrait_sheet(np.random.default_rng(seed), identities, performances, size)
    write_picture(
        out, drawn, overwrite, comment="Portraits drawn by Follow Your Emoji; nobody was photographed."
    )
    say(f"{out}: {identities} portraits, {performances} expressions.")


@train_app.command(
    epilog=examples(
        "fye train run configs/paper/smoke.toml  # ten steps, to see that it works",
        "fye train run configs/bundled/stage1.toml --minutes 60",
        "torchrun --nproc-per-node 8 -m followyouremoji train run stage1.toml",
        more="[bold]Exit code[/] 0 when the run is finished or its time is over, 130 after Ctrl-C and 143 after SIGTERM (both are saved), "
        "2 for what cannot be used.",
    )
)
@advice_on_memory(LESS_MEMORY)
def run(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG",
            help="The run, a TOML file such as those in configs/ of the repository.",
        ),
    ],
    minutes: Annotated[
        float | None,
        typer.Option(help="Save and stop after so many minutes.", min=0.0, show_default="at the last step"),
    ] = None,
) -> None:
    """Train as a config says, or go on with a stopped training.

    What a config may say is listed in docs/reference/config.md. Losses, seconds a step and a GPU's memory go to log.csv
    and to TensorBoard in the run's output folder, figures and pictures of a validation to validation.csv and samples/.
    Ctrl-C ends the step, saves and leaves.
    """
    from followyouremoji.apps.output import say
    from followyouremoji.apps.training_progress import is_main_process, training_progress
    from followyouremoji.training.config import load_run
    from followyouremoji.training.settings import AutoencoderRun, DecoderRun

    settings = load_run(config)
    if is_main_process():
        say(f"{config}: training {settings.optimisation.steps} steps into {settings.output}")
    with training_progress() as report:
        if isinstance(settings, AutoencoderRun):
            from followyouremoji.training.autoencoder import train_autoencoder

            outcome = train_autoencoder(settings, minutes, report)
        elif isinstance(settings, DecoderRun):
            from followyouremoji.training.decoder import train_decoder

            outcome = train_decoder(settings, minutes, report)
        else:
            from followyouremoji.training.trainer import train_denoiser

            outcome = train_denoiser(settings, minutes, report)
    if outcome.is_main:
        say(f"{settings.output}: {outcome.summary()}")
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


@train_app.command(
    epilog=examples(
        "fye train draw data/faces --identities 500 --size 256 --processes 2",
        "fye train draw data/clips --identities 50 --pictures 17 --clips",
    )
)
def draw(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder for the drawings, a new one.")],
    identities: Annotated[int, typer.Option(help="How many people to draw.", min=1)],
    pictures: Annotated[int, typer.Option(help="How many pictures of each.", min=2)] = 8,
    clips: Annotated[
        bool, typer.Option("--clips", help="Draw successive frames of a motion, not single expressions.")
    ] = False,
    size: Annotated[int, typer.Option(help="Side of a picture, pixels; a multiple of 8.", min=32)] = 128,
    seed: Annotated[int, typer.Option(help="The same seed draws the same people.", min=0)] = 0,
    processes: Annotated[int, typer.Option(help="People drawn at once.", min=1)] = 1,
) -> None:
    """Draw people in many expressions, with their landmarks, to train on."""
    from followyouremoji.apps.output import progress_bar, say
    from followyouremoji.errors import SettingsError

    if size % 8:
        raise SettingsError(f"the size must be a multiple of 8 pixels, not {size}: use {round(size / 8) * 8}")
    require_skia()
    from followyouremoji.executors import Processes
    from followyouremoji.training.drawings import DrawingSettings, draw_folder

    settings = DrawingSettings(identities=identities, pictures=pictures, size=size, seed=seed, clips=clips)
    with Processes(processes) as executor, progress_bar("Drawing") as advance:
        draw_folder(folder, settings, executor, advance)
    say(f"{folder}: {identities} people, {pictures} pictures of each.")


@train_app.command(
    epilog=examples("fye train latents data/faces --autoencoder configs/bundled/autoencoder.toml")
)
def latents(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that fye train draw made.")],
    autoencoder: Annotated[Path, typer.Option(help="TOML file of the autoencoder's run, trained before.")],
) -> None:
    """Encode drawings with a trained autoencoder, once and for all steps of a denoiser's training."""
    from followyouremoji.apps.output import say
    from followyouremoji.training.config import load_autoencoder_run

    settings = load_autoencoder_run(autoencoder)
    from followyouremoji.training.autoencoder import finished_autoencoder, write_latents

    write_latents(folder, finished_autoencoder(settings))
    say(f"{folder / 'latents.npy'}: written.")


def require_skia() -> None:
    """Raise SettingsError where portraits cannot be drawn."""
    from importlib.util import find_spec

    from followyouremoji.errors import SettingsError

    if find_spec("skia") is None:
        raise SettingsError("drawing portraits needs skia: pip install 'followyouremoji[portraits]'")


@train_app.command(
    epilog=examples(
        "fye train export configs/bundled/stage2.toml my_model --steps 1",
        "fye animate me.jpg smile.mp4 --weights my_model",
    )
)
def export(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="TOML file of a denoiser's run, trained before.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder for the model, a new one.")],
    steps: Annotated[
        int | None,
        typer.Option(
            help="Denoising steps that the model takes by default.",
            min=1,
            show_default="10, or those distilled to",
        ),
    ] = None,
    shared_noise: Annotated[
        float | None,
        typer.Option(
            help="Part of the noise that all frames share by default, 0 to 1.",
            min=0.0,
            max=1.0,
            show_default="0.9, or the distillation's",
        ),
    ] = None,
    guidance: Annotated[
        float,
        typer.Option(
            help="Guidance scale by default; more than 1 is for runs whose config sets reference_dropout.",
            min=1.0,
        ),
    ] = 1.0,
    provenance: Annotated[
        str | None,
        typer.Option(
            help="One sentence that users of the model see: trained on what, by whom.",
            show_default="what is recorded of the run",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the folder if it exists.")] = False,
) -> None:
    """Make a model of a training, which fye animate --weights FOLDER takes.

    It has the averaged weights, and the decoder that the run tuned, if it did."""
    from followyouremoji.apps.output import say
    from followyouremoji.training.export import export_model

    export_model(
        config,
        folder,
        name=folder.name,
        steps=steps,
        shared_noise=shared_noise,
        overwrite=overwrite,
        guidance_scale=guidance,
        provenance=provenance,
    )
    say(f"{folder}: fye animate PORTRAIT DRIVING --weights {folder}")


@train_app.command(
    epilog=examples(
        "fye train export-decoder configs/decoder/bundled.toml half.safetensors",
        "fye animate me.jpg smile.mp4 --decoder half.safetensors",
    )
)
def export_decoder(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="TOML file of a decoder's run, trained before.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write: .safetensors.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
) -> None:
    """Make a small decoder of a decoder's training, a file that fye animate --decoder FILE takes."""
    from followyouremoji.apps.output import say
    from followyouremoji.training.decoder import export_decoder

    export_decoder(config, file, overwrite=overwrite)
    say(f"{file}: fye animate PORTRAIT DRIVING --weights MODEL --decoder {file}")
