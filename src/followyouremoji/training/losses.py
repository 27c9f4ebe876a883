"""The training losses: latent diffusion with v-prediction, the facial fine-grained loss (Sec. 3.2, Eq. 1 and 2), and
that of decoded pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

GRADIENT_WEIGHT = 1.0  # of errors between neighbouring pixels: keeps edges of eyes and lips from blurring
FACE_EDGE = 2  # latent pixels around a face that count as face
PICTURE_EDGE = 1  # the same in decoded pictures, where what leaks out of the face is seen
EXPRESSION_WEIGHT = 1.5  # of errors around eyes, brows and lips in decoded pictures, beside the face's 1


def signal_and_noise(timesteps: Tensor, alphas_cumprod: Tensor) -> tuple[Tensor, Tensor]:
    """The factors of signal and noise at each timestep, `(batch, 1, 1, 1, 1)` each: their squares sum to one."""
    signal_power = alphas_cumprod[timesteps].view(-1, 1, 1, 1, 1)
    return signal_power.sqrt(), (1 - signal_power).sqrt()


def add_noise(latents: Tensor, noise: Tensor, signal: Tensor, sigma: Tensor) -> Tensor:
    return signal * latents + sigma * noise


def v_target(latents: Tensor, noise: Tensor, signal: Tensor, sigma: Tensor) -> Tensor:
    """What the denoiser has to predict: the velocity from clean latents to noise."""
    return signal * noise - sigma * latents


def predicted_latents(noisy: Tensor, v: Tensor, signal: Tensor, sigma: Tensor) -> Tensor:
    """The clean latents that a predicted velocity stands for (the z-hat of Eq. 1)."""
    return signal * noisy - sigma * v


@dataclass(frozen=True)
class Losses:
    """`total` is Eq. 2, whose two parts are means over all values of a batch, and the weighted error of decoded
    pictures where a run has one."""

    diffusion: Tensor
    facial: Tensor
    picture: Tensor | None = None

    @property
    def total(self) -> Tensor:
        total = self.diffusion + self.facial
        return total if self.picture is None else total + self.picture


def facial_fine_grained(
    latents: Tensor, predicted: Tensor, expression_mask: Tensor | None, face_mask: Tensor | None
) -> Tensor:
    """Eq. 1: `|| M_e (z - z_hat) + M_f (z - z_hat) ||^2`, as a mean. A mask given as None is left out (Table 2's
    ablations).

    Since `z - z_hat` is sigma times the error of v, this is the diffusion loss weighted by sigma^2 and the squared
    masks. `latents`, `predicted` (batch, channels, frames, height, width); masks (batch, 1, frames, height, width) in
    [0, 1] at latent size.
    """
    weight = torch.zeros_like(latents[:, :1])
    for mask in (expression_mask, face_mask):
        if mask is not None:
            weight = weight + mask
    return (weight * (latents - predicted)).square().mean()


def training_losses(
    v: Tensor,
    target: Tensor,
    latents: Tensor,
    predicted: Tensor,
    expression_mask: Tensor | None,
    face_mask: Tensor | None,
    generated: Tensor,
    surroundings: float = 1.0,
) -> Losses:
    """Eq. 2 for a velocity `v` and the latents `predicted` by it.

    `generated` (batch, 1, frames, 1, 1) is 0 for frames given as known: those are not learnt. Each sample's loss is a
    mean over the frames it has to generate and a batch's loss the mean over its samples, so that a batch may be split
    in equal parts and the mean of the parts is the same number. `surroundings` weighs the first part outside the face
    mask, widened by `FACE_EDGE`, which must then be there.
    """
    share = generated.mean(dim=(1, 2, 3, 4), keepdim=True)
    learnt = generated * share.clamp_min(1e-6).rsqrt()  # squared below: 1 / share in the mean
    diffusion = (learnt * (v - target)).square()
    if surroundings < 1:
        assert face_mask is not None
        weight = surroundings + (1 - surroundings) * widened(face_mask, FACE_EDGE)
        diffusion = diffusion * weight / weight.mean(dim=(1, 2, 3, 4), keepdim=True).clamp_min(1e-6)
    diffusion = diffusion.mean()
    facial = facial_fine_grained(latents * learnt, predicted * learnt, expression_mask, face_mask)
    return Losses(diffusion, facial)


def widened(mask: Tensor, pixels: int) -> Tensor:
    """A mask (batch, 1, frames, height, width) that reaches so many pixels further."""
    reach = 2 * pixels + 1
    return F.max_pool3d(mask, (1, reach, reach), 1, (0, pixels, pixels))


def picture_weight(face_mask: Tensor, expression_mask: Tensor | None, surroundings: float) -> Tensor:
    """How much each latent pixel's part of a decoded picture counts, from masks (batch, 1, frames, height, width) in
    [0, 1]."""
    weight = surroundings + widened(face_mask, PICTURE_EDGE)
    return weight if expression_mask is None else weight + EXPRESSION_WEIGHT * expression_mask


def differences(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., :, 1:] - x[..., :, :-1], x[..., 1:, :] - x[..., :-1, :]


def reconstruction_loss(decoded: Tensor, pictures: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 of the pictures and of the differences of neighbouring pixels; `weight` (batch, 1, height, width)."""
    loss = (weight * (decoded - pictures).abs()).mean()
    for d, p in zip(differences(decoded), differences(pictures), strict=True):
        loss = loss + GRADIENT_WEIGHT * (weight[..., : d.shape[-2], : d.shape[-1]] * (d - p).abs()).mean()
    return loss
