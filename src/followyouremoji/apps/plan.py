"""`fye train plan`: what a training run takes, before it is started."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from followyouremoji.apps.help import examples
from followyouremoji.apps.output import say

if TYPE_CHECKING:
    from followyouremoji.training.plan import Plan
    from followyouremoji.training.settings import DenoiserRun

EPILOG = examples(
    "fye train plan configs/paper/stage1.toml --rate 400  # hours at 400 TFLOP/s",
    "fye train plan configs/bundled/stage1.toml",
)
FULL_SIZE = 512  # pixels, Sec. 4.1


def plan(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The run: a TOML file of kind denoiser.")],
    size: Annotated[
        int | None,
        typer.Option(
            help="Side of the pictures, pixels.",
            min=32,
            show_default="the run's window, or its drawings', or 512",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            help="What all GPUs reach together, as you measured it, TFLOP/s: the time is shown too.",
            show_default="no time is shown",
            min=1e-6,
        ),
    ] = None,
) -> None:
    """Count what a training takes before it is started: parameters, memory, operations of a step.

    No weights and no clips are needed. The memory is that of networks and optimiser; activations come on top, and fye
    train run logs a GPU's peak memory.
    """
    from followyouremoji.training.config import load_denoiser_run
    from followyouremoji.training.picks import check_size
    from followyouremoji.training.plan import autoencoder_of, plan_run

    run = load_denoiser_run(config)
    drawn = [part.drawn.size for part in run.data if part.drawn is not None and part.drawn.size is not None]
    size = size or run.window or next(iter(drawn), FULL_SIZE)
    check_size(size, run.network.picture_multiple, "--size or the config")
    for line in described(run, size, plan_run(run, size, autoencoder_of(run)), rate):
        say(line)


def described(run: DenoiserRun, size: int, plan: Plan, rate: float | None) -> list[str]:
    """A plan for people, a line a fact."""
    frames = "single frames" if run.stage == 1 else "successive frames"
    lines = [
        f"{run.optimisation.steps} steps of {run.references} portraits with {run.targets} {frames}, {size}x{size} pixels.",
        "Parameters, millions:      all   trained",
        *(
            f"  {name:<22}{numbers / 1e6:>8.2f}{trained / 1e6:>10.2f}"
            for name, (numbers, trained) in plan.parameters.items()
        ),
        f"Held by a GPU: {plan.held / 2**30:.2f} GiB of weights, gradients, moments and average"
        + (f", {plan.teacher / 2**30:.2f} GiB of the teacher." if plan.teacher else "."),
        f"A step: {plan.flops / 1e12:.4g} TFLOP, and {plan.encoding / 1e12:.4g} to encode its pictures.",
    ]
    if run.distillation is not None:
        passes = run.distillation.leaped * (1 if run.distillation.guidance == 1 else 2)
        lines.append(
            f"{plan.targets / plan.flops:.0%} of that finds what is learnt: {passes} passes of the teacher"
            + (", one of the student." if run.distillation.leaped < run.distillation.segment else ".")
        )
    if rate is not None:
        seconds = (plan.flops + plan.encoding) / (rate * 1e12)
        hours = seconds * run.optimisation.steps / 3600
        lines.append(f"At {rate:g} TFLOP/s: {seconds:.3g} s a step, {hours:.3g} hours in all.")
    return lines
