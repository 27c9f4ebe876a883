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
class StageRules:
    """Rules of `cache.TaylorCache` in one stage of the trajectory.

    Attributes
    ----------
    until : share of the steps that are taken when it ends, above 0 to 1.
    interval : share of the steps from a computed one to the next, 0 to 1: 0 computes all, 1/6 every 5th of 30.
    inside, outside : orders of the Taylor series around the landmarks and elsewhere, 0 (reuse) or more.
    cut : of the denoiser, which is left out in the other steps: 0 all between the first convolution and the head, n all
        that is deeper than the n-th skip (`networks.unet.Cache`).
    """

    until: float
    interval: float
    inside: int = 2
    outside: int = 1
    cut: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.until <= 1:
            raise SettingsError(
                f"A stage ends when a share of 0 to 1 of the steps is taken, not {self.until}."
            )
        if not 0 <= self.interval <= 1:
            raise SettingsError(f"An interval is a share of 0 to 1 of the steps, not {self.interval}.")
        if min(self.inside, self.outside, self.cut) < 0:
            raise SettingsError(
                f"Orders and the cut are at least 0, not {self.inside}, {self.outside} and {self.cut}."
            )


@dataclass(frozen=True)
class TaylorSettings:
    """Of `cache.TaylorCache`: the stages of the trajectory, from noise to clean latents."""

    stages: tuple[StageRules, ...]

    def __post_init__(self) -> None:
        ends = [stage.until for stage in self.stages]
        if ends != sorted(set(ends)) or ends[-1:] != [1.0]:
            raise SettingsError(
                f"The stages of a cache end one after the other, the last at 1, not at {ends}."
            )

    @property
    def order(self) -> int:
        """The highest."""
        return max(order for stage in self.stages for order in (stage.inside, stage.outside))

    @property
    def deepest_cut(self) -> int:
        return max(stage.cut for stage in self.stages)

    @property
    def by_region(self) -> bool:
        """Whether rules around landmarks differ from those elsewhere."""
        return any(stage.inside != stage.outside for stage in self.stages)

    def rules(self, steps: int) -> list[tuple[StageRules, bool]]:
        """Of each of so many steps its stage, and whether it is computed; the first one always is."""
        rules: list[tuple[StageRules, bool]] = []
        last: int | None = None  # the last computed step
        for step in range(steps):
            stage = next(one for one in self.stages if step < round(one.until * steps))
            computed = last is None or step - last >= round(stage.interval * steps)
            last = step if computed else last
            rules.append((stage, computed))
        return rules

    def computed(self, steps: int) -> int:
        """How many of so many steps are computed."""
        return sum(computed for _, computed in self.rules(steps))


CacheSettings = ForecastSettings | TaylorSettings

PRESETS: Mapping[str, CacheSettings | None] = {
    "exact": None,
    "lossless": ForecastSettings(passes=6),
    "fast": ForecastSettings(passes=5),
    "fastest": ForecastSettings(passes=4),
    "paper": TaylorSettings((StageRules(2 / 3, 1 / 6), StageRules(1.0, 1 / 10))),
}
"""By what a user calls them. None computes every pass; "paper" is our reading of the cache of Follow-Your-Emoji-Faster.
How many passes a clip needs depends on how its velocity bends, not on the number of steps."""


def preset(speed: str) -> CacheSettings | None:
    """One of `PRESETS`. Raises SettingsError for another name."""
    if speed not in PRESETS:
        raise SettingsError(f"There is no speed {speed!r}: choose from {', '.join(PRESETS)}.")
    return PRESETS[speed]
