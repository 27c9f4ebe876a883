"""How fast a user wants it, by name or written out, and a forecast for another number of steps."""

from __future__ import annotations

from dataclasses import replace

from followyouremoji.errors import SettingsError
from followyouremoji.sampling.forecast.settings import EXACT, Forecast

SPEEDS = ("exact", "lossless", "fast", "fastest")


def written_out(speed: str) -> Forecast | None:
    """The forecast that a user wrote out in place of one of `SPEEDS`; None for one of those. Raises SettingsError for a
    text that is neither."""
    if speed in SPEEDS:
        return None
    if "=" not in speed:
        raise SettingsError(f"There is no speed {speed!r}; choose from {', '.join(SPEEDS)}.")
    return Forecast.from_text(speed)


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
