"""From noise to the latents of a clip of any length, segment by segment (Sec. 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor

from followyouremoji.errors import SettingsError
from followyouremoji.networks import Denoiser
from followyouremoji.sampling.denoising import denoise
from followyouremoji.sampling.guidance import ClipConditioning
from followyouremoji.sampling.noise import frame_noise
from followyouremoji.sampling.progressive import Segment, plan
from followyouremoji.sampling.windows import OVERLAP, TILE, Blend, Window, overlapping_windows

Strategy = Literal["keyframes", "windows", "tiles"]
LandmarkFeatures = Callable[[tuple[int, ...]], Tensor]
"""Frame indices to their landmark features (1, first block width, frames, height, width), on the denoiser's device."""

Progress = Callable[[int, int], None]
"""Called after each step of each window with the steps done and the steps in all."""

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
        overlapping windows whose predictions are averaged; "tiles", windows of at most 16 with Gaussian weights.

    Raises SettingsError for values outside these.
    """

    steps: int = 30
    seed: int = 0
    shared_noise: float = 0.0
    window: int = 16
    strategy: Strategy = "keyframes"

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= TRAINING_STEPS:
            raise SettingsError(f"The number of steps must be 1 to {TRAINING_STEPS}, not {self.steps}.")
        if self.seed < 0:
            raise SettingsError(f"The seed must be 0 or a positive whole number, not {self.seed}.")
        if not 0.0 <= self.shared_noise <= 1.0:
            raise SettingsError(f"The shared part of the noise must be 0 to 1, not {self.shared_noise}.")
        if self.window < 3:
            raise SettingsError(f"A window must have at least 3 frames, not {self.window}.")
        if self.strategy not in get_args(Strategy):
            raise SettingsError(
                f"Unknown strategy {self.strategy!r} for long clips: use {', '.join(get_args(Strategy))}."
            )

    def segments(self, frames: int) -> list[Segment]:
        """The parts of a clip that are made one after the other."""
        if self.strategy == "keyframes":
            return plan(frames, self.window)
        return plan(frames, max(frames, 1))  # all at once

    def windows(self, frames: int) -> list[Window]:
        """The windows that the frames of one segment are denoised in, side by side; a single one where they fit."""
        length = min(TILE, self.window) if self.strategy == "tiles" else self.window
        blend: Blend = "gaussian" if self.strategy == "tiles" else "even"
        return overlapping_windows(frames, length, min(OVERLAP, length // 2), blend)


def check_fits(settings: SamplingSettings, denoiser: Denoiser) -> None:
    """Raise SettingsError where a denoiser cannot be sampled with these settings."""
    config = denoiser.config
    if settings.strategy == "keyframes" and config.layout != "paper":
        raise SettingsError(
            "This model was not trained to go on from keyframes: use the strategy 'windows' or 'tiles' for long clips."
        )
    if config.motion_modules and settings.window > config.max_frames:
        raise SettingsError(
            f"This model sees at most {config.max_frames} frames at once, not {settings.window}: use a smaller window."
        )


@torch.inference_mode()
def sample(
    denoiser: Denoiser,
    conditioning: ClipConditioning,
    landmark_features: LandmarkFeatures,
    frames: int,
    shape: tuple[int, int, int],
    settings: SamplingSettings,
    progress: Progress | None = None,
) -> Iterator[Tensor]:
    """Draw the latents of a clip, yielded in the order of its frames as soon as they are complete.

    Equal seeds give equal latents, on every device up to rounding.

    Parameters
    ----------
    conditioning : what the frames read of the portrait, from `condition_clip`.
    landmark_features : gives the features of some frames when they are needed.
    frames : of the clip.
    shape : (channels, height, width) of a frame's latents.

    Yields
    ------
    (n, channels, height, width) float32 on the denoiser's device, the next n frames; all of them together are the clip.

    Raises
    ------
    SettingsError : settings that this denoiser cannot be sampled with.
    """
    check_fits(settings, denoiser)
    segments = settings.segments(frames)
    total = settings.steps * sum(len(settings.windows(len(segment.frames))) for segment in segments)
    last_use = {frame: index for index, segment in enumerate(segments) for frame in segment.frames}
    done, complete = 0, 0
    made: dict[int, Tensor] = {}  # frames that a later segment reads or that wait for earlier ones

    def step_done() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    for index, segment in enumerate(segments):
        noise = frame_noise(settings.seed, segment.frames, shape, settings.shared_noise)
        noise = noise.to(denoiser.conv_in.weight.device)
        known, mask = known_latents(segment, made, noise)
        latents = denoise(
            denoiser,
            conditioning,
            partial(features_in, landmark_features, segment),
            noise,
            known,
            mask,
            settings.windows(len(segment.frames)),
            settings.steps,
            step_done,
        )
        made.update(zip(segment.frames, latents[0].transpose(0, 1), strict=True))

        ready = []
        while complete in made:
            ready.append(made[complete])
            complete += 1
        made = {frame: value for frame, value in made.items() if frame >= complete or last_use[frame] > index}
        if ready:
            yield torch.stack(ready)


def features_in(landmark_features: LandmarkFeatures, segment: Segment, window: Window) -> Tensor:
    """The landmark features of a window of a segment."""
    return landmark_features(segment.frames[window.start : window.stop])


def known_latents(segment: Segment, made: Mapping[int, Tensor], noise: Tensor) -> tuple[Tensor, Tensor]:
    """The known frames of a segment, zeros elsewhere, shaped as `noise`; and the mask (1, 1, frames, 1, 1) of them."""
    known = torch.zeros_like(noise)
    for i, frame in enumerate(segment.frames):
        if segment.known[i]:
            known[0, :, i] = made[frame]
    mask = torch.tensor(segment.known, dtype=noise.dtype, device=noise.device)
    return known, mask[None, None, :, None, None]
