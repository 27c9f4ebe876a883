"""The noise schedule of the release: DDIM with zero terminal SNR, v-prediction, trailing spacing; other solvers of the
same schedule."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from torch import Tensor

from followyouremoji.sampling.forecast.settings import Clock, Solver

LEAST_SIGNAL = 2.0**-24
"""Squared share of the clean latents in pure noise, as a multistep solver has to pretend: their clock, log-SNR, would
stand at minus infinity."""

RELEASED_SHORTFALL = 10
"""Timesteps of 1000 by which the released DDIM falls short with its 30 steps."""

NOISE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "steps_offset": 1,
}


Schedule = DDIMScheduler | DPMSolverMultistepScheduler | UniPCMultistepScheduler


def ddim_schedule(steps: int) -> DDIMScheduler:
    """diffusers' DDIM scheduler set as in the released pipeline, with `steps` timesteps (the first is 999).

    For 61, 103 and some other numbers diffusers adds one of -1 by rounding, which would be pure noise.
    """
    schedule = DDIMScheduler(**NOISE, clip_sample=False)
    schedule.set_timesteps(steps)
    schedule.timesteps = schedule.timesteps[:steps]
    return schedule


def solver_schedule(solver: Solver, steps: int) -> Schedule:
    """The schedule of a solver: DDIM as released, or one of second order for the same differential equation.

    The others keep state from step to step, so each clip needs its own. Their last step ends at clean latents, as
    DDIM's does.
    """
    if solver == "ddim":
        return ddim_schedule(steps)
    make = DPMSolverMultistepScheduler if solver == "dpm++" else UniPCMultistepScheduler
    schedule = make(**NOISE, solver_order=2, final_sigmas_type="zero")
    schedule.set_timesteps(steps)
    schedule.timesteps = schedule.timesteps[:steps]  # as above
    schedule.sigmas = torch.cat([schedule.sigmas[:steps], schedule.sigmas[-1:]])
    return schedule


def next_latents(schedule: Schedule, velocity: Tensor, step: int, latents: Tensor) -> Tensor:
    """The latents of the step after `step`, clean ones after the last, by the `velocity` there.

    DDIM as released goes back by 1000 // steps while its timesteps lie 1000 / steps apart. It is kept where all of its
    steps together fall no further short than its own 30, and end at clean latents: up to 50 with 1 to 5, 8 to 10, 12,
    14, 16, 20, 22, 25, 27, 30 to 33, 37, 40, 45 and 50 steps. Other numbers go from timestep to timestep.
    """
    steps = len(schedule.timesteps)
    falls_short = 1000 % steps > RELEASED_SHORTFALL or int(schedule.timesteps[-1]) >= 1000 // steps
    if isinstance(schedule, DDIMScheduler) and falls_short:
        angles = [*clock_times(schedule, "angle"), 0.0]
        turn = angles[step] - angles[step + 1]  # v is the path's derivative along this angle
        return float(np.cos(turn)) * latents - float(np.sin(turn)) * velocity
    following: Tensor = schedule.step(velocity, int(schedule.timesteps[step]), latents, return_dict=False)[0]
    return following


def clock_times(schedule: Schedule, clock: Clock) -> np.ndarray:
    """When the passes of a schedule's timesteps are, on the clock that forecasts are told by, (steps,) float64.

    "angle" is arctan(sigma / alpha), pi / 2 for pure noise: along it the path's velocity is the network's `v`, so that
    this is the clock on which the differential equation is plainest. "timestep" is the timestep over 1000; "log-snr" is
    log(alpha^2 / sigma^2), pure noise as if it held `LEAST_SIGNAL`.
    """
    timesteps = schedule.timesteps.cpu().numpy()
    if clock == "timestep":
        return np.asarray(timesteps / 1000.0)
    # `add_noise` takes them along to a GPU; to the CPU first, as Macs' GPUs have no float64.
    signal = schedule.alphas_cumprod.cpu().double().numpy()[timesteps]
    if clock == "angle":
        return np.asarray(np.arctan2(np.sqrt(1 - signal), np.sqrt(signal)))
    signal = np.maximum(signal, LEAST_SIGNAL)
    return np.asarray(np.log(signal / (1 - signal)))
