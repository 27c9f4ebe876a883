"""The ways to sample whose speed is compared: forecasts of every kind, fewer steps, other solvers, other seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from followyouremoji.checkpoints.acceleration import Acceleration, forecast_for
from followyouremoji.sampling.forecast import EXACT, Forecast
from followyouremoji.sampling.forecast.placement import general_preset
from followyouremoji.sampling.forecast.presets import SPEEDS

COMPARISON = {
    "DDIM, 10 steps": "passes=10",
    "DDIM, 6 steps": "passes=6",
    "DDIM, 3 steps": "passes=3",
    "DDIM, 1 step": "passes=1",
    "DPM-Solver++ 2M, 10 steps": "solver=dpm++,passes=10",
    "DPM-Solver++ 2M, 6 steps": "solver=dpm++,passes=6",
    "UniPC, 10 steps": "solver=unipc,passes=10",
    "UniPC, 6 steps": "solver=unipc,passes=6",
    "reuse all, every 5th (DeepCache's idea)": "what=inside,depth=1,order=0,interval=5",
    "inside 2, reuse, gated 0.1 (first-block cache)": "what=inside,depth=2,order=0,threshold=0.1,first=2",
    "inside 2, Taylor 1, gated 0.1": "what=inside,depth=2,basis=taylor,order=1,threshold=0.1,first=2",
    "modules, Taylor 1, every 5th (TaylorSeer)": "what=modules,basis=taylor,order=1,clock=timestep,interval=5,first=3",
    "inside 0, Taylor 2, every 5th": "what=inside,depth=0,basis=taylor,order=2,clock=timestep,interval=5,first=3",
    "v, Taylor 1, every 5th": "what=velocity,basis=taylor,order=1,clock=timestep,interval=5,first=3",
    "v, Hermite 2, every 5th (HiCache)": "what=velocity,basis=hermite,order=2,clock=timestep,interval=5,first=3",
    "v, Chebyshev 2, every 5th (Spectrum)": "what=velocity,basis=chebyshev,order=2,clock=timestep,interval=5,first=3",
    "v, polynomial 2 on log-SNR, every 5th": "what=velocity,order=2,clock=log-snr,interval=5,first=2,last=1",
    "the same, corrected": "what=velocity,order=2,clock=log-snr,interval=5,first=2,last=1,correct=true",
    "clean, polynomial 2 on t, every 5th": "what=clean,order=2,clock=timestep,interval=5,first=2,last=1",
}

GUIDANCE = {
    "guidance difference reused, every 2nd": "guidance_interval=2,guidance_order=0",
    "guidance difference, order 1, every 2nd": "guidance_interval=2,guidance_order=1",
    "guidance difference, order 1, every 5th": "guidance_interval=5,guidance_order=1",
    "guidance from 0.2 to 0.8 of the steps": "guidance_from=0.2,guidance_to=0.8",
    "guidance to 0.8 of the steps": "guidance_to=0.8",
    "v, corrected, every 3rd, difference every 2nd": "what=velocity,order=2,interval=3,first=2,last=1,correct=true,guidance_interval=2",
    "v, corrected, every 3rd": "what=velocity,order=2,interval=3,first=2,last=1,correct=true",
}


@dataclass(frozen=True)
class SpeedMethod:
    """A way to draw the clips, by a short name."""

    name: str
    forecast: Forecast
    steps: int
    seed: int = 0


EXACT_METHOD = "exact"


def seed_methods(steps: int, seeds: int) -> list[SpeedMethod]:
    """The exact sampler with several seeds; the first is what forecasts are compared with."""
    names = [EXACT_METHOD, *(f"{EXACT_METHOD}, seed {seed}" for seed in range(1, seeds))]
    return [SpeedMethod(name, EXACT, steps, seed) for seed, name in enumerate(names)]


def compared_methods(
    described: Sequence[str] | None, known: Mapping[str, str], acceleration: Acceleration | None, steps: int
) -> list[SpeedMethod]:
    """Methods from their texts, or the presets, those found for the weights, where there are such, and any model's, and
    all that are known."""
    any_model = {f"{speed}, not calibrated": str(general_preset(speed, steps)) for speed in SPEEDS[1:]}
    known = {**(any_model if acceleration else {}), **known}
    texts = described or [*SPEEDS[1:], *(f"{name}={text}" for name, text in known.items())]
    methods = []
    for text in texts:
        name, _, forecast = text.partition("=")
        methods.append(SpeedMethod(name, forecast_for(acceleration, forecast or name, steps), steps))
    return methods


def finish_queue(device: torch.device) -> None:
    """Wait for an Nvidia GPU, so that a clock tells what its work takes."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
