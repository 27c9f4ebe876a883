"""Classifier-free guidance: what a clip's frames read of the portrait, and one guided prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from followyouremoji.networks import AppearanceNet, Conditioning, Denoiser
from followyouremoji.networks.unet import Recall, compute_always
from followyouremoji.sampling.known_frames import join_known

PASS_HOLDS = (
    32  # times the features of the first convolution: skips, joined skips, a feed-forward's inner values
)
TOGETHER_ON_PROCESSORS = (
    2 << 30
)  # bytes of features of both halves; with more, a batch of one half is large enough

Difference = Callable[[Callable[[], Tensor]], Tensor | None]
"""Given how to compute it: what the conditional prediction has more than the unconditional one; None where guidance shall not act."""


def compute_difference(compute: Callable[[], Tensor]) -> Tensor:
    """Remembers nothing."""
    return compute()


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
    appearance_net: AppearanceNet,
    denoiser: Denoiser,
    reference_latents: Tensor,
    image_tokens: Tensor,
    guidance_scale: float,
    reference_features: Tensor | None = None,
) -> ClipConditioning:
    """Let the appearance net read the portrait and prepare what every frame and step attends to.

    Parameters
    ----------
    reference_latents : (1, channels, height, width).
    image_tokens : (1, tokens, image width), after the Q-Former where there is one.
    reference_features : (1, first block width, height, width), landmark features of the portrait itself, where the
        config has `reference_landmarks`.
    """
    appearance = appearance_net(reference_latents, image_tokens, reference_features)
    return condition_denoiser(denoiser, image_tokens, appearance, guidance_scale)


def condition_denoiser(
    denoiser: Denoiser, image_tokens: Tensor, appearance: list[Tensor], guidance_scale: float
) -> ClipConditioning:
    """As `condition_clip`, when the appearance net has read the portrait: `appearance` is what it returned."""
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
    recall: Recall = compute_always,
    unguided_recall: Recall = compute_always,
    difference: Difference = compute_difference,
) -> Tensor:
    """One guided prediction of `v` for frames that the denoiser sees together.

    The two passes run as one batch where nothing is told and memory allows, else one after the other.

    Parameters
    ----------
    noisy, known : (1, channels, frames, height, width) float32; `known` is read where `mask` is 1, and only by the
        paper layout.
    mask : (1, 1, frames, 1, 1), 1 where a frame is known.
    timestep : scalar in 0..999.
    landmark_features : (1, first block width, frames, height, width).
    recall, unguided_recall : tell features of the conditional and of the unconditional pass instead of computing them.
    difference : may tell what guidance adds instead of computing the unconditional pass, or that it adds nothing.

    Returns
    -------
    (1, channels, frames, height, width) float32.
    """
    inputs = join_known(noisy, known, mask) if denoiser.config.layout == "paper" else noisy
    inputs = inputs.to(landmark_features.dtype)
    timesteps = timestep.to(inputs.device).expand(inputs.shape[0])
    nothing = conditioning.nothing
    everything = recall is compute_always is unguided_recall and difference is compute_difference
    if nothing is not None and everything and fit_together(denoiser, inputs):
        halves = denoiser(inputs, timesteps, landmark_features, [conditioning.portrait, nothing])
        velocity, unguided = halves.float().chunk(2)
        return unguided + conditioning.guidance_scale * (velocity - unguided)
    velocity = denoiser(inputs, timesteps, landmark_features, conditioning.portrait, recall).float()
    if nothing is None:
        return velocity

    def compute() -> Tensor:
        unguided = denoiser(inputs, timesteps, landmark_features, nothing, unguided_recall).float()
        return velocity - unguided

    added = difference(compute)
    return velocity if added is None else velocity + (conditioning.guidance_scale - 1) * added


def fit_together(denoiser: Denoiser, inputs: Tensor) -> bool:
    """Whether both halves of guidance go as one batch: it reads the weights once, which tells where pictures are small, but holds twice the features.

    It follows from the hardware, not from the memory that is free at the time, so that a broken run goes on with the same rounding.
    """
    batch, _, frames, height, width = inputs.shape
    features = batch * frames * height * width * denoiser.config.block_channels[0] * inputs.element_size()
    if inputs.device.type == "cuda":
        allowed = torch.cuda.get_device_properties(inputs.device).total_memory // 4
    else:
        allowed = TOGETHER_ON_PROCESSORS
    return 2 * PASS_HOLDS * features <= allowed
