"""Classifier-free guidance: what a clip's frames read of the portrait, and one guided prediction."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from followyouremoji.networks import Conditioning, Denoiser, NetworkConfig
from followyouremoji.networks.unet import Cache, compute_always
from followyouremoji.sampling.known_frames import join_known

PASS_HOLDS = 32
"""So many times the features of the first convolution: skips, joined skips, a feed-forward's inner values."""

TOGETHER_ON_PROCESSORS = 2 << 30
"""Bytes of features of both halves of guidance; with more, a batch of one half is large enough."""


@dataclass(frozen=True)
class ClipConditioning:
    """The two halves of guidance, computed once a clip.

    `portrait` holds the appearance and the image prompt; `nothing` a zero image token and no appearance, None where
    the guidance scale is 1 and one pass is enough.
    """

    portrait: Conditioning
    nothing: Conditioning | None
    guidance_scale: float


def condition_clip(
    denoiser: Denoiser, image_tokens: Tensor, appearance: list[Tensor], guidance_scale: float
) -> ClipConditioning:
    """Prepare what every frame and step attends to.

    Parameters
    ----------
    image_tokens : (1, tokens, image width), after the Q-Former where there is one.
    appearance : what the appearance net returned of the portrait.
    """
    # Zero tokens are all alike, so that attention to many of them is the value of one.
    zeros = torch.zeros_like(image_tokens[:, :1])
    nothing = None if guidance_scale == 1.0 else denoiser.condition(zeros, None)
    return ClipConditioning(denoiser.condition(image_tokens, appearance), nothing, guidance_scale)


def predict_velocity(
    denoiser: Denoiser,
    noisy: Tensor,
    known: Tensor,
    mask: Tensor,
    timestep: Tensor,
    landmark_features: Tensor,
    conditioning: ClipConditioning,
    caches: tuple[Cache, Cache] | None = None,
) -> Tensor:
    """One guided prediction of `v` for the frames of a segment, or of several of one length.

    The two passes run as one batch where nothing is cached and memory allows, else one after the other.

    Parameters
    ----------
    noisy, known : (batch, channels, frames, height, width) float32; `known` is read where `mask` is 1, and only by the
        paper layout.
    mask : (batch, 1, frames, 1, 1), 1 where a frame is known.
    timestep : scalar in 0..999.
    landmark_features : (batch, first block width, frames, height, width).
    caches : what stands at the cache sites of the conditional and of the unconditional pass.

    Returns
    -------
    (batch, channels, frames, height, width) float32.
    """
    inputs = join_known(noisy, known, mask) if denoiser.config.layout == "paper" else noisy
    inputs = inputs.to(landmark_features.dtype)
    timesteps = timestep.to(inputs.device).expand(inputs.shape[0])
    portrait, nothing = conditioning.portrait, conditioning.nothing
    if nothing is not None and caches is None and fit_together(denoiser, inputs):
        halves = denoiser(inputs, timesteps, landmark_features, [portrait, nothing])
        velocity, unguided = halves.float().chunk(2)
        return unguided + conditioning.guidance_scale * (velocity - unguided)
    guided_cache, unguided_cache = caches or (compute_always, compute_always)
    velocity = denoiser(inputs, timesteps, landmark_features, portrait, guided_cache).float()
    if nothing is None:
        return velocity
    unguided = denoiser(inputs, timesteps, landmark_features, nothing, unguided_cache).float()
    return unguided + conditioning.guidance_scale * (velocity - unguided)


def fit_together(denoiser: Denoiser, inputs: Tensor) -> bool:
    """Whether both halves of guidance go as one batch: it reads the weights once, which tells where pictures are small,
    but holds twice the features."""
    batch, _, frames, height, width = inputs.shape
    one_half = pass_bytes(denoiser.config, batch * frames, height, width, inputs.element_size())
    return 2 * one_half <= room_for_passes(inputs.device)


def pass_bytes(config: NetworkConfig, frames: int, height: int, width: int, itemsize: int) -> int:
    """What one pass of the denoiser holds at its peak, roughly: of `frames` in all, of latents `height` x `width`,
    numbers of `itemsize` bytes."""
    return PASS_HOLDS * frames * height * width * config.block_channels[0] * itemsize


def room_for_passes(device: torch.device) -> int:
    """Bytes that passes may hold which are made at once though they could be made one after the other.

    It follows from the hardware, not from the memory that is free at the time, so that a broken run goes on with the
    same rounding.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory // 4
    return TOGETHER_ON_PROCESSORS
