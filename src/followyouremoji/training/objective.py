"""The objective of a batch: Eq. 2, from pictures to losses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from followyouremoji.sampling.guess import onto_guess, relative_to_guess
from followyouremoji.sampling.known_frames import join_known
from followyouremoji.training.batch import Batch, to_pixels
from followyouremoji.training.encoders import Encoders
from followyouremoji.training.losses import (
    Losses,
    add_noise,
    predicted_latents,
    reconstruction_loss,
    signal_and_noise,
    training_losses,
)
from followyouremoji.training.settings import DenoiserRun

Predict = Callable[..., Tensor]
"""`Networks.forward`, as it is or wrapped for several processes."""


def batch_losses(
    networks: Predict, run: DenoiserRun, encoders: Encoders, batch: Batch, alphas_cumprod: Tensor
) -> Losses:
    """The losses of a batch that lies on the networks' device.

    Portraits and targets become latents, where those are not cached; the targets' are noised to their timesteps, relative to the bent
    portrait where the network works so; frames that are known go in as they are and are not learnt (Sec. 3.3).
    """
    config = run.network
    with torch.no_grad():
        portrait = (
            batch.portrait_latents if batch.portrait_latents is not None else encoders.latents(batch.portrait)
        )
        image_tokens = encoders.image_tokens(batch.portrait, portrait)
        if batch.latents is not None:
            latents = batch.latents
        else:
            assert batch.targets is not None
            latents = encoders.clip_latents(batch.targets)
        guess = None
        if batch.warped is not None:
            guess = encoders.clip_latents(batch.warped)
            latents = relative_to_guess(latents, guess, config.residual_scale)
        signal, sigma = signal_and_noise(batch.timesteps, alphas_cumprod)
        noisy = add_noise(latents, batch.noise, signal, sigma)
        known = batch.known[:, None, :, None, None].float()
        if config.layout == "paper":
            noisy = join_known(noisy, latents, known)
    v = networks(
        portrait,
        image_tokens,
        batch.portrait_landmarks.float() / 255,
        batch.landmarks.float() / 255,
        guess,
        noisy,
        batch.timesteps,
        batch.kept,
    )
    losses = training_losses(
        v.float(),
        latents,
        batch.noise,
        signal,
        sigma,
        batch.expression_mask,
        batch.face_mask,
        1 - known,
        surroundings=run.surroundings,
    )
    if run.picture_loss == 0:
        return losses
    predicted = predicted_latents(add_noise(latents, batch.noise, signal, sigma), v.float(), signal, sigma)
    if guess is not None:
        predicted = onto_guess(predicted, guess, config.residual_scale)
    picture = picture_error(encoders, batch, predicted, known)
    return dataclasses.replace(losses, picture=run.picture_loss * picture)


def picture_error(encoders: Encoders, batch: Batch, predicted: Tensor, known: Tensor) -> Tensor:
    """The reconstruction error of decoded predictions (n, c, f, h, w), inside the faces and more around eyes, brows and lips."""
    assert batch.targets is not None
    assert batch.face_mask is not None
    weight = batch.face_mask * (1 - known)
    if batch.expression_mask is not None:
        weight = weight + 2 * batch.expression_mask * (1 - known)
    pictures = to_pixels(batch.targets.transpose(1, 2).flatten(0, 1))
    weight = F.interpolate(weight.transpose(1, 2).flatten(0, 1), size=pictures.shape[-2:], mode="bilinear")
    decoded = encoders.autoencoder.decode(predicted.transpose(1, 2).flatten(0, 1))
    return reconstruction_loss(decoded.float(), pictures, weight / weight.mean().clamp_min(1e-6))
