"""The objective of a batch: Eq. 2, from pictures to losses."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from followyouremoji.checkpoints.codec import Codec, to_pixels
from followyouremoji.sampling.residual import onto_warp
from followyouremoji.training.batch import Batch
from followyouremoji.training.distillation import Teacher
from followyouremoji.training.example import Predict, read_batch
from followyouremoji.training.losses import (
    Losses,
    add_noise,
    picture_weight,
    predicted_latents,
    reconstruction_loss,
    signal_and_noise,
    training_losses,
    v_target,
)
from followyouremoji.training.run import HALF
from followyouremoji.training.settings import DenoiserRun

LEAST_NOISE = 0.1  # of the power, for a prediction whose picture can teach: with less, the true latents are all but given


def batch_losses(
    networks: Predict,
    run: DenoiserRun,
    codec: Codec,
    batch: Batch,
    alphas_cumprod: Tensor,
    teacher: Teacher | None = None,
) -> Losses:
    """The losses of a batch that lies on the networks' device.

    The targets' latents are noised to their timesteps; frames that are known go in as they are and are not learnt (Sec.
    3.3). What is learnt is the way to the true latents, or the one that a `teacher` shows.
    """
    example = read_batch(run.network, codec, batch)
    latents = example.latents
    signal, sigma = signal_and_noise(batch.timesteps, alphas_cumprod)
    noised = add_noise(latents, batch.noise, signal, sigma)
    target = v_target(latents, batch.noise, signal, sigma)
    if teacher is not None:
        target = teacher.velocity(networks, example, noised, batch.timesteps)
        latents = predicted_latents(noised, target, signal, sigma)
    inputs = example.inputs(noised, batch.timesteps)
    v = (networks(*inputs) if batch.kept is None else networks(*inputs, batch.kept)).float()
    predicted = predicted_latents(noised, v, signal, sigma)
    losses = training_losses(
        v,
        target,
        latents,
        predicted,
        batch.expression_mask,
        batch.face_mask,
        1 - example.known,
        surroundings=run.surroundings,
    )
    if run.picture_loss == 0:
        return losses
    if example.warped is not None:
        predicted = onto_warp(predicted, example.warped, run.network.residual_scale)
    places, share = places_to_decode(run, batch, signal)
    picture = picture_error(run, codec, batch, predicted, places)
    return dataclasses.replace(losses, picture=run.picture_loss * share * picture)


def places_to_decode(run: DenoiserRun, batch: Batch, signal: Tensor) -> tuple[Tensor, float]:
    """Which of a batch's frames, counted through all clips, are decoded for the picture loss, and the share that they
    are of those wanted.

    They are spread evenly over those that are generated and noised enough, so that each portrait has its part, and
    shifted by the sum of the timesteps, so that a clip's frames take turns: which they are thus depends on how a batch
    is split. Frames that are wanting count as ones without error: a batch may then be split in equal parts. Where there
    is none at all, one is decoded and not heeded, for processes must agree on what has a gradient.
    """
    wanted = run.decoded_frames(len(batch.portrait))
    noised = (1 - signal.square()).view(-1, 1) >= LEAST_NOISE  # (n, 1)
    places = torch.nonzero((noised & ~batch.known).flatten())[:, 0]
    if not len(places):
        return places.new_zeros(1), 0.0
    count = min(wanted, len(places))
    even = torch.arange(count, device=places.device) * len(places) // count
    return places[(even + batch.timesteps.sum()) % len(places)], count / wanted


def picture_error(run: DenoiserRun, codec: Codec, batch: Batch, predicted: Tensor, places: Tensor) -> Tensor:
    """The reconstruction error of decoded predictions (n, c, f, h, w) at `places` among all frames, most around eyes,
    brows and lips."""
    assert batch.targets is not None
    assert batch.face_mask is not None
    weight = picture_weight(batch.face_mask, batch.expression_mask, run.surroundings)
    latents, pictures, weight = (
        frames.transpose(1, 2).flatten(0, 1)[places] for frames in (predicted, batch.targets, weight)
    )  # (places) c h w
    weight = F.interpolate(weight, size=pictures.shape[-2:], mode="bilinear")
    half = HALF.get(run.optimisation.precision)
    with torch.autocast(latents.device.type, half, enabled=half is not None):
        decoded = codec.autoencoder.decode(latents)
    weight = weight / weight.mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
    return reconstruction_loss(decoded.float(), to_pixels(pictures), weight)
