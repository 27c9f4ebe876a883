"""A small autoencoder for drawn portraits: pictures to latents at an eighth of the size and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from followyouremoji.errors import WeightsError


@dataclass(frozen=True)
class AutoencoderConfig:
    """Sizes of `SmallAutoencoder`. `channels` are the widths at a quarter and at an eighth of the picture's size.

    `shift` and `scale` bring latents to zero mean and unit variance: `latents = (encoded - shift) * scale`.

    Raises WeightsError for sizes of which no autoencoder can be built.
    """

    latent_channels: int = 16
    channels: tuple[int, int] = (64, 128)
    blocks: int = 2
    shift: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if len(self.channels) != 2:
            raise WeightsError(f"`autoencoder.channels` must be 2 widths, not {list(self.channels)}")
        if not self.scale > 0:
            raise WeightsError(f"`autoencoder.scale` must be above 0, not {self.scale}")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AutoencoderConfig:
        return cls(**{**values, "channels": tuple(values["channels"])})


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

    latent_channels: int

    def encode(self, pictures: Tensor) -> Tensor:
        """`(batch, 3, height, width)` in [-1, 1] to `(batch, latent channels, height / 8, width / 8)`."""
        raise NotImplementedError

    def decode(self, latents: Tensor) -> Tensor:
        """Normalised latents to pictures in about [-1, 1], not clamped."""
        raise NotImplementedError


class SmallAutoencoder(Autoencoder):
    """Pixel-unshuffled pictures through residual convolutions; most of the work is done at an eighth of the size."""

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
        self.decoder = nn.Sequential(
            nn.Conv2d(config.latent_channels, eighth, 3, padding=1),
            *[ConvBlock(eighth) for _ in range(config.blocks + 1)],
            nn.Conv2d(eighth, quarter * 4, 1),
            nn.PixelShuffle(2),
            *[ConvBlock(quarter) for _ in range(config.blocks + 1)],
            nn.Conv2d(quarter, 4 * 24, 3, padding=1),
            nn.PixelShuffle(2),
            nn.SiLU(),
            nn.Conv2d(24, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def encode(self, pictures: Tensor) -> Tensor:
        return (self.encoder(pictures) - self.config.shift) * self.config.scale

    def decode(self, latents: Tensor) -> Tensor:
        return self.decoder(latents / self.config.scale + self.config.shift)

    def with_decoder(self, decoder: nn.Module) -> SmallAutoencoder:
        """The same with another decoder, whose weights stay shared with its owner's."""
        with torch.device("meta"):
            other = SmallAutoencoder(self.config)
        other.encoder, other.decoder = self.encoder, decoder  # type: ignore[assignment]
        return other
