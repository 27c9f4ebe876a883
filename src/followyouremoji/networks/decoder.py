"""Small decoders: latents to pictures in a fraction of the work of the decoder that they are distilled from.

Both take normalised latents `(batch, latent channels, height, width)` to pictures `(batch, 3, 8 height, 8 width)` in
about [-1, 1], as `Autoencoder.decode` does.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator
from torch import nn

from followyouremoji.config import validated
from followyouremoji.networks.autoencoder import shuffle_decoder
from followyouremoji.networks.config import Size


@validated
class TaesdConfig:
    """Sizes of the decoder of TAESD (Ollin Boer Bohan, 2023), diffusers' `AutoencoderTiny`; by default the published.

    It was made for the latents of Stable Diffusion 1 and 2, normalised by their factor 0.18215.
    """

    structure: Literal["taesd"] = "taesd"
    """Equally wide at all sizes; works up to the picture's."""
    latent_channels: Size = 4
    """Channels of a latent pixel, those of the autoencoder."""
    width: Size = 64
    """Channels between the convolutions."""
    blocks: tuple[Size, Size, Size, Size] = (3, 3, 3, 1)
    """Residual blocks at an eighth, a quarter, a half and all of the picture's size."""


@validated
class ShuffleConfig:
    """Sizes of a decoder as `SmallAutoencoder` has one."""

    structure: Literal["shuffle"] = "shuffle"
    """Most of its work is done at an eighth and a quarter of the picture's size."""
    latent_channels: Size = 32
    """Channels of a latent pixel, those of the autoencoder."""
    channels: tuple[Size, Size] = (32, 64)
    """Widths at a quarter and at an eighth of the picture's size."""
    blocks: Size = 3
    """Residual blocks at each of both."""


DecoderConfig = Annotated[TaesdConfig | ShuffleConfig, Discriminator("structure")]


def build_decoder(config: DecoderConfig) -> nn.Module:
    """A decoder of these sizes, with random weights."""
    if isinstance(config, ShuffleConfig):
        return shuffle_decoder(config.latent_channels, config.channels, config.blocks)
    return build_taesd(config).decoder  # type: ignore[return-value]


def build_taesd(config: TaesdConfig) -> nn.Module:
    """TAESD whole, its encoder too, which has the published sizes: a module with `encoder` and `decoder`."""
    from diffusers import AutoencoderTiny  # takes seconds

    return AutoencoderTiny(
        latent_channels=config.latent_channels,
        decoder_block_out_channels=(config.width,) * len(config.blocks),
        num_decoder_blocks=config.blocks,
    )
