"""From noise to clean latents: the steps of the schedule, for the frames of one segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from followyouremoji.networks import Denoiser
from followyouremoji.sampling.cache import TaylorCache, VelocityForecast, velocity_forecast
from followyouremoji.sampling.guidance import ClipConditioning, predict_velocity
from followyouremoji.sampling.presets import CacheSettings, ForecastSettings, TaylorSettings
from followyouremoji.sampling.schedule import Schedule, ddim_schedule
from followyouremoji.sampling.windows import Window


@dataclass
class Tally:
    """Passes of a window that were computed, and that were forecast."""

    computed: int = 0
    forecast: int = 0

    def add(self, other: Tally) -> None:
        self.computed += other.computed
        self.forecast += other.forecast


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
    cache: CacheSettings | None = None,
    tally: Tally | None = None,
) -> Tensor:
    """Take the frames of a segment, or of several of one length, from noise to clean latents.

    Known frames go along the path from their noise that ends at them, so that the denoiser meets them as noisy as the
    others, as in training; and they come out unchanged.

    Parameters
    ----------
    landmark_features : gives those of a window, (batch, first block width, frames, height, width), on the denoiser's
        device.
    noise, known : (batch, channels, frames, height, width) float32 on the denoiser's device; `known` is read where
        `mask` is 1.
    mask : (batch, 1, frames, 1, 1), 1 where a frame is known.
    windows : that cover the frames; their predictions are blended in each step.
    steps : of DDIM.
    step_done : called `steps` times for each window, whether its passes are computed or forecast.
    cache : which passes are forecast instead of computed; None computes all.
    tally : to which the counts are added.

    Returns
    -------
    (batch, channels, frames, height, width) float32.
    """
    # A single window reads its features once.
    read_features = lru_cache(maxsize=1)(lambda number: landmark_features(windows[number]))
    schedule = ddim_schedule(steps)
    forecast = velocity_forecast(cache if isinstance(cache, ForecastSettings) else None, schedule)
    # Of each window, for both halves of guidance.
    layers = [
        (TaylorCache(cache), TaylorCache(cache)) if isinstance(cache, TaylorSettings) else None
        for _ in windows
    ]

    def pinned(latents: Tensor, step: int) -> Tensor:
        return torch.where(mask == 1, schedule.noised(known, noise, step), latents)

    def predict(latents: Tensor, step: int) -> Tensor:
        """The guided prediction of all frames, each window's weighted by its share."""
        velocity = torch.zeros_like(latents)
        for number, window in enumerate(windows):
            inside = slice(window.start, window.stop)
            for half in layers[number] or ():
                half.step = step
            predicted = predict_velocity(
                denoiser,
                latents[:, :, inside],
                known[:, :, inside],
                mask[:, :, inside],
                schedule.timesteps[step],
                read_features(number),
                conditioning,
                layers[number],
            )
            shares = torch.as_tensor(window.shares, dtype=latents.dtype, device=latents.device)
            velocity[:, :, inside] += shares[:, None, None] * predicted
        return velocity

    def after_step(step: int) -> None:
        computed = step in forecast.computed and (
            not isinstance(cache, TaylorSettings) or cache.computes(step)
        )
        if tally is not None:
            tally.add(Tally(len(windows), 0) if computed else Tally(0, len(windows)))
        for _ in windows:
            step_done()

    latents = integrate(predict, noise, schedule, forecast, pinned, after_step)
    return torch.where(mask == 1, known, latents)


def integrate(
    predict: Callable[[Tensor, int], Tensor],
    latents: Tensor,
    schedule: Schedule,
    forecast: VelocityForecast,
    pinned: Callable[[Tensor, int], Tensor] = lambda latents, step: latents,
    after_step: Callable[[int], None] = lambda step: None,
) -> Tensor:
    """All steps of a schedule, from noise on; those that are not computed take a forecast velocity, and are taken again
    with interpolated ones once the next computed velocity is known.

    Parameters
    ----------
    predict : latents and step to the velocity there.
    latents : noise, of any shape.
    pinned : the latents at the beginning of a step with whatever is known put in.
    after_step : called after each step.
    """
    steps = len(schedule.timesteps)

    def advance(latents: Tensor, velocity: Tensor, step: int) -> Tensor:
        latents = schedule.step(latents, velocity, step)
        return pinned(latents, step + 1) if step + 1 < steps else latents

    latents = pinned(latents, 0)
    last, at_last = 0, latents  # the last computed step, and its latents
    for step in range(steps):
        if step in forecast.computed:
            velocity = predict(latents, step)
            forecast.remember(step, velocity)
            if step - last > 1:
                latents = at_last
                for between in range(last, step):
                    latents = advance(latents, forecast.at(between), between)
            last, at_last = step, latents
        else:
            velocity = forecast.at(step)
        latents = advance(latents, velocity, step)
        after_step(step)
    return latents
