"""From noise to clean latents: the steps of the schedule, for the frames of one segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from followyouremoji.networks import Denoiser
from followyouremoji.sampling.guidance import ClipConditioning, predict_velocity
from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.sampling.windows import Window


def denoise(
    denoiser: Denoiser,
    conditioning: ClipConditioning,
    landmark_features: Callable[[Window], Tensor],
    noise: Tensor,
    known: Tensor,
    mask: Tensor,
    windows: Sequence[Window],
    steps: int,
    step_done: Callable[[], None],
) -> Tensor:
    """Take the frames of a segment, or of several of one length, from noise to clean latents.

    Known frames go along the path from their noise that ends at them, so that the denoiser meets them as noisy as the others, as in training; and
    they come out unchanged.

    Parameters
    ----------
    landmark_features : gives those of a window, (batch, first block width, frames, height, width), on the denoiser's device.
    noise, known : (batch, channels, frames, height, width) float32 on the denoiser's device; `known` is read where `mask` is 1.
    mask : (batch, 1, frames, 1, 1), 1 where a frame is known.
    windows : that cover the frames; their predictions are blended in each step.
    steps : of DDIM.
    step_done : called after each step of each window.

    Returns
    -------
    (batch, channels, frames, height, width) float32.
    """
    read_features = lru_cache(maxsize=1)(
        lambda number: landmark_features(windows[number])
    )  # a single window reads them once
    schedule = ddim_schedule(steps)
    latents = noise
    for timestep in schedule.timesteps:
        latents = torch.where(mask == 1, schedule.add_noise(known, noise, timestep[None]), latents)
        velocity = torch.zeros_like(latents)
        for number, window in enumerate(windows):
            inside = slice(window.start, window.stop)
            predicted = predict_velocity(
                denoiser,
                latents[:, :, inside],
                known[:, :, inside],
                mask[:, :, inside],
                timestep,
                read_features(number),
                conditioning,
            )
            shares = torch.as_tensor(window.shares, dtype=latents.dtype, device=latents.device)
            velocity[:, :, inside] += shares[:, None, None] * predicted
            step_done()
        latents = schedule.step(velocity, timestep, latents, return_dict=False)[0]
    return torch.where(mask == 1, known, latents)
