"""Pictures to what networks read, and back: the autoencoder, the image encoder, and pictures as tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from followyouremoji.checkpoints.encoders import ClipImageEncoder, StableDiffusionAutoencoder
from followyouremoji.checkpoints.folder import IMAGE_ENCODER_FOLDER, VAE_FOLDER
from followyouremoji.networks import Autoencoder, SmallAutoencoder, latent_tokens
from followyouremoji.networks.config import LATENT_STRIDE

PIXELS_AT_ONCE = 512 * 512  # through the autoencoder; more pictures go in slices, which bounds memory


class Codec(nn.Module):
    """The frozen networks at both ends: the autoencoder, and CLIP's image encoder where the image prompt is CLIP's.

    The autoencoder is float32 whatever other networks are, in a run's half precision too: bfloat16 has fewer levels
    than a picture. A `small_decoder` decodes in its stead, and is no part of what is saved.
    """

    image_encoder: ClipImageEncoder | None
    small_decoder: nn.Module | None

    def __init__(
        self,
        autoencoder: Autoencoder,
        image_encoder: ClipImageEncoder | None = None,
        small_decoder: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.autoencoder, self.image_encoder = autoencoder, image_encoder
        self.small_decoder = small_decoder

    @property
    def device(self) -> torch.device:
        return next(self.autoencoder.parameters()).device

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures uint8 (n, 3, height, width) to latents float32 (n, latent channels, height / 8, width / 8)."""
        slices = _slices(pictures.to(self.device), pictures.shape[-2] * pictures.shape[-1])
        with torch.autocast(self.device.type, enabled=False):
            return torch.cat([self.autoencoder.encode(to_pixels(part)) for part in slices])

    def encode_clips(self, clips: Tensor) -> Tensor:
        """Clips uint8 (n, 3, frames, height, width) to latents (n, latent channels, frames, height / 8, width / 8)."""
        latents = self.encode(clips.transpose(1, 2).flatten(0, 1))
        return latents.unflatten(0, (len(clips), -1)).transpose(1, 2)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents (n, latent channels, height, width) to pictures float32 (n, 3, 8 height, 8 width) in [-1, 1]."""
        latents = latents.to(self.device, torch.float32)
        slices = _slices(latents, latents.shape[-2] * latents.shape[-1] * LATENT_STRIDE**2)
        decode = self.small_decoder or self.autoencoder.decode
        with torch.autocast(self.device.type, enabled=False):
            return torch.cat([decode(part) for part in slices]).clamp(-1, 1)

    @torch.no_grad()
    def image_tokens(self, pictures: Tensor, latents: Tensor) -> Tensor:
        """What the image prompt is made of (Sec. 3.1): float32 (n, tokens, image width) of pictures uint8 (n, 3,
        height, width), or without an image encoder of their latents."""
        if self.image_encoder is None:
            return latent_tokens(latents)
        return self.image_encoder(to_pixels(pictures.to(self.device))).float()

    def with_decoder(self, decoder: nn.Module | None) -> Codec:
        """The same with another decoder of its small autoencoder, whose weights stay shared with their owner's; None
        leaves its own."""
        if decoder is None or not isinstance(self.autoencoder, SmallAutoencoder):
            return self
        return Codec(self.autoencoder.with_decoder(decoder), self.image_encoder)

    def save(self, folder: Path) -> None:
        """Write the foreign ones of its networks into a checkpoint's folder."""
        if isinstance(self.autoencoder, StableDiffusionAutoencoder):
            self.autoencoder.save(folder / VAE_FOLDER)
        if self.image_encoder is not None:
            self.image_encoder.save(folder / IMAGE_ENCODER_FOLDER)


def to_tensor(pictures: np.ndarray) -> Tensor:
    """Pictures uint8 (n, height, width, 3) as a tensor uint8 (n, 3, height, width)."""
    return torch.from_numpy(np.array(pictures, order="C")).permute(0, 3, 1, 2)


def to_pixels(pictures: Tensor) -> Tensor:
    """Pictures uint8 to float32 in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def to_pictures(pixels: Tensor) -> np.ndarray:
    """Pixels (n, 3, height, width) in [-1, 1] to pictures uint8 (n, height, width, 3); others are clipped."""
    levels = (pixels.float().clamp(-1, 1) + 1) * 127.5
    return levels.round().byte().permute(0, 2, 3, 1).cpu().numpy()


def _slices(values: Tensor, pixels: int) -> tuple[Tensor, ...]:
    """Pictures or latents, each of so many pixels, in parts that the autoencoder takes at once."""
    return values.split(max(1, PIXELS_AT_ONCE // pixels))
