"""Classifier-free guidance: what a clip's frames read of the portrait, and one guided prediction."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from followyouremoji.networks import AppearanceNet, Conditioning, Denoiser
from followyouremoji.sampling.known_frames import join_known


@dataclass(frozen=True)
class ClipConditioning:
    """The two halves of guidance, computed once a clip.

    `portrait` holds the appearance and the image prompt; `nothing` zero image tokens and no appearance, None where
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
    nothing = None if guidance_scale == 1.0 else denoiser.condition(torch.zeros_like(image_tokens), None)
    return ClipConditioning(denoiser.condition(image_tokens, appearance), nothing, guidance_scale)


def predict_velocity(
    denoiser: Denoiser,
    noisy: Tensor,
    known: Tensor,
    mask: Tensor,
    timestep: Tensor,
    landmark_features: Tensor,
    conditioning: ClipConditioning,
) -> Tensor:
    """One guided prediction of `v` for frames that the denoiser sees together.

    The two passes run one after the other: together they would need twice the memory and save little time.

    Parameters
    ----------
    noisy, known : (1, channels, frames, height, width) float32; `known` is read where `mask` is 1, and only by the
        paper layout.
    mask : (1, 1, frames, 1, 1), 1 where a frame is known.
    timestep : scalar in 0..999.
    landmark_features : (1, first block width, frames, height, width).

    Returns
    -------
    (1, channels, frames, height, width) float32.
    """
    inputs = join_known(noisy, known, mask) if denoiser.config.layout == "paper" else noisy
    inputs = inputs.to(landmark_features.dtype)
    timesteps = timestep.to(inputs.device).expand(inputs.shape[0])
    velocity = denoiser(inputs, timesteps, landmark_features, conditioning.portrait).float()
    if conditioning.nothing is None:
        return velocity
    unguided = denoiser(inputs, timesteps, landmark_features, conditioning.nothing).float()
    return unguided + conditioning.guidance_scale * (velocity - unguided)
