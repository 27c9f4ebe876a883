"""How latents are drawn: what can be set, checked. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from followyouremoji.errors import SettingsError
from followyouremoji.sampling.presets import CacheSettings, TaylorSettings
from followyouremoji.sampling.progressive import Level, chain, plan
from followyouremoji.sampling.windows import OVERLAP, TILE, Blend, Window, overlapping_windows

if TYPE_CHECKING:
    from followyouremoji.networks.config import NetworkConfig

Strategy = Literal["keyframes", "windows", "tiles", "chain"]

TRAINING_STEPS = 1000


@dataclass(frozen=True)
class SamplingSettings:
    """How latents are drawn.

    Attributes
    ----------
    steps : of DDIM, 1 to 1000.
    seed : of the noise, 0 or more.
    shared_noise : in [0, 1], the part of the noise that all frames have in common; see `frame_noise`.
    window : frames that the denoiser sees at once, at least 3.
    strategy : for clips longer than a window: "keyframes", the progressive strategy (paper layout only); "windows",
        overlapping windows whose predictions are averaged; "tiles", windows of at most 16 with Gaussian weights;
        "chain", one window after the other, each going on from the last frame of the one before (paper layout only).
    batch : segments of equal length that the denoiser takes at once, 1 or more; scenes in windows or tiles come one by
        one.
    cache : which passes of the denoiser are forecast from others instead of computed; None: none.

    Raises SettingsError for values outside these.
    """

    steps: int = 30
    seed: int = 0
    shared_noise: float = 0.0
    window: int = 16
    strategy: Strategy = "keyframes"
    batch: int = 1
    cache: CacheSettings | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= TRAINING_STEPS:
            raise SettingsError(f"The number of steps must be 1 to {TRAINING_STEPS}, not {self.steps}.")
        if self.seed < 0:
            raise SettingsError(f"The seed must be 0 or a positive whole number, not {self.seed}.")
        if not 0.0 <= self.shared_noise <= 1.0:
            raise SettingsError(f"The shared part of the noise must be 0 to 1, not {self.shared_noise}.")
        if self.window < 3:
            raise SettingsError(f"A window must have at least 3 frames, not {self.window}.")
        if self.batch < 1:
            raise SettingsError(f"At least 1 part of a clip is made at once, not {self.batch}.")
        if self.strategy not in get_args(Strategy):
            raise SettingsError(
                f"Unknown strategy {self.strategy!r} for long clips: use {', '.join(get_args(Strategy))}."
            )

    @property
    def scenes_at_once(self) -> bool:
        """Whether the frames of a scene, however many, are sampled together: their windows overlap in every step."""
        return self.strategy in ("windows", "tiles")

    @property
    def forecasts(self) -> bool:
        """Whether any pass is forecast."""
        return self.cache is not None and self.cache.computed(self.steps) < self.steps

    def levels(self, frames: int, cuts: Sequence[int] = (), loop: bool = False) -> list[Level]:
        """The plan of a clip; parameters as of `plan`.

        Only keyframes join a loop's end to its beginning. The scenes of a clip are apart in every strategy.
        """
        if self.strategy == "keyframes":
            return plan(frames, self.window, cuts, loop)
        if self.strategy == "chain":
            return chain(frames, self.window, cuts)
        return plan(frames, max(frames, 1), cuts)  # a scene at once

    def steps_of(self, frames: int, cuts: Sequence[int] = (), loop: bool = False) -> int:
        """The steps of all windows of a clip, as they are counted; parameters as of `levels`."""
        segments = (segment for level in self.levels(frames, cuts, loop) for segment in level)
        return sum(self.steps * len(self.windows(len(segment))) for segment in segments)

    def windows(self, frames: int) -> list[Window]:
        """The windows that the frames of one segment are denoised in, side by side; a single one where they fit."""
        length = min(TILE, self.window) if self.strategy == "tiles" else self.window
        blend: Blend = "gaussian" if self.strategy == "tiles" else "even"
        return overlapping_windows(frames, length, min(OVERLAP, length // 2), blend)


def check_fits(settings: SamplingSettings, network: NetworkConfig) -> None:
    """Raise SettingsError where a denoiser of these sizes cannot be sampled with these settings."""
    if settings.strategy in ("keyframes", "chain") and network.layout != "paper":
        raise SettingsError(
            "This model was not trained to go on from known frames: use the strategy 'windows' or 'tiles' for long clips."
        )
    if network.motion_modules and settings.window > network.max_frames:
        raise SettingsError(
            f"This model sees at most {network.max_frames} frames at once, not {settings.window}: use a smaller window."
        )
    if isinstance(settings.cache, TaylorSettings) and settings.cache.deepest_cut > network.skips:
        raise SettingsError(
            f"This model has {network.skips} skips, and a cache cannot cut deeper, at {settings.cache.deepest_cut}."
        )
