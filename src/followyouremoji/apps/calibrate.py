"""`fye calibrate`: which passes of a model can be forecast instead of computed, saved beside its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from followyouremoji.apps.choices import SMOOTH
from followyouremoji.apps.output import advice_on_gpu_memory

if TYPE_CHECKING:
    import numpy as np

    from followyouremoji.face.detection import Landmarks
    from followyouremoji.face.motion import Motion
    from followyouremoji.preparation import Prepared

LESS_MEMORY = "take a smaller model, another --device, or end what else uses the GPU"


@advice_on_gpu_memory(LESS_MEMORY)
def calibrate(
    weights: Annotated[
        str,
        typer.Argument(
            metavar="WEIGHTS", help="The model: [bold]bundled[/], [bold]released[/] or a checkpoint's folder."
        ),
    ],
    steps: Annotated[
        int, typer.Option(help="Denoising steps of the exact result that speeds are measured against.")
    ] = 30,
    bound: Annotated[
        float,
        typer.Option(
            help="How far from the exact latents 'lossless' may be, as a share of their norm; 'fast' may be twice, "
            "'fastest' six times as far."
        ),
    ] = 0.02,
    clips: Annotated[int, typer.Option(help="Drawn clips to measure on.", min=1)] = 6,
    portrait: Annotated[
        str | None,
        typer.Option(help="Measure on this portrait instead, or on bundled:NAME, driven by --driving."),
    ] = None,
    driving: Annotated[
        str | None, typer.Option(help="A clip or motion, or bundled:NAME; its first window is used.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Where to save.", show_default="acceleration.json beside the weights"
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier calibration.")] = False,
    device: Annotated[
        str | None, typer.Option(help="cuda, cuda:1, mps or cpu.", show_default="a GPU if there is one")
    ] = None,
) -> None:
    """Find what a model's --speed lossless, fast and fastest mean.

    The exact sampler runs on a few clips; then the cheapest forecasts within the bound are searched and run. That takes
    minutes with the bundled model and hours with a large one on a CPU: fewer --clips then, or a --portrait with a short
    --driving.
    """
    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.apps.output import check_output, say
    from followyouremoji.benchmark.calibration import Calibration, drawn_clips
    from followyouremoji.benchmark.calibration import calibrate as search
    from followyouremoji.checkpoints.acceleration import (
        Acceleration,
        denoiser_checksum,
        write_acceleration,
    )
    from followyouremoji.checkpoints.folder import ACCELERATION_FILE, read_config
    from followyouremoji.checkpoints.sources import cache_folder, find_checkpoint
    from followyouremoji.errors import SettingsError, WeightsError

    if (portrait is None) != (driving is None):
        raise SettingsError("Give both --portrait and --driving, or neither for drawn clips.")
    calibration = Calibration(steps, bound)
    folder = find_checkpoint(weights)
    checksum = denoiser_checksum(folder)
    file = output or folder / ACCELERATION_FILE
    check_output(file, (".json",), overwrite, WeightsError, "the calibration")
    given = None
    if portrait is not None and driving is not None:
        given = first_window(portrait, driving, read_config(folder)[0].window)
    animator = PortraitAnimator.from_pretrained(weights, device, offload=False)
    prepared: list[Prepared]
    if given is not None:
        picture, landmarks, motion = given
        prepared = [animator.prepare(picture, motion, portrait_landmarks=landmarks)]
    else:
        prepared = list(drawn_clips(animator.model, clips, cache_folder() / "suites"))
    say(f"{weights}: the exact result of {len(prepared)} clips in {steps} steps ...")
    say("passes  faster    away  foretold  forecast")
    presets = search(
        animator.model,
        prepared,
        calibration,
        lambda one: say(
            f"{one.passes:6}  {one.faster:5.2f}x  {one.away:6.4f}  {one.foretold:8.4f}  {one.forecast}"
        ),
    )
    write_acceleration(Acceleration(checksum, tuple(presets)), file, overwrite)
    for preset in presets:
        told = ", ".join(f"{name} {value:g}" for name, value in preset.measured.items())
        say(f"{preset.speed}: {told or 'nothing within the bound, all is computed'}")
    looked_for = (
        "" if output is None else f"; fye animate --speed looks for it as {folder / ACCELERATION_FILE}"
    )
    say(f"{file}: saved{looked_for or '; fye animate --speed looks there'}.")


def first_window(portrait: str, driving: str, frames: int) -> tuple[np.ndarray, Landmarks, Motion]:
    """A portrait, its face, and the motion of the first `frames` of a clip. Raises UserError for files that cannot be
    used."""
    from followyouremoji.apps.bundled import driving_path, portrait_path
    from followyouremoji.apps.driving import Driving, tracked
    from followyouremoji.face.detection import FaceDetector
    from followyouremoji.media.pictures import read_picture
    from followyouremoji.media.ranges import ClipRange
    from followyouremoji.sources import detect

    portrait_file = portrait_path(portrait)
    picture = read_picture(portrait_file)
    source = Driving(driving_path(driving), ClipRange(stop=frames))
    with FaceDetector() as detector:
        landmarks = detect(detector, picture, None, str(portrait_file))
        return picture, landmarks, tracked(source, detector, None, SMOOTH)
