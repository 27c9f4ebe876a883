"""How many passes of the denoiser are computed: presets as plain data. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from followyouremoji.errors import SettingsError


@dataclass(frozen=True)
class ForecastSettings:
    """Of `cache.VelocityForecast`.

    Attributes
    ----------
    passes : that are computed, 2 or more; where there are no more steps than these, all are.
    order : of the polynomial, 0 or more.
    """

    passes: int
    order: int = 2

    def __post_init__(self) -> None:
        if self.passes < 2 or self.order < 0:
            raise SettingsError(
                f"A forecast needs at least 2 passes and an order of 0, not {self.passes} and {self.order}."
            )

    def computed(self, steps: int) -> int:
        """How many of so many steps are computed."""
        return min(self.passes, steps)


@dataclass(frozen=True)
class TaylorSettings:
    """Of `cache.TaylorCache`.

    Attributes
    ----------
    order : of the Taylor series, 0 (reuse) or more.
    interval : after the warm-up one step in so many is computed, 1 or more.
    warm_up : so many steps at the beginning are computed, 1 or more.
    """

    order: int = 1
    interval: int = 5
    warm_up: int = 3

    def __post_init__(self) -> None:
        if self.order < 0 or self.interval < 1 or self.warm_up < 1:
            raise SettingsError(
                f"A Taylor cache needs an order of 0, an interval of 1 and a warm-up of 1 at least, not {self.order}, {self.interval} "
                f"and {self.warm_up}."
            )

    def computes(self, step: int) -> bool:
        """Whether a step is computed in full."""
        return step < self.warm_up or (step + 1 - self.warm_up) % self.interval == 0

    def computed(self, steps: int) -> int:
        """How many of so many steps are computed."""
        return sum(self.computes(step) for step in range(steps))


CacheSettings = ForecastSettings | TaylorSettings

PRESETS: Mapping[str, CacheSettings | None] = {
    "exact": None,
    "lossless": ForecastSettings(passes=6),
    "fast": ForecastSettings(passes=5),
    "fastest": ForecastSettings(passes=4),
    "paper": TaylorSettings(order=1, interval=5, warm_up=3),
}
"""By what a user calls them. None computes every pass; "paper" is the cache of Follow-Your-Emoji-Faster. How many
passes a clip needs depends on how its velocity bends, not on the number of steps."""


def preset(speed: str) -> CacheSettings | None:
    """One of `PRESETS`. Raises SettingsError for another name."""
    if speed not in PRESETS:
        raise SettingsError(f"There is no speed {speed!r}: choose from {', '.join(PRESETS)}.")
    return PRESETS[speed]
