"""`fye weights`: which models are there, fetching, converting and checking them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from followyouremoji.apps.help import examples

weights_app = typer.Typer(
    no_args_is_help=True,
    help="Models: list, download, convert, verify.",
    epilog=examples(
        "fye weights list",
        "fye weights download  # several gigabytes; asks first",
        "fye animate me.jpg smile.mp4 --weights released",
        more="The bundled model is for drawings and paintings, the released weights of the papers' authors are for photographs.",
    ),
)


class Form(StrEnum):
    safetensors = "safetensors"
    original = "original"


Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a converted model that is there.")]
FullPrecision = Annotated[
    bool,
    typer.Option(
        "--full-precision",
        help="Keep 32 bits a number where the files have them: twice the size on the disk. By default 16.",
    ),
]


@weights_app.command("list", epilog=examples("fye weights list"))
def list_weights() -> None:
    """Show which models are there, under the names that --weights takes."""
    from followyouremoji.apps.output import say, say_table
    from followyouremoji.checkpoints import cache_folder, list_checkpoints, small_decoder_file

    rows = [
        (
            row.name,
            "yes" if row.present else "no",
            f"{row.size / 1e6:.0f}" if row.size else "",
            row.layout or "",
            row.note,
        )
        for row in list_checkpoints()
    ]
    say_table(("name", "there", "MB", "layout", "what it is"), rows)
    say(f"\nModels of your own in {cache_folder()} are listed too.")
    if small_decoder_file().is_file():
        say(f"The small decoder of --decoder small: {small_decoder_file()}")
    else:
        say("The small decoder of --decoder small is not there: fye weights download --small-decoder")


@weights_app.command(
    epilog=examples(
        "fye weights download  # shows files and sizes, and asks",
        "fye weights download --yes --full-precision",
        "fye weights download --small-decoder  # 10 MB, for --decoder small",
    )
)
def download(
    form: Annotated[
        Form,
        typer.Option(
            help="What is fetched: files that others converted to half precision (safetensors), or the authors' own, twice as large (original)."
        ),
    ] = Form.safetensors,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before fetching.")] = False,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep-originals",
            help="Keep the fetched files beside the converted model. By default they are deleted.",
        ),
    ] = False,
    full_precision: FullPrecision = False,
    face_landmarker: Annotated[
        bool,
        typer.Option(
            "--face-landmarker",
            help="Fetch Google's face_landmarker.task (4 MB) instead, for the option --bundle of other commands.",
        ),
    ] = False,
    small_decoder: Annotated[
        bool,
        typer.Option(
            "--small-decoder", help="Fetch the small decoder TAESD (10 MB) instead, for --decoder small."
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Fetch the weights that the papers' authors released, check and convert them. The same command goes on where it
    was stopped."""
    from followyouremoji import checkpoints
    from followyouremoji.apps.output import say

    if face_landmarker:
        say(f"{checkpoints.download_face_landmarker()}: give this to --bundle.")
    if small_decoder:
        say(f"{checkpoints.download_small_decoder()}: ready; use it with --decoder small.")
    if face_landmarker or small_decoder:
        return
    plan = checkpoints.plan_download(form.value)
    for file in plan.files:
        known = "" if file.pinned else "  (checked against what the hub says of it)"
        say(f"{file.size / 1e6:8.0f} MB  {file.repository}/{file.path} at {file.revision[:8]}{known}")
    say(f"{plan.size / 1e6:8.0f} MB in all, into {checkpoints.released_folder()}")
    say("The terms of use are those of these repositories (https://huggingface.co).")
    if not yes:
        typer.confirm("Fetch them?", abort=True)
    folder = checkpoints.download(plan, half=not full_precision, overwrite=overwrite, keep_originals=keep)
    say(f"{folder}: ready; use it with --weights released.")


@weights_app.command(
    epilog=examples(
        "fye weights convert downloads/  # then: fye animate --weights released",
        "fye weights convert downloads/ -o my_model  # then: --weights my_model",
    )
)
def convert(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="The folder with the authors' files: unet.pth, referencenet.pth, lmk_guider.pth, vae/ and so on.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder for the model.", show_default="where --weights released looks"
        ),
    ] = None,
    full_precision: FullPrecision = False,
    overwrite: Overwrite = False,
) -> None:
    """Convert the authors' files, which you already have, into a model for --weights. No code in them is run."""
    from followyouremoji.apps.output import say
    from followyouremoji.checkpoints import convert_released

    made = convert_released(folder, output, half=not full_precision, overwrite=overwrite)
    say(f"{made}: ready; use it with --weights {'released' if output is None else made}.")


Output = Annotated[Path, typer.Argument(metavar="OUTPUT", help="The new folder.")]
OverwriteFolder = Annotated[
    bool, typer.Option("--overwrite", help="Replace a folder of this kind that is there.")
]


@weights_app.command("to-diffusers", epilog=examples("fye weights to-diffusers bundled my_pipeline"))
def convert_to_diffusers(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The model: bundled, released, or a model's folder.")
    ],
    output: Output,
    overwrite: OverwriteFolder = False,
) -> None:
    """Write a model as a folder for FollowYourEmojiPipeline of the Python library diffusers. Weights stay the same."""
    from followyouremoji.apps.output import say
    from followyouremoji.diffusers_pipeline import to_diffusers

    made = to_diffusers(source, output, overwrite=overwrite)
    say(f"{made}: ready; load it with FollowYourEmojiPipeline.from_pretrained.")


@weights_app.command("from-diffusers", epilog=examples("fye weights from-diffusers my_pipeline my_model"))
def convert_from_diffusers(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="The pipeline's folder, with model_index.json, denoiser/ and so on."
        ),
    ],
    output: Output,
    overwrite: OverwriteFolder = False,
) -> None:
    """Write a folder of FollowYourEmojiPipeline as a model for --weights. No code in it is run."""
    from followyouremoji.apps.output import say
    from followyouremoji.diffusers_pipeline import from_diffusers

    made = from_diffusers(folder, output, overwrite=overwrite)
    say(f"{made}: ready; use it with --weights {made}.")


@weights_app.command(epilog=examples("fye weights verify", "fye weights verify released"))
def verify(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The model: bundled, released, or a model's folder.")
    ] = "bundled",
) -> None:
    """Check every file of a model: names, shapes, values and checksums."""
    from followyouremoji.apps.output import say
    from followyouremoji.checkpoints import verify_checkpoint
    from followyouremoji.errors import WeightsError

    found = verify_checkpoint(source)
    say(f"{found.config.name} in {found.folder}")
    for part in found.parts:
        state = "ok" if not part.problems else "PROBLEM"
        say(f"{state:8} {part.part}  {part.size / 1e6:.1f} MB, {part.values / 1e6:.2f} million values")
        for problem in part.problems:
            say(f"         {problem}")
    if not found.ok:
        raise WeightsError(f"{found.folder} has {len(found.problems)} problems, listed above")
