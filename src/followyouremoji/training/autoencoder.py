"""Training of the small autoencoder on drawings, and the reading of a folder of drawings into latents."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.lib.format import open_memmap
from torch import Tensor

from followyouremoji.face.drawing import expression_mask, face_mask
from followyouremoji.networks import AutoencoderConfig, SmallAutoencoder
from followyouremoji.training.config import AutoencoderRun
from followyouremoji.training.drawings import Drawings
from followyouremoji.training.run import Run, averaged_weights

GRADIENT_WEIGHT = 1.0  # of errors between neighbouring pixels: keeps edges of eyes and lips from blurring


def to_tensor(pictures: np.ndarray) -> Tensor:
    """Pictures (batch, height, width, 3) uint8 to (batch, 3, height, width) in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def differences(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., :, 1:] - x[..., :, :-1], x[..., 1:, :] - x[..., :-1, :]


def reconstruction_loss(decoded: Tensor, pictures: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 of the pictures and of the differences of neighbouring pixels; `weight` (batch, 1, height, width)."""
    loss = (weight * (decoded - pictures).abs()).mean()
    for d, p in zip(differences(decoded), differences(pictures), strict=True):
        loss = loss + GRADIENT_WEIGHT * (weight[..., : d.shape[-2], : d.shape[-1]] * (d - p).abs()).mean()
    return loss


def train_autoencoder(run: AutoencoderRun, minutes: float | None = None) -> None:
    """Train until the run's last step, or for `minutes`; a stopped run goes on from its last checkpoint."""
    drawings = Drawings.open(run.drawings)
    module = SmallAutoencoder(run.autoencoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = Run(module, run.output, run.optimisation)
    size = drawings.pictures.shape[2]
    bf16 = run.optimisation.precision == "bf16"
    begun = state.elapsed()
    while not state.finished:
        rng = np.random.default_rng((run.optimisation.seed, state.step_number))
        which = [
            (int(rng.integers(len(drawings))), int(rng.integers(drawings.pictures.shape[1])))
            for _ in range(run.batch)
        ]
        pictures = to_tensor(np.stack([drawings.pictures[i] for i in which]))
        weights = [
            1
            + run.face_weight * face_mask(drawings.points[i], (size, size))
            + run.expression_weight * expression_mask(drawings.points[i], (size, size))
            for i in which
        ]
        weight = torch.from_numpy(np.stack(weights)).float()[:, None]
        weight = weight / weight.mean()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            latents = module.encoder(pictures)
            decoded = module.decoder(latents)
        loss = reconstruction_loss(decoded.float(), pictures, weight) + 1e-3 * latents.float().square().mean()
        state.step(loss)
        if state.step_number % run.log_every == 0:
            mse = F.mse_loss(decoded.float().clamp(-1, 1), pictures)
            state.log(loss=loss.item(), psnr=10 * math.log10(4 / mse.item()))
        out_of_time = minutes is not None and state.elapsed() - begun > 60 * minutes
        if state.step_number % run.save_every == 0 or state.finished or out_of_time:
            state.save()
        if out_of_time:
            break


@torch.inference_mode()
def finished_autoencoder(run: AutoencoderRun) -> SmallAutoencoder:
    """The averaged autoencoder of a run, its latents brought to zero mean and unit variance over the run's drawings."""
    module = SmallAutoencoder(run.autoencoder)
    module.load_state_dict(averaged_weights(run.output))
    drawings = Drawings.open(run.drawings)
    step = max(1, len(drawings) // 256)
    latents = module.encode(to_tensor(drawings.pictures[::step, 0]))
    config = dataclasses.replace(run.autoencoder, shift=float(latents.mean()), scale=float(1 / latents.std()))
    return with_config(module, config)


def with_config(module: SmallAutoencoder, config: AutoencoderConfig) -> SmallAutoencoder:
    other = SmallAutoencoder(config)
    other.load_state_dict(module.state_dict())
    return other.eval()


@torch.inference_mode()
def write_latents(folder: Path, autoencoder: SmallAutoencoder, batch: int = 32) -> None:
    """Encode all drawings of a folder into its `latents.npy`."""
    drawings = Drawings.open(folder)
    identities, pictures, size = drawings.pictures.shape[:3]
    shape = (identities, pictures, autoencoder.config.latent_channels, size // 8, size // 8)
    temporary = folder / "latents.part.npy"
    latents = open_memmap(temporary, "w+", np.float16, shape)
    for i in range(identities):
        for j in range(0, pictures, batch):
            latents[i, j : j + batch] = autoencoder.encode(
                to_tensor(drawings.pictures[i, j : j + batch])
            ).numpy()
    latents.flush()
    temporary.replace(folder / "latents.npy")
