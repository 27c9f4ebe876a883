"""A small autoencoder for drawn portraits: pictures to latents at an eighth of the size and back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor, nn

from followyouremoji.config import validated
from followyouremoji.networks.config import Count, Size
from followyouremoji.networks.layers import channels_last


@validated
class AutoencoderConfig:
    """Sizes of `SmallAutoencoder`.

    `shift` and `scale` bring latents to zero mean and unit variance: `latents = (encoded - shift) * scale`.
    """

    latent_channels: Size = 16
    """Channels of a latent pixel."""
    channels: tuple[Size, Size] = (64, 128)
    """Widths at a quarter and at an eighth of the picture's size."""
    blocks: Count = 2
    """Residual blocks at each of both."""
    shift: float = 0.0
    """Mean of what it encodes to; measured at the end of a run."""
    scale: PositiveFloat = 1.0
    """One over its standard deviation; measured at the end of a run."""


class ConvBlock(nn.Module):
    """Two 3x3 convolutions and a residual, without norms: fast, and free of picture-wide statistics."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


class Autoencoder(nn.Module):
    """The face that every autoencoder shows: pictures to normalised latents at an eighth of the size, and back."""

    config: AutoencoderConfig | None = None  # None: Stable Diffusion's, whose sizes are its own
    latent_channels: int

    def encode(self, pictures: Tensor) -> Tensor:
        """`(batch, 3, height, width)` in [-1, 1] to `(batch, latent channels, height / 8, width / 8)`."""
        raise NotImplementedError

    def decode(self, latents: Tensor) -> Tensor:
        """Normalised latents to pictures in about [-1, 1], not clamped."""
        raise NotImplementedError


def shuffle_decoder(latent_channels: int, channels: tuple[int, int], blocks: int) -> nn.Sequential:
    """Latents to pictures by pixel shuffles.

    `channels` are the widths at a quarter and at an eighth of the picture's size, with so many residual `blocks` each.
    """
    quarter, eighth = channels
    return nn.Sequential(
        nn.Conv2d(latent_channels, eighth, 3, padding=1),
        *[ConvBlock(eighth) for _ in range(blocks)],
        nn.Conv2d(eighth, quarter * 4, 1),
        nn.PixelShuffle(2),
        *[ConvBlock(quarter) for _ in range(blocks)],
        nn.Conv2d(quarter, 4 * 24, 3, padding=1),
        nn.PixelShuffle(2),
        nn.SiLU(),
        nn.Conv2d(24, 12, 3, padding=1),
        nn.PixelShuffle(2),
    )


class SmallAutoencoder(Autoencoder):
    """Pixel-unshuffled pictures through residual convolutions; most of the work is done at an eighth of the size."""

    config: AutoencoderConfig

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config, self.latent_channels = config, config.latent_channels
        quarter, eighth = config.channels
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, quarter, 3, padding=1),
            *[ConvBlock(quarter) for _ in range(config.blocks)],
            nn.Conv2d(quarter, eighth, 4, stride=2, padding=1),
            *[ConvBlock(eighth) for _ in range(config.blocks)],
            nn.Conv2d(eighth, config.latent_channels, 1),
        )
        self.decoder = shuffle_decoder(config.latent_channels, config.channels, config.blocks + 1)

    def encode(self, pictures: Tensor) -> Tensor:
        return (self.encoder(channels_last(pictures)) - self.config.shift) * self.config.scale

    def decode(self, latents: Tensor) -> Tensor:
        return self.decoder(channels_last(latents / self.config.scale + self.config.shift))

    def with_decoder(self, decoder: nn.Module) -> SmallAutoencoder:
        """The same with another decoder, whose weights stay shared with its owner's."""
        with torch.device("meta"):
            other = SmallAutoencoder(self.config)
        other.encoder, other.decoder = self.encoder, decoder  # type: ignore[assignment]
        return other
