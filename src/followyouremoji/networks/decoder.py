"""Small decoders: latents to pictures in a fraction of the work of the decoder that they are distilled from.

Both take normalised latents `(batch, latent channels, height, width)` to pictures `(batch, 3, 8 height, 8 width)` in
about [-1, 1], as `Autoencoder.decode` does.
"""

from __future__ import annotations

from typing import Self

from pydantic import model_validator
from torch import nn

from followyouremoji.config import validated
from followyouremoji.networks.autoencoder import shuffle_decoder
from followyouremoji.networks.config import Count, Size


@validated
class TaesdConfig:
    """Sizes of the decoder of TAESD (Ollin Boer Bohan, 2023), diffusers' `AutoencoderTiny`; by default the published.

    That one was made for the latents of Stable Diffusion 1 and 2, normalised by their factor 0.18215.
    """

    width: Size = 64
    """Channels between the convolutions, at all sizes."""
    blocks: tuple[Count, Count, Count, Count] = (3, 3, 3, 1)
    """Residual blocks at an eighth, a quarter, a half and all of the picture's size."""


@validated
class ShuffleConfig:
    """Sizes of a decoder as `SmallAutoencoder` has one."""

    channels: tuple[Size, Size] = (32, 64)
    """Widths at a quarter and at an eighth of the picture's size."""
    blocks: Count = 3
    """Residual blocks at each of both."""


@validated
class DecoderConfig:
    """A small decoder of one of two structures."""

    latent_channels: Size = 4
    """Channels of a latent pixel, those of the autoencoder."""
    taesd: TaesdConfig | None = None
    """A table: the structure of TAESD; or else `shuffle`."""
    shuffle: ShuffleConfig | None = None
    """A table: the structure of the bundled model's decoder, which does most of its work at an eighth and a quarter of
    the picture's size; or else `taesd`."""

    @model_validator(mode="after")
    def _one_structure(self) -> Self:
        if (self.taesd is None) == (self.shuffle is None):
            raise ValueError("a decoder has either the structure `taesd` or `shuffle`")
        return self


TAESD = DecoderConfig(taesd=TaesdConfig())
"""The published decoder."""


def build_decoder(config: DecoderConfig) -> nn.Module:
    """A decoder of these sizes, with random weights."""
    if config.shuffle is not None:
        return shuffle_decoder(config.latent_channels, config.shuffle.channels, config.shuffle.blocks)
    decoder: nn.Module = build_taesd(config).get_submodule("decoder")
    return decoder


def build_taesd(config: DecoderConfig) -> nn.Module:
    """TAESD whole, with its `encoder` beside its `decoder`; the encoder has the published sizes."""
    from diffusers import AutoencoderTiny  # takes seconds

    assert config.taesd is not None
    taesd: nn.Module = AutoencoderTiny(  # type: ignore[assignment]  # diffusers hides what it is
        latent_channels=config.latent_channels,
        decoder_block_out_channels=(config.taesd.width,) * len(config.taesd.blocks),
        num_decoder_blocks=config.taesd.blocks,
    )
    return taesd
