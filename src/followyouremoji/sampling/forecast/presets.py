"""How fast a user wants it, as a forecast: for any model, and from one number of steps to another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from followyouremoji.errors import SettingsError
from followyouremoji.sampling.forecast.settings import EXACT, Forecast

SPEEDS = ("exact", "lossless", "fast", "fastest")

PASSES = {"lossless": (6, 6), "fast": (4, 10), "fastest": (3, 15)}
"""Of a model that nothing is known of: so many passes, and one more for every so many steps."""


def spread_steps(passes: int, steps: int) -> tuple[int, ...]:
    """Which of `steps` steps to compute, 2 or more and no more than there are: Chebyshev-Lobatto points, dense at both
    ends, through which a polynomial errs least."""
    places = (1 - np.cos(np.pi * np.arange(passes) / (passes - 1))) / 2 * (steps - 1)
    number = np.arange(passes)
    apart = np.maximum.accumulate(np.rint(places).astype(int) - number)  # no two the same,
    return tuple(int(step) for step in np.minimum(apart, steps - passes) + number)  # nor beyond the end


def written_out(speed: str) -> Forecast | None:
    """The forecast that a user wrote out in place of one of `SPEEDS`; None for one of those. Raises SettingsError for a
    text that is neither."""
    if speed in SPEEDS:
        return None
    if "=" not in speed:
        raise SettingsError(f"There is no speed {speed!r}; choose from {', '.join(SPEEDS)}.")
    return Forecast.from_text(speed)


def general_preset(speed: str, steps: int) -> Forecast:
    """The forecast of one of `SPEEDS` for a model that has not been calibrated; with few steps all are computed."""
    if speed == "exact":
        return EXACT
    least, share = PASSES[speed]
    passes = least + steps // share
    if passes >= steps:
        return EXACT
    return Forecast(
        what="velocity", order=2, clock="log-snr", correct=True, computed=spread_steps(passes, steps)
    )


def rescaled(forecast: Forecast, steps: int, to_steps: int) -> Forecast:
    """A forecast found for one number of steps, for another: passes are computed at the same times as nearly as steps
    allow.

    How many are needed depends on how the prediction changes with time, not on the number of steps.
    """
    if steps == to_steps or forecast.computed is None:
        return forecast
    if len(forecast.computed) >= to_steps:
        return EXACT
    scale = (to_steps - 1) / (steps - 1)
    return replace(forecast, computed=tuple(sorted({round(step * scale) for step in forecast.computed})))
