"""`fye train plan`: what a run needs and how long it takes, before it is started."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from followyouremoji.apps.output import say
from followyouremoji.errors import SettingsError

if TYPE_CHECKING:
    from followyouremoji.networks import AutoencoderConfig
    from followyouremoji.training.plan import Plan, Variant
    from followyouremoji.training.settings import DenoiserRun

FULL_SIZE = 512  # pixels, Sec. 4.1


def plan(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The run: a TOML file of kind denoiser.")],
    gpus: Annotated[int, typer.Option(help="GPUs of all machines together.", min=1)] = 1,
    memory: Annotated[
        float | None, typer.Option(help="GiB of each GPU.", min=0.1, show_default="the chip's")
    ] = None,
    chip: Annotated[
        str,
        typer.Option(
            help="b200, h200, h100, a100, a100-40, l40s, a10, 4090, 3090, v100; or cpu: this one, measured."
        ),
    ] = "h100",
    share: Annotated[
        float | None,
        typer.Option(
            help="Share of the chip's peak rate that the run reaches; an assumption until you measure yours.",
            min=0.01,
            max=1.0,
            show_default="0.35",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="Side of the training pictures, pixels.", min=32, show_default="the data's, or 512"
        ),
    ] = None,
) -> None:
    """What a training needs: parameters, memory by part, time and days; and what to change where it does not fit."""
    from followyouremoji.training.config import load_run
    from followyouremoji.training.plan import CHIPS, USUAL_SHARE, measured_rate, plan_run
    from followyouremoji.training.settings import DenoiserRun

    run = load_run(config)
    if not isinstance(run, DenoiserRun):
        raise SettingsError(f"{config} is an autoencoder's run; `fye train plan` plans a denoiser's")
    if chip != "cpu" and chip not in CHIPS:
        raise SettingsError(f"unknown chip {chip!r}; known are {', '.join(CHIPS)} and cpu")
    share = share or USUAL_SHARE
    if chip == "cpu":
        memory = memory or main_memory()
        peak = measured_rate()
        told = f"this CPU, measured at {peak / 1e9:.0f} GFLOP/s"
    else:
        made = CHIPS[chip]
        memory = memory or made.memory
        peak = 1e12 * (made.single if run.optimisation.precision == "fp32" else made.half)
        told = f"{chip}, {peak / 1e12:.0f} TFLOP/s at its peak"
    autoencoder, cached = known_autoencoder(run)
    planned = plan_run(
        run,
        size=size or data_size(run) or FULL_SIZE,
        gpus=gpus,
        memory=memory,
        rate=peak * share,
        autoencoder=autoencoder,
        cached=cached,
    )
    for line in described(planned, f"{told}, {share:.0%} of it assumed to be reached"):
        say(line)


def described(planned: Plan, rate: str) -> list[str]:
    """The plan for people, a line a fact."""
    run, settings = planned.run, planned.run.optimisation
    clips = "single frames" if run.stage == 1 else f"{run.targets} successive frames"
    lines = [
        f"Stage {run.stage}: {settings.steps} steps of {run.references} portraits, {run.targets} targets each ({clips}), "
        f"{planned.size}x{planned.size}, {settings.precision}, {planned.gpus} x {planned.memory_each / 2**30:.0f} GiB, {rate}.",
        "",
        "Parameters, millions       all  trained",
    ]
    lines += [
        f"  {name:<22}{part.all / 1e6:>8.2f} {part.trained / 1e6:>8.2f}"
        for name, part in planned.parameters.items()
    ]
    lines += [
        "",
        f"A step is {planned.step_flops / 1e12:.1f} TFLOP, forward and backward, encoding of the pictures included.",
        "",
        f"GiB on each GPU        {'weights':>8}{'grads':>7}{'optim.':>7}{'EMA':>7}{'activ.':>8}{'VAE,CLIP':>9}{'other':>7}{'all':>8}",
    ]
    # Of the many parts that a batch can be computed in, the ends tell all.
    shown = [planned.variants[0], *(v for v in planned.variants[1:-1] if "accumulation" not in v.name)]
    if planned.variants[-1] not in shown:
        shown.append(planned.variants[-1])
    for variant in shown:
        lines += memory_row(variant)
    chosen = planned.chosen
    lines.append("")
    if chosen is None:
        lines.append(
            "Nothing of this fits: take GPUs with more memory, more of them with FSDP, a smaller `targets` or a smaller size."
        )
        return lines
    hours = chosen.seconds * settings.steps / 3600
    pictures = run.references * run.targets / chosen.seconds
    lines += [
        "It fits as it is." if chosen.name == "as it is" else f"It fits with: {chosen.name}.",
        f"About {chosen.seconds:.2f} s a step, {pictures:.0f} target frames a second, {hours:.1f} hours "
        f"({hours / 24:.1f} days) for the run.",
        "Reading data and saving are not counted; measure a hundred steps and give --share to know your own rate.",
    ]
    return lines


def memory_row(variant: Variant) -> list[str]:
    memory = variant.memory
    parts = (memory.weights, memory.gradients, memory.optimiser, memory.average)
    numbers = "".join(
        f"{value / 2**30:>{width}.1f}" for value, width in zip(parts, (8, 7, 7, 7), strict=True)
    )
    numbers += (
        f"{memory.activations / 2**30:>8.1f}{memory.encoders / 2**30:>9.1f}{memory.other / 2**30:>7.1f}"
    )
    numbers += f"{memory.total / 2**30:>8.1f}  {'fits' if variant.fits else 'too much'}"
    return [f"  {variant.name}, {variant.portraits:g} portraits at once", f"{'':<23}{numbers}"]


def known_autoencoder(run: DenoiserRun) -> tuple[AutoencoderConfig | None, bool]:
    """The small autoencoder's sizes, None for Stable Diffusion's, and whether latents lie beside the drawings
    already."""
    from followyouremoji.checkpoints.folder import CONFIG_FILE, read_config
    from followyouremoji.training.config import load_autoencoder_run

    cached = run.drawings is not None and (run.drawings / "latents.npy").exists()
    if run.autoencoder.suffix == ".toml":
        return load_autoencoder_run(run.autoencoder).autoencoder, cached
    if (run.autoencoder / CONFIG_FILE).exists() and (run.autoencoder / "denoiser.safetensors").exists():
        return read_config(run.autoencoder)[0].autoencoder, cached
    return None, cached


def data_size(run: DenoiserRun) -> int | None:
    """The size of what the run's networks see, None where neither the config nor data that is there already says."""
    from followyouremoji.data.shards import picture_size
    from followyouremoji.training.drawings import Drawings

    if run.window is not None:
        return run.window
    if run.drawings is not None and (run.drawings / "drawings.json").exists():
        return int(Drawings.open(run.drawings).pictures.shape[2])
    shards = [part.shards for part in run.data if part.shards is not None and part.shards.is_dir()]
    if shards:
        return picture_size(shards[0])
    sizes = [part.drawn["size"] for part in run.data if part.drawn is not None and "size" in part.drawn]
    return int(sizes[0]) if sizes else None


def main_memory() -> float:
    """This machine's main memory, GiB."""
    import os

    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
