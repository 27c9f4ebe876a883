"""Which passes to compute for a model that nothing is known of but its schedule."""

from __future__ import annotations

import numpy as np

from followyouremoji.sampling.forecast.settings import EXACT, Forecast
from followyouremoji.sampling.schedule import ddim_schedule

PASSES = {"lossless": (5, 10), "fast": (4, 15), "fastest": (4, 30)}
"""Of a model that nothing is known of: so many passes, and one more for every so many steps. With 30 steps these were
lossless for the bundled model (`docs/performance.md`)."""


def curved_steps(passes: int, steps: int) -> tuple[int, ...]:
    """Which of `steps` steps of DDIM to compute, 2 or more and no more than there are: dense where the schedule bends.

    Noised latents are `signal * clean + noise`, each of unit size, so that the two shares' second derivatives in time
    tell how fast their path turns. Straight pieces follow a curve best with ends whose density goes with the square
    root of that (de Boor 1974), and a little higher orders nearly so.
    """
    schedule = ddim_schedule(steps)
    variance = schedule.alphas_cumprod.double().numpy()
    shares = np.sqrt(np.stack([variance, 1 - variance]))
    bend = np.linalg.norm(np.gradient(np.gradient(shares, axis=1), axis=1), axis=0)
    density = np.sqrt(bend[schedule.timesteps.numpy()])
    reached = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return _distinct(np.interp(np.linspace(0, reached[-1], passes), reached, np.arange(steps)), steps)


def spread_steps(passes: int, steps: int) -> tuple[int, ...]:
    """As `curved_steps`, by the mathematics of polynomials alone: Chebyshev-Lobatto points, dense at both ends."""
    places = (1 - np.cos(np.pi * np.arange(passes) / (passes - 1))) / 2 * (steps - 1)
    return _distinct(places, steps)


def _distinct(places: np.ndarray, steps: int) -> tuple[int, ...]:
    """Ascending places from 0 to `steps` - 1 as steps, no two the same."""
    number = np.arange(len(places))
    apart = np.maximum.accumulate(np.rint(places).astype(int) - number)
    return tuple(int(step) for step in np.minimum(apart, steps - len(places)) + number)


def curved_forecast(passes: int, steps: int) -> Forecast:
    """The best that is known of so many passes without having seen the model's predictions."""
    return Forecast(
        what="velocity", order=2, clock="log-snr", correct=True, computed=curved_steps(passes, steps)
    )


def general_preset(speed: str, steps: int) -> Forecast:
    """The forecast of one of `SPEEDS` for a model that has not been calibrated; with few steps all are computed."""
    if speed == "exact":
        return EXACT
    least, share = PASSES[speed]
    passes = least + steps // share
    return EXACT if passes >= steps else curved_forecast(passes, steps)
