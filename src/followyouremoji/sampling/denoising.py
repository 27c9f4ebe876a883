"""From noise to clean latents: the steps of the schedule, for the frames of one segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

import numpy as np
import torch
from torch import IntTensor, Tensor

from followyouremoji.networks import Denoiser
from followyouremoji.sampling.forecast.memory import FeatureMemory
from followyouremoji.sampling.forecast.prediction import GuidanceDifference, WholePrediction
from followyouremoji.sampling.forecast.settings import EXACT, Forecast
from followyouremoji.sampling.guidance import NOTHING_TOLD, ClipConditioning, Telling, predict_velocity
from followyouremoji.sampling.schedule import Schedule, clock_times, next_latents, solver_schedule
from followyouremoji.sampling.windows import Window


@dataclass
class Tally:
    """What a forecast saved and what it cost: passes of a window that were computed and that were told, and the largest
    size of all memories together."""

    computed: int = 0
    told: int = 0
    bytes: int = 0

    def add(self, other: Tally) -> None:
        """Count what was drawn beside or after this, whose memories were others."""
        self.computed += other.computed
        self.told += other.told
        self.bytes = max(self.bytes, other.bytes)


def denoise(
    denoiser: Denoiser,
    conditioning: ClipConditioning,
    landmark_features: Callable[[Window], Tensor],
    noise: Tensor,
    known: Tensor,
    mask: Tensor,
    windows: Sequence[Window],
    steps: int,
    step_done: Callable[[], None],
    forecast: Forecast = EXACT,
    tally: Tally | None = None,
    observe: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Take the frames of a segment, or of several of one length, from noise to clean latents.

    Known frames go along the path from their noise that ends at them, so that the denoiser meets them as noisy as the
    others, as in training; and they come out unchanged.

    Parameters
    ----------
    landmark_features : gives those of a window, (batch, first block width, frames, height, width), on the denoiser's
        device.
    noise, known : (batch, channels, frames, height, width) float32 on the denoiser's device; `known` is read where
        `mask` is 1.
    mask : (batch, 1, frames, 1, 1), 1 where a frame is known.
    windows : that cover the frames; their predictions are blended in each step.
    steps : of DDIM.
    step_done : called `steps` times for each window, whether its passes are computed or told.
    forecast : which passes are told instead of computed; as it stands, none.
    tally : to which the counts are added.
    observe : called with the velocity of each step that is not told as a whole.

    Returns
    -------
    (batch, channels, frames, height, width) float32.
    """
    # A single window reads its features once.
    read_features = lru_cache(maxsize=1)(lambda number: landmark_features(windows[number]))
    own = Tally()
    solver_steps = forecast.steps(steps)
    schedule = solver_schedule(forecast.solver, solver_steps)
    clock = clock_times(schedule, forecast.clock)
    memories = [WindowMemory(forecast, clock) for _ in windows]

    def pinned(latents: Tensor, step: int) -> Tensor:
        return torch.where(
            mask == 1,
            schedule.add_noise(known, noise, cast(IntTensor, schedule.timesteps[step][None])),
            latents,
        )

    def predict(step: int, latents: Tensor) -> Tensor:
        """The guided prediction of all frames, each window's weighted by its share."""
        velocity = torch.zeros_like(latents)
        for number, (window, memory) in enumerate(zip(windows, memories, strict=True)):
            inside = slice(window.start, window.stop)
            predicted = predict_velocity(
                denoiser,
                latents[:, :, inside],
                known[:, :, inside],
                mask[:, :, inside],
                schedule.timesteps[step],
                read_features(number),
                conditioning,
                memory.begin(step),
            )
            own.computed += memory.computing
            shares = torch.as_tensor(window.shares, dtype=latents.dtype, device=latents.device)
            velocity[:, :, inside] += shares[:, None, None] * predicted
        if observe is not None:
            observe(velocity)
        return velocity

    def after_step(step: int, whole: WholePrediction | None) -> None:
        remembered = sum(memory.bytes for memory in memories) + (whole.bytes if whole else 0)
        own.bytes = max(own.bytes, remembered)
        for _ in range(len(windows) * ((step + 1) * steps // solver_steps - step * steps // solver_steps)):
            step_done()

    latents = follow_path(predict, noise, schedule, clock, forecast, pinned, after_step)
    own.told = solver_steps * len(windows) - own.computed
    if tally is not None:
        tally.add(own)
    return torch.where(mask == 1, known, latents)


def follow_path(
    predict: Callable[[int, Tensor], Tensor],
    latents: Tensor,
    schedule: Schedule,
    clock: np.ndarray,
    forecast: Forecast,
    pinned: Callable[[Tensor, int], Tensor] = lambda latents, step: latents,
    after_step: Callable[[int, WholePrediction | None], None] = lambda step, whole: None,
) -> Tensor:
    """The steps of a schedule from noise on, those predictions told that the forecast tells as a whole.

    Parameters
    ----------
    predict : step and latents to the velocity there; may itself tell features.
    latents : noise, of any shape.
    clock : (steps,) times on the forecast's clock.
    pinned : the latents of a step with whatever is known put in.
    after_step : called after each step.
    """
    due = forecast.computes(len(clock))

    def advance(latents: Tensor, velocity: Tensor, step: int) -> Tensor:
        latents = next_latents(schedule, velocity, step, latents)
        return pinned(latents, step + 1) if step + 1 < len(clock) else latents

    whole = WholePrediction(forecast, schedule, clock, advance) if forecast.whole else None
    latents = pinned(latents, 0)
    for step in range(len(clock)):
        if whole is None:
            velocity = predict(step, latents)
        elif due[step]:
            latents, velocity = whole.computed(step, latents, predict(step, latents))
        else:
            velocity = whole.told(step, latents)
        latents = advance(latents, velocity, step)
        after_step(step, whole)
    return latents


class WindowMemory:
    """What is remembered for one window: the features of both halves of guidance, and their difference."""

    def __init__(self, forecast: Forecast, clock: np.ndarray) -> None:
        self.forecast, self.clock = forecast, clock
        self.due = forecast.computes(len(clock))
        self.halves = [FeatureMemory(forecast) for _ in range(2)] if forecast.features else []
        self.difference = GuidanceDifference(forecast) if forecast.spares_guidance else None

    def begin(self, step: int) -> Telling:
        """What is told in the pass of a step, which comes next."""
        time = float(self.clock[step])
        for half in self.halves:
            half.begin(time, self.due[step])
        telling = Telling(self.halves[0], self.halves[1]) if self.halves else NOTHING_TOLD
        if self.difference is None:
            return telling
        if self.forecast.guidance_from <= step / len(self.clock) <= self.forecast.guidance_to:
            difference = self.difference
            # `computing` is read when the conditional half has run: a gate may decide in its middle.
            return replace(telling, difference=lambda compute: difference.at(time, self.computing, compute))
        return replace(telling, difference=no_guidance)

    @property
    def computing(self) -> bool:
        """Whether the last pass was computed in full."""
        return not self.halves or self.halves[0].computing

    @property
    def bytes(self) -> int:
        difference = 0 if self.difference is None else self.difference.series.bytes
        return difference + sum(half.bytes for half in self.halves)


def no_guidance(compute: Callable[[], Tensor]) -> None:
    """Outside the interval in which guidance acts."""
    return None
