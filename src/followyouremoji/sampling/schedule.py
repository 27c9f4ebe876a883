"""The noise schedule of the release: DDIM with zero terminal SNR, v-prediction and trailing spacing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from followyouremoji.sampling.settings import TRAINING_STEPS

FIRST_BETA, LAST_BETA = 0.00085, 0.012

LEAST_SIGNAL = 2.0**-24
"""Squared share of the clean latents that log-SNR pretends in pure noise, where it would be minus infinity."""

RELEASED_SHORTFALL = 10
"""Timesteps of 1000 by which the released DDIM falls short with its 30 steps."""


@dataclass(frozen=True)
class Schedule:
    """The steps of DDIM.

    Noised latents are `cos(a) clean + sin(a) noise` at the angle a = arctan(sigma / alpha), along which their
    derivative is the network's `v`: a step is a rotation.

    Attributes
    ----------
    alphas_cumprod : (1000,) float32, the clean latents' squared share at each training timestep.
    timesteps : (steps,) int64, where the network is asked, the first 999.
    angles, ends : (steps,) float64, where each step begins and ends; the last ends at 0, clean latents.
    """

    alphas_cumprod: Tensor
    timesteps: Tensor
    angles: np.ndarray
    ends: np.ndarray

    @cached_property
    def log_snr(self) -> np.ndarray:
        """log(alpha^2 / sigma^2) at each step, (steps,) float64, rising."""
        signal = np.maximum(np.cos(self.angles) ** 2, LEAST_SIGNAL)
        return np.asarray(np.log(signal / (1 - signal)))

    def step(self, latents: Tensor, velocity: Tensor, step: int) -> Tensor:
        """DDIM for v-prediction (Song et al. 2021, Eq. 12): the latents at the end of a step."""
        turn = self.angles[step] - self.ends[step]
        return float(np.cos(turn)) * latents - float(np.sin(turn)) * velocity

    def clean(self, latents: Tensor, velocity: Tensor, step: int) -> Tensor:
        """The clean latents that a velocity points to from those at the beginning of a step."""
        return float(np.cos(self.angles[step])) * latents - float(np.sin(self.angles[step])) * velocity

    def noised(self, clean: Tensor, noise: Tensor, step: int) -> Tensor:
        """What clean latents are at the beginning of a step."""
        return float(np.cos(self.angles[step])) * clean + float(np.sin(self.angles[step])) * noise


def zero_snr_alphas() -> Tensor:
    """`alphas_cumprod` of scaled-linear betas, rescaled to zero terminal SNR (Lin et al. 2024, Algorithm 1)."""
    betas = torch.linspace(FIRST_BETA**0.5, LAST_BETA**0.5, TRAINING_STEPS, dtype=torch.float32) ** 2
    root = (1 - betas).cumprod(0).sqrt()
    return ((root - root[-1]) * (root[0] / (root[0] - root[-1]))) ** 2


def ddim_schedule(steps: int) -> Schedule:
    """The released pipeline's schedule of so many steps, 1 to 1000.

    The release goes back by 1000 // steps while its timesteps lie 1000 / steps apart. That is kept where all of its
    steps together fall no further short than its own 30, and end at clean latents: up to 50 with 1 to 5, 8 to 10, 12,
    14, 16, 20, 22, 25, 27, 30 to 33, 37, 40, 45 and 50 steps. Other numbers go from timestep to timestep.
    """
    alphas_cumprod = zero_snr_alphas()
    signal = alphas_cumprod.double().numpy()
    all_angles = np.arctan2(np.sqrt(1 - signal), np.sqrt(signal))
    spaced = np.round(np.arange(TRAINING_STEPS, 0, -TRAINING_STEPS / steps))[
        :steps
    ]  # rounding may give one more
    timesteps = spaced.astype(np.int64) - 1
    angles = all_angles[timesteps]
    before = timesteps - TRAINING_STEPS // steps
    if TRAINING_STEPS % steps > RELEASED_SHORTFALL or before[-1] >= 0:
        ends = np.append(angles[1:], 0.0)
    else:
        ends = np.where(before < 0, 0.0, all_angles[np.maximum(before, 0)])
    return Schedule(alphas_cumprod, torch.from_numpy(timesteps), angles, ends)
