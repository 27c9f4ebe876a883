"""From noise to clean latents: the steps of the schedule, for the frames of one segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

import torch
from torch import Tensor

from followyouremoji.networks import Denoiser
from followyouremoji.sampling.cache import TaylorCache, VelocityForecast, velocity_forecast
from followyouremoji.sampling.guidance import ClipConditioning, predict_velocity
from followyouremoji.sampling.presets import CacheSettings, ForecastSettings, TaylorSettings
from followyouremoji.sampling.schedule import Schedule, ddim_schedule
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
    cache: CacheSettings | None = None,
    step_done: Callable[[bool], None] = lambda computed: None,
    region: Tensor | None = None,
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
    cache : which passes are forecast instead of computed; None computes all.
    step_done : called `steps` times for each window with whether its pass was computed.
    region : (batch, 1, frames, height, width), 1 around landmarks, where a cache has rules of its own for them.

    Returns
    -------
    (batch, channels, frames, height, width) float32.
    """
    schedule = ddim_schedule(steps)
    forecast = velocity_forecast(cache if isinstance(cache, ForecastSettings) else None, schedule)
    taylor = cache if isinstance(cache, TaylorSettings) else None
    layers = [layer_caches(taylor, steps, region, window) if taylor else None for window in windows]
    whole = [computed for _, computed in taylor.rules(steps)] if taylor else [True] * steps
    solver = Solver(noise, schedule, forecast, known, mask)
    for step, timestep in enumerate(schedule.timesteps):
        if step in forecast.computed:
            for one in chain.from_iterable(caches or () for caches in layers):
                one.step = step
            velocity = blended_velocity(
                denoiser,
                conditioning,
                landmark_features,
                solver.latents,
                known,
                mask,
                windows,
                timestep,
                layers,
            )
            solver.computed(step, velocity)
        solver.advance(step)
        for _ in windows:
            step_done(step in forecast.computed and whole[step])
    return torch.where(mask == 1, known, solver.latents)


def blended_velocity(
    denoiser: Denoiser,
    conditioning: ClipConditioning,
    landmark_features: Callable[[Window], Tensor],
    latents: Tensor,
    known: Tensor,
    mask: Tensor,
    windows: Sequence[Window],
    timestep: Tensor,
    caches: Sequence[tuple[TaylorCache, TaylorCache] | None] = (),
) -> Tensor:
    """The guided velocity of all frames at one timestep: what is predicted for each window, by its shares.

    `latents` are noisy, `caches` those of each window, none where there are none; the rest as for `denoise`. Returns
    (batch, channels, frames, height, width) float32.
    """
    velocity = torch.zeros_like(latents)
    for window, cached in zip(windows, caches or [None] * len(windows), strict=True):
        inside = slice(window.start, window.stop)
        predicted = predict_velocity(
            denoiser,
            latents[:, :, inside],
            known[:, :, inside],
            mask[:, :, inside],
            timestep,
            landmark_features(window),
            conditioning,
            cached,
        )
        shares = torch.as_tensor(window.shares, dtype=latents.dtype, device=latents.device)
        velocity[:, :, inside] += shares[:, None, None] * predicted
    return velocity


def layer_caches(
    settings: TaylorSettings, steps: int, region: Tensor | None, window: Window
) -> tuple[TaylorCache, TaylorCache]:
    """Of a window, for both passes of guidance."""
    inside = None if region is None else region[:, :, window.start : window.stop]
    return TaylorCache(settings, steps, inside), TaylorCache(settings, steps, inside)


class Solver:
    """Latents on their way through the steps of DDIM, by velocities that are computed or forecast.

    When a velocity is computed after forecasts, the steps since the one computed before are taken again with velocities
    interpolated between the two.
    """

    def __init__(
        self, noise: Tensor, schedule: Schedule, forecast: VelocityForecast, known: Tensor, mask: Tensor
    ) -> None:
        """Begin with `noise`; frames where `mask` is 1 are held on the path from it to `known`."""
        self._noise, self._schedule, self._forecast = noise, schedule, forecast
        self._known, self._mask = known, mask
        self._last, self._at_last = 0, self._pinned(noise, 0)  # the last computed step, and its latents
        self.latents = self._at_last

    def computed(self, step: int, velocity: Tensor) -> None:
        """The velocity of `latents` at a step, which comes next."""
        self._forecast.remember(step, velocity)
        if step - self._last > 1:
            self.latents = self._at_last
            for between in range(self._last, step):
                self.advance(between)
        self._last, self._at_last = step, self.latents

    def advance(self, step: int) -> None:
        """Take a step with the velocity that the forecast has for it: the computed one, where there is one."""
        latents = self._schedule.step(self.latents, self._forecast.at(step), step)
        self.latents = (
            self._pinned(latents, step + 1) if step + 1 < len(self._schedule.timesteps) else latents
        )

    def _pinned(self, latents: Tensor, step: int) -> Tensor:
        return torch.where(self._mask == 1, self._schedule.noised(self._known, self._noise, step), latents)
