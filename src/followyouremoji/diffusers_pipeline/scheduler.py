"""Schedulers of diffusers: this project's own steps as one, and a segment denoised by any of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler, DDIMSchedulerOutput
from diffusers.schedulers.scheduling_utils import SchedulerMixin  # noqa: F401 (diffusers looks for it here)
from torch import Tensor

from followyouremoji.errors import SettingsError
from followyouremoji.networks import Denoiser
from followyouremoji.sampling.denoising import blended_velocity
from followyouremoji.sampling.guidance import ClipConditioning
from followyouremoji.sampling.presets import CacheSettings
from followyouremoji.sampling.schedule import FIRST_BETA, LAST_BETA, ddim_schedule, zero_snr_alphas
from followyouremoji.sampling.settings import TRAINING_STEPS
from followyouremoji.sampling.windows import Window

PREDICTION = "v_prediction"

StepDone = Callable[[int, Tensor, Tensor], Tensor]
"""Called after each step of a segment with its number, its timestep and the latents; gives the latents to go on
with."""


class FollowYourEmojiScheduler(DDIMScheduler):
    """The steps of `PortraitAnimator`: those of DDIM, but that the last one ends at clean latents for every number of
    steps (`sampling.schedule.ddim_schedule`).

    Its config is DDIM's and always the same; other schedulers are made of it with their `from_config`.
    """

    def __init__(self) -> None:
        super().__init__(
            num_train_timesteps=TRAINING_STEPS,
            beta_start=FIRST_BETA,
            beta_end=LAST_BETA,
            beta_schedule="scaled_linear",
            clip_sample=False,
            prediction_type=PREDICTION,
            timestep_spacing="trailing",
            rescale_betas_zero_snr=True,
        )
        self.alphas_cumprod = zero_snr_alphas()  # diffusers rounds in between
        self.set_timesteps(TRAINING_STEPS)

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Choose the number of steps, 1 to 1000. Raises ValueError for another."""
        if not 1 <= num_inference_steps <= TRAINING_STEPS:
            raise ValueError(f"the number of steps must be 1 to {TRAINING_STEPS}, not {num_inference_steps}")
        self._schedule = ddim_schedule(num_inference_steps)
        self.num_inference_steps = num_inference_steps  # type: ignore[assignment]
        self.timesteps = self._schedule.timesteps.to(device)

    def step(  # type: ignore[override]  # there is no noise to add in a step
        self, model_output: Tensor, timestep: int | Tensor, sample: Tensor, return_dict: bool = True
    ) -> DDIMSchedulerOutput | tuple[Tensor, Tensor]:
        """The latents at the end of a step that begins at one of `timesteps`, and the clean ones that it aims at.

        `model_output` is the velocity, of the shape of `sample`.
        """
        number = int((self._schedule.timesteps == int(timestep)).nonzero())
        latents = self._schedule.step(sample, model_output, number)
        clean = self._schedule.clean(sample, model_output, number)
        if not return_dict:
            return latents, clean
        return DDIMSchedulerOutput(prev_sample=latents, pred_original_sample=clean)


def check_scheduler(scheduler: Any) -> None:
    """Raise SettingsError for a scheduler that takes the network's output for something else than it is."""
    name = type(scheduler).__name__
    if not (hasattr(scheduler, "add_noise") and hasattr(scheduler, "init_noise_sigma")):
        raise SettingsError(
            f"{name} is no scheduler from noise to latents: take another one, such as DDIMScheduler"
        )
    expected = getattr(scheduler.config, "prediction_type", None)
    if expected != PREDICTION:
        raise SettingsError(
            f"this {name} expects networks that predict {expected or 'something else'!r}, and these predict {PREDICTION!r}: make it by "
            f"{name}.from_config(pipe.scheduler.config), or take another one"
        )


class DenoisingByScheduler:
    """Takes the place of `sampling.denoising.denoise`, with a scheduler of diffusers instead of the own schedule."""

    def __init__(
        self,
        scheduler: Any,
        generator: torch.Generator,
        step_done: StepDone,
        interrupted: Callable[[], bool],
    ) -> None:
        """`generator` is for schedulers that add noise in their steps; steps are left out from when it is
        `interrupted`. Raises SettingsError as `check_scheduler`."""
        check_scheduler(scheduler)
        self._scheduler, self._step_done, self._interrupted = scheduler, step_done, interrupted
        takes = inspect.signature(scheduler.step).parameters
        self._options = {"generator": generator} if "generator" in takes else {}

    def __call__(
        self,
        denoiser: Denoiser,
        conditioning: ClipConditioning,
        landmark_features: Callable[[Window], Tensor],
        noise: Tensor,
        known: Tensor,
        mask: Tensor,
        windows: Sequence[Window],
        steps: int,
        cache: CacheSettings | None,
        pass_done: Callable[[bool], None],
        region: Tensor | None,
    ) -> Tensor:
        """See `denoise`; every pass is computed, so there is no `cache` and no `region`."""
        scheduler = self._scheduler
        scheduler.set_timesteps(steps, device=noise.device)
        latents = noise * scheduler.init_noise_sigma
        for step, timestep in enumerate(scheduler.timesteps):
            if self._interrupted():
                break
            noised = scheduler.add_noise(known, noise, timestep.expand(len(noise)))
            latents = torch.where(mask == 1, noised, latents)
            velocity = blended_velocity(
                denoiser,
                conditioning,
                landmark_features,
                scheduler.scale_model_input(latents, timestep),
                known,
                mask,
                windows,
                timestep,
            )
            latents = scheduler.step(velocity, timestep, latents, return_dict=False, **self._options)[0]
            latents = self._step_done(step, timestep, latents)
            for _ in windows:
                pass_done(True)
        return torch.where(mask == 1, known, latents)
