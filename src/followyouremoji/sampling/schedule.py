"""The noise schedule of the release: DDIM with zero terminal SNR, v-prediction, trailing spacing."""

from __future__ import annotations

from diffusers.schedulers.scheduling_ddim import DDIMScheduler


def ddim_schedule(steps: int) -> DDIMScheduler:
    """diffusers' DDIM scheduler set as in the released pipeline, with `steps` timesteps (the first is 999)."""
    schedule = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,
        clip_sample=False,
    )
    schedule.set_timesteps(steps)
    return schedule
