"""Forecasts of the whole network's prediction, and the correction that costs no pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from followyouremoji.sampling.forecast.bases import interpolation
from followyouremoji.sampling.forecast.memory import Series, combine
from followyouremoji.sampling.forecast.settings import Forecast
from followyouremoji.sampling.schedule import Schedule

Advance = Callable[[Tensor, Tensor, int], Tensor]
"""Latents and the velocity of a step, and its number, to the next step's latents."""


class WholePrediction:
    """Predictions of the computed passes of a segment, as `v` or as clean latents, and what they tell of the other
    steps.

    With clean latents of order 0 the steps between are DDIM with fewer steps; of order 1, a multistep solver of second
    order.
    """

    def __init__(self, forecast: Forecast, schedule: Schedule, clock: np.ndarray, advance: Advance) -> None:
        signal = schedule.alphas_cumprod[schedule.timesteps.cpu()].double()
        self.alphas, self.sigmas = signal.sqrt().tolist(), (1 - signal).sqrt().tolist()
        self.forecast, self.clock, self.advance = forecast, clock, advance
        self.series = Series(forecast.basis, forecast.order)
        self.origin: tuple[int, Tensor] | None = None  # the last computed step, and its latents

    def told(self, step: int, latents: Tensor) -> Tensor:
        """The velocity of a step that is not computed."""
        return self._velocity(self.series.told(self.clock[step]), step, latents)

    def computed(self, step: int, latents: Tensor, velocity: Tensor) -> tuple[Tensor, Tensor]:
        """Remember a computed step; returns its latents, corrected where the forecast says so, and the velocity
        there."""
        clean = self.forecast.what == "clean"
        value = self.alphas[step] * latents - self.sigmas[step] * velocity if clean else velocity
        self.series.remember(self.clock[step], value)
        if self.forecast.correct and self.origin is not None and self.origin[0] < step - 1:
            latents = self._taken_again(step)
            velocity = self._velocity(value, step, latents)
        if self.forecast.correct:
            self.origin = (step, latents)
        return latents, velocity

    @property
    def bytes(self) -> int:
        """Of all that is remembered now."""
        latents = 0 if self.origin is None else self.origin[1].numel() * self.origin[1].element_size()
        return self.series.bytes + latents

    def _taken_again(self, step: int) -> Tensor:
        """The latents of `step`, from those of the computed step before, by predictions interpolated between both.

        As the corrector of UniPC (2023), without a pass at the corrected place.
        """
        assert self.origin is not None
        start, latents = self.origin
        for between in range(start, step):
            shares = interpolation(self.series.times, self.clock[between], self.forecast.order)
            told = combine(self.series.values, shares)
            latents = self.advance(latents, self._velocity(told, between, latents), between)
        return latents

    def _velocity(self, value: Tensor, step: int, latents: Tensor) -> Tensor:
        if self.forecast.what == "velocity":
            return value
        return (self.alphas[step] * latents - value) / self.sigmas[step]


class GuidanceDifference:
    """What guidance adds: the difference between the conditional and the unconditional prediction of one window,
    computed now and then.

    It changes more slowly than either.
    """

    def __init__(self, forecast: Forecast) -> None:
        self.interval = forecast.guidance_interval
        self.series = Series("newton", forecast.guidance_order)
        self.computed_passes = 0

    def at(self, time: float, computing: bool, compute: Callable[[], Tensor]) -> Tensor:
        """The difference in a pass at `time`; `computing`: whether its conditional half, which comes first, was
        computed in full."""
        due = computing and self.computed_passes % self.interval == 0
        self.computed_passes += computing
        if not due and len(self.series.kept):
            return self.series.told(time)
        difference = compute()
        self.series.remember(time, difference)
        return difference
