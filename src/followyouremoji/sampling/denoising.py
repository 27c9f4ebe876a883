"""From noise to clean latents: the steps of the schedule, for the frames of one segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
import torch
from torch import IntTensor, Tensor

from followyouremoji.networks import Denoiser
from followyouremoji.networks.unet import Recall, compute_always
from followyouremoji.sampling.forecast.memory import FeatureMemory
from followyouremoji.sampling.forecast.prediction import GuidanceDifference, WholePrediction
from followyouremoji.sampling.forecast.settings import EXACT, Forecast
from followyouremoji.sampling.guidance import (
    ClipConditioning,
    Difference,
    compute_difference,
    predict_velocity,
)
from followyouremoji.sampling.schedule import Schedule, clock_times, next_latents, solver_schedule
from followyouremoji.sampling.windows import Window


@dataclass
class Tally:
    """What a forecast saved and what it cost: passes of a window that were computed and that were told, and the largest size of all memories together."""

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

    Known frames go along the path from their noise that ends at them, so that the denoiser meets them as noisy as the others, as in training; and
    they come out unchanged.

    Parameters
    ----------
    landmark_features : gives those of a window, (batch, first block width, frames, height, width), on the denoiser's device.
    noise, known : (batch, channels, frames, height, width) float32 on the denoiser's device; `known` is read where `mask` is 1.
    mask : (batch, 1, frames, 1, 1), 1 where a frame is known.
    windows : that cover the frames; their predictions are blended in each step.
    steps : of DDIM.
    step_done : called `steps` times for each window, whether its passes are computed or told.
    forecast : which passes are told instead of computed; as it stands, none.
    tally : counts.
    observe : called with the velocity of each step that is not told as a whole.

    Returns
    -------
    (batch, channels, frames, height, width) float32.
    """
    read_features = lru_cache(maxsize=1)(
        lambda number: landmark_features(windows[number])
    )  # a single window reads them once
    tally = tally or Tally()
    taken = forecast.steps(steps)
    schedule = solver_schedule(forecast.solver, taken)
    clock = clock_times(schedule, forecast.clock)
    due = forecast.computes(taken)
    memories = [WindowMemory(forecast, taken) for _ in windows]

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
            memory.begin(step, float(clock[step]), due[step])
            predicted = predict_velocity(
                denoiser,
                latents[:, :, inside],
                known[:, :, inside],
                mask[:, :, inside],
                schedule.timesteps[step],
                read_features(number),
                conditioning,
                memory.guided,
                memory.unguided,
                memory.difference,
            )
            tally.computed += memory.computing
            shares = torch.as_tensor(window.shares, dtype=latents.dtype, device=latents.device)
            velocity[:, :, inside] += shares[:, None, None] * predicted
        if observe is not None:
            observe(velocity)
        return velocity

    def taken_step(step: int, whole: WholePrediction | None) -> None:
        remembered = sum(memory.bytes for memory in memories) + (whole.bytes if whole else 0)
        tally.bytes = max(tally.bytes, remembered)
        for _ in range(len(windows) * ((step + 1) * steps // taken - step * steps // taken)):
            step_done()

    latents = follow_path(predict, noise, schedule, clock, forecast, pinned, taken_step)
    tally.told += taken * len(windows) - tally.computed
    return torch.where(mask == 1, known, latents)


def follow_path(
    predict: Callable[[int, Tensor], Tensor],
    latents: Tensor,
    schedule: Schedule,
    clock: np.ndarray,
    forecast: Forecast,
    pinned: Callable[[Tensor, int], Tensor] = lambda latents, step: latents,
    step_taken: Callable[[int, WholePrediction | None], None] = lambda step, whole: None,
) -> Tensor:
    """The steps of a schedule from noise on, those predictions told that the forecast tells as a whole.

    Parameters
    ----------
    predict : step and latents to the velocity there; may itself tell features.
    latents : noise, of any shape.
    clock : (steps,) times on the forecast's clock.
    pinned : the latents of a step with whatever is known put in.
    step_taken : called after each step.
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
        step_taken(step, whole)
    return latents


class WindowMemory:
    """What is remembered for one window: the features of both halves of guidance, and their difference."""

    def __init__(self, forecast: Forecast, steps: int) -> None:
        self.forecast, self.steps = forecast, steps
        features = forecast.what in ("inside", "modules")
        self.halves = [FeatureMemory(forecast) for _ in range(2)] if features else []
        spares_guidance = (forecast.guidance_interval, forecast.guidance_from, forecast.guidance_to) != (
            1,
            0,
            1,
        )
        self.differences = GuidanceDifference(forecast, lambda: self.computing) if spares_guidance else None
        self.guided: Recall = self.halves[0] if features else compute_always
        self.unguided: Recall = self.halves[1] if features else compute_always
        self.difference: Difference = compute_difference

    def begin(self, step: int, time: float, due: bool) -> None:
        """A pass comes next; `due`: it is computed for sure."""
        for half in self.halves:
            half.begin(time, due)
        if self.differences is None:
            return
        share = step / self.steps
        if self.forecast.guidance_from <= share <= self.forecast.guidance_to:
            self.differences.begin(time)
            self.difference = self.differences
        else:
            self.difference = no_guidance

    @property
    def computing(self) -> bool:
        """Whether the last pass was computed in full."""
        return not self.halves or self.halves[0].computing

    @property
    def bytes(self) -> int:
        differences = 0 if self.differences is None else self.differences.series.bytes
        return differences + sum(half.bytes for half in self.halves)


def no_guidance(compute: Callable[[], Tensor]) -> None:
    """Outside the interval in which guidance acts."""
    return None
