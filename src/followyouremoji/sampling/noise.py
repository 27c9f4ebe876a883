"""The noise that frames start from, a function of the seed and the frame alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def _draw(seed: int, place: tuple[int, ...], shape: tuple[int, int, int]) -> Tensor:
    """Unit normal noise on the CPU, whatever the device: a GPU's generator would give other numbers."""
    mixed = np.random.SeedSequence(seed, spawn_key=place).generate_state(1, np.uint64)[0]
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(int(mixed)))


def frame_noise(seed: int, frames: Sequence[int], shape: tuple[int, int, int], shared: float = 0.0) -> Tensor:
    """Unit normal noise for some frames of a clip.

    A frame's noise depends on `seed` and its index alone, so it is the same however a clip is cut into segments.

    Parameters
    ----------
    seed : 0 or more.
    frames : indices into the clip.
    shape : (channels, height, width) of a frame's latents.
    shared : in [0, 1]. Each frame's noise is sqrt(shared) of one noise that all frames have in common and sqrt(1 -
        shared) of its own, which keeps unit variance and makes `shared` the correlation between any two frames. What a
        deterministic sampler adds where the landmarks leave freedom (hair, background) follows the noise, so sharing it
        lessens flicker; at 1 such texture stands still.

    Returns
    -------
    (1, channels, frames, height, width) float32 on the CPU.
    """
    common = _draw(seed, (), shape)
    own = [_draw(seed, (frame,), shape) if shared < 1.0 else common for frame in frames]
    if shared < 1.0:
        own = [math.sqrt(shared) * common + math.sqrt(1.0 - shared) * noise for noise in own]
    return torch.stack(own, dim=1)[None]
