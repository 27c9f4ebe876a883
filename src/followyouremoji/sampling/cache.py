"""Passes of the denoiser that are forecast from others instead of computed: our reading of the paper's cache of layer
features, and ours of whole velocities.

Both forecasts are linear combinations of computed values, with weights that follow from their times alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from math import factorial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from followyouremoji.sampling.presets import ForecastSettings, StageRules, TaylorSettings
from followyouremoji.sampling.schedule import Schedule

Weights = Callable[[np.ndarray, float], np.ndarray]
"""Times (n,) at which something was computed, in order, and the time of a forecast, to the weights (n,) of the values
in it. They sum to one."""


def taylor_weights(times: np.ndarray, time: float) -> np.ndarray:
    """Taylor series about the last time, with finite differences for derivatives, as in TaylorSeer (2025).

    The sum over i of F_i (time - last)^i / i!, F_i the difference of F_(i-1) at the last two times over their gap.
    """
    derivatives = np.eye(len(times))[::-1]  # the last pass first, (passes, n)
    latest = times[::-1]
    total, ahead = derivatives[0], time - times[-1]
    for order in range(1, len(times)):
        gaps = (latest[:-order] - latest[1 : len(latest) - order + 1])[:, None]
        derivatives = (derivatives[:-1] - derivatives[1:]) / gaps
        total = total + derivatives[0] * ahead**order / factorial(order)
    return total


def lagrange_weights(times: np.ndarray, time: float) -> np.ndarray:
    """The polynomial through all values: between times it interpolates."""
    own = np.eye(len(times), dtype=bool)
    return np.prod(np.where(own, 1.0, time - times) / np.where(own, 1.0, times[:, None] - times), axis=1)


class History:
    """The last `order + 1` computed values of one thing."""

    def __init__(self, order: int, weights: Weights) -> None:
        self.order, self.weights = order, weights
        self.computed: deque[tuple[float, Tensor]] = deque(maxlen=order + 1)

    def remember(self, time: float, value: Tensor) -> None:
        self.computed.append((time, value))

    def at(self, time: float, order: int | None = None) -> Tensor:
        """The forecast for a time, of this order or a lower one; summed in float32 at least."""
        used = self.order if order is None else order
        times, values = zip(*list(self.computed)[-used - 1 :], strict=True)
        if len(values) == 1:
            return values[0]
        dtype = torch.promote_types(values[0].dtype, torch.float32)
        total = torch.zeros_like(values[0], dtype=dtype)
        for value, weight in zip(values, self.weights(np.array(times), time), strict=True):
            total.add_(value, alpha=float(weight))
        return total.to(values[0].dtype)


class TaylorCache:
    """Our reading of the cache of Follow-Your-Emoji-Faster: features of layers are computed in some steps and forecast
    by Taylor series in the others, with rules by stage of the trajectory, and by region: around the landmarks the order
    may be another one than elsewhere, where 0 reuses the last features.

    A forecast is linear: layers that add their features up and are all forecast add up to the forecast of the last one.
    So features are kept at a cut of the U alone (`networks.unet.Cache`), and what lies within is left out.

    It belongs to one window and one half of guidance.
    """

    def __init__(self, settings: TaylorSettings, steps: int, region: Tensor | None = None) -> None:
        """For a trajectory of so many steps.

        `region` (batch, 1, frames, height, width) of the latents is 1 around landmarks and 0 elsewhere; None is
        everywhere around landmarks.
        """
        self.step = 0
        self._rules = settings.rules(steps)
        self._region = None if region is None else region.transpose(1, 2).flatten(0, 1)  # (b f) 1 h w
        self._features = {stage.cut: History(settings.order, taylor_weights) for stage in settings.stages}

    def __call__(self, cut: int, compute: Callable[[], Tensor]) -> Tensor:
        stage, computed = self._rules[self.step]
        if not computed and cut == stage.cut:
            return self._forecast(self._features[cut], stage)
        value = compute()
        if computed and cut in self._features:
            self._features[cut].remember(self.step, value)
        return value

    def _forecast(self, features: History, stage: StageRules) -> Tensor:
        inside = features.at(self.step, stage.inside)
        if self._region is None or stage.inside == stage.outside:
            return inside
        region = F.adaptive_max_pool2d(self._region, inside.shape[2:])  # at the cut's resolution
        return torch.where(region > 0, inside, features.at(self.step, stage.outside))


class VelocityForecast:
    """Our cache: the guided velocity of the whole network, as a polynomial on the log-SNR of the steps.

    The sampler computes the velocity at the steps `computed`, forecasts the others, and, when the next computed one is
    known, takes the steps between again with `at`, which then interpolates: UniPC's corrector (2023) without its pass.
    """

    def __init__(self, computed: Sequence[int], log_snr: np.ndarray, order: int = 2) -> None:
        self.computed = frozenset(computed)
        self.log_snr = log_snr
        self.history = History(order, lagrange_weights)

    def remember(self, step: int, velocity: Tensor) -> None:
        self.history.remember(float(self.log_snr[step]), velocity)

    def at(self, step: int) -> Tensor:
        return self.history.at(float(self.log_snr[step]))


def velocity_forecast(settings: ForecastSettings | None, schedule: Schedule) -> VelocityForecast:
    """A forecast whose computed steps lie where the schedule bends; without settings, one that computes them all."""
    steps = len(schedule.timesteps)
    if settings is None or settings.passes >= steps:
        return VelocityForecast(range(steps), schedule.log_snr, order=0)
    return VelocityForecast(curved_steps(settings.passes, schedule), schedule.log_snr, settings.order)


def curved_steps(passes: int, schedule: Schedule) -> tuple[int, ...]:
    """Which steps to compute, 2 or more and no more than there are: dense where the schedule bends.

    Noised latents are `signal * clean + noise`, each of unit size, so that the two shares' second derivatives in time
    tell how fast their path turns. Straight pieces follow a curve best with ends whose density goes with the square
    root of that (de Boor 1974), and a little higher orders nearly so.
    """
    variance = schedule.alphas_cumprod.double().numpy()
    shares = np.sqrt(np.stack([variance, 1 - variance]))
    bend = np.linalg.norm(np.gradient(np.gradient(shares, axis=1), axis=1), axis=0)
    density = np.sqrt(bend[schedule.timesteps.numpy()])
    reached = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    steps, number = len(schedule.timesteps), np.arange(passes)
    places = np.interp(np.linspace(0, reached[-1], passes), reached, np.arange(steps))
    apart = np.maximum.accumulate(np.rint(places).astype(int) - number)  # no step twice
    return tuple(int(step) for step in np.minimum(apart, steps - passes) + number)
