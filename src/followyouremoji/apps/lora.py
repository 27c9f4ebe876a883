"""`fye train lora`: teach a model one person or character."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from followyouremoji.apps.help import examples
from followyouremoji.apps.output import note, progress_bar, say
from followyouremoji.errors import WeightsError, advice_on_memory
from followyouremoji.files import write_json
from followyouremoji.personal.settings import LoraSettings

DEFAULTS = LoraSettings()
EPILOG = examples(
    "fye train lora me.jpg me.safetensors  # minutes on two CPU cores",
    "fye train lora talk.mp4 pictures/ me.safetensors  # the more, the better",
    "fye animate me.jpg bundled:hello --lora me.safetensors",
)
ENDING = ".safetensors"
SMALL_MODEL = (
    256  # pixels; a GPU's memory holds the activations of larger ones only if they are computed anew
)
LESS_MEMORY = "give a smaller --rank, leave out --convolutions, or take another --device"


@advice_on_memory(LESS_MEMORY)
def lora(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="PORTRAIT_OR_CLIP",
            help="Pictures, clips or folders of them, all of one person or character.",
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The LoRA, a file to write; its name ends in .safetensors.")
    ],
    weights: Annotated[
        str, typer.Option(help="The model to teach: bundled, released, or a checkpoint's folder.")
    ] = "bundled",
    steps: Annotated[int, typer.Option(help="Training steps.", min=1)] = DEFAULTS.steps,
    rank: Annotated[
        int,
        typer.Option(
            help="How much can be learnt: the rank of the changes. The file grows with it.", min=1, max=256
        ),
    ] = DEFAULTS.rank,
    alpha: Annotated[
        float | None,
        typer.Option(
            help="How strongly what is learnt acts: a factor, divided by the rank.",
            min=0.01,
            show_default="the rank",
        ),
    ] = None,
    convolutions: Annotated[
        bool,
        typer.Option(
            "--convolutions",
            help="Let convolutions learn too, not the attentions alone: more can be learnt, the file is larger.",
        ),
    ] = DEFAULTS.convolutions,
    learning_rate: Annotated[
        float, typer.Option(help="Learning rate of the optimiser AdamW.", min=1e-7, max=1.0)
    ] = DEFAULTS.learning_rate,
    drawn_share: Annotated[
        float | None,
        typer.Option(
            help="Share of drawn people in the training, 0 to 0.9: from them the model keeps how mouths and eyes open.",
            min=0.0,
            max=0.9,
            show_default=f"{DEFAULTS.drawn_share}, or 0 for a model trained on photographs",
        ),
    ] = None,
    face: Annotated[
        int | None,
        typer.Option(
            help="Which face of the pictures and clips, 1 is the furthest to the left.",
            min=1,
            show_default="the largest",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same LoRA.", min=0)] = DEFAULTS.seed,
    device: Annotated[
        str | None,
        typer.Option(
            help="Where it is trained: cuda, cuda:1, mps or cpu.", show_default="a GPU if there is one"
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
) -> None:
    """Teach a model one person's or character's look, from clips or even a single picture.

    fye animate --lora OUT then uses it. Clips are learnt as they were filmed. A single picture is warped to other
    expressions, so the model learns how this face looks, not how this person moves. Beside OUT, OUT_views.png shows
    held-out views before and after, and OUT_lora.json holds the figures. Ctrl-C or SIGTERM leave what is learnt so far
    in OUT_unfinished.safetensors.
    """
    # Names of their own: the portrait may lie beside the LoRA under its very name.
    record, sheet = out.with_name(f"{out.stem}_lora.json"), out.with_name(f"{out.stem}_views.png")
    unfinished = out.with_name(f"{out.stem}_unfinished{ENDING}")
    from followyouremoji.requests.result import check_output

    check_output(out, (ENDING,), overwrite, WeightsError, "the LoRA")
    check_output(unfinished, (ENDING,), overwrite, WeightsError, "the unfinished LoRA")
    check_output(record, (".json",), overwrite, WeightsError, "the LoRA's figures")
    check_output(sheet, (".png",), overwrite, WeightsError, "the LoRA's views")

    import torch

    from followyouremoji.checkpoints import load_model
    from followyouremoji.checkpoints.lora import Lora, write_lora
    from followyouremoji.media.pictures import write_picture
    from followyouremoji.personal.person import read_person
    from followyouremoji.personal.training import Interrupted, person_size, train_lora

    started = time.monotonic()
    model = load_model(weights, device, torch.float32)
    config = model.config
    if drawn_share is None:
        drawn_share = DEFAULTS.drawn_share if config.network.image_source == "latents" else 0.0
    settings = LoraSettings(
        steps=steps,
        rank=rank,
        alpha=float(rank) if alpha is None else alpha,
        convolutions=convolutions,
        learning_rate=learning_rate,
        drawn_share=drawn_share,
        checkpointing=config.picture_size > SMALL_MODEL,
        seed=seed,
    )
    with progress_bar("Reading pictures and clips"):
        person = read_person(sources, person_size(config), seed=seed, face=face)
    frames = sum(len(take) for take in person.takes)
    if frames == 1:
        note(
            "Note: from one picture the model learns a look, not expressions; clips of the person teach more."
        )
    about = ", ".join(source.name for source in sources)
    say(f"{out}: learning in {steps} steps from {frames} frame{'s' if frames > 1 else ''} ...")

    def keep(learnt: Lora) -> None:
        write_lora(learnt, unfinished, overwrite=True)

    try:
        with progress_bar("Training") as advance:
            result = train_lora(
                model, person, settings, about, lambda done, total, loss: advance(done, total), keep
            )
    except Interrupted as interrupted:
        say(
            f"{unfinished}: learnt in {interrupted.steps} of {steps} steps ({interrupted.signal.name}); fye animate --lora takes it as it is."
        )
        raise typer.Exit(128 + interrupted.signal) from None
    write_lora(result.lora, out, overwrite=overwrite)
    unfinished.unlink(missing_ok=True)
    write_picture(sheet, result.grid, overwrite)
    figures = {
        "learnt_from": [str(source) for source in sources],
        "frames": frames,
        "model": config.name,
        "steps": steps,
        "rank": rank,
        "alpha": settings.alpha,
        "convolutions": convolutions,
        "learning_rate": learning_rate,
        "drawn_share": drawn_share,
        "seed": seed,
        "seconds": round(time.monotonic() - started, 1),
        "held_out_before": {name: round(value, 5) for name, value in result.before.items()},
        "held_out_after": {name: round(value, 5) for name, value in result.after.items()},
    }
    write_json(record, figures)
    before, after = result.before["face_l1"], result.after["face_l1"]
    say(
        f"{out}: {out.stat().st_size / 1e6:.1f} MB, learnt from {frames} frame{'s' if frames > 1 else ''} in "
        f"{figures['seconds']:.0f} s. L1 of the face on held-out views: {before:.4f} before, {after:.4f} after ({sheet})."
    )
    if after >= before:
        note("Note: the held-out views did not get better; try more --steps or a smaller --learning-rate.")
