"""Feature forecasting: passes of the denoiser that are told from others instead of computed."""

from followyouremoji.sampling.forecast.settings import EXACT, Forecast

__all__ = ["EXACT", "Forecast"]
