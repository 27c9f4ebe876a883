"""Sizes of the networks, validated once and saved beside the weights.

Two layouts share one code. *released* is the network of the 2024 weights: the denoiser reads noisy latents alone and
the image prompt is CLIP's tokens through a linear layer. *paper* is the network that both papers describe: masked known
frames and their mask are joined to the noisy latents (Sec. 3.3) and a 4-layer Q-Former stands between the image encoder
and the cross-attention.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from followyouremoji.config import validated

Layout = Literal["released", "paper"]
ImageSource = Literal["clip", "latents"]
Size = Annotated[int, Field(ge=1, le=65_536)]
"""No network has a larger width or count: a larger number is a damaged file."""
Count = Annotated[int, Field(ge=1, le=32)]
"""No network has more layers one after the other: one of thousands takes minutes to build, whatever its weights are."""
Sizes = Annotated[tuple[Size, ...], Field(min_length=1, max_length=8)]

Frames = Annotated[int, Field(ge=1, le=1024)]
"""At once, in a window: attention grows with their square. Longer clips are made of several windows."""

LATENT_STRIDE = 8  # picture pixels to a latent pixel, in every autoencoder


@validated
class QFormerConfig:
    """The image prompt of the paper layout: learnt tokens read the image tokens."""

    layers: Count = 4
    """Layers in which the learnt tokens read the image's."""
    queries: Size = 16
    """Learnt tokens."""
    width: Size = 768
    """Channels of a token."""
    heads: Size = 8
    """Heads of the attention; they divide the width."""

    @model_validator(mode="after")
    def _width_of_heads(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"`width` must be a multiple of its {self.heads} heads, not {self.width}")
        return self


@validated
class NetworkConfig:
    """Every size that the weights of the appearance net, denoiser, landmark encoder and image prompt depend on.

    The defaults are the released checkpoint's sizes (Stable Diffusion 1.5's UNet).
    """

    layout: Layout = "released"
    """`paper`: known frames at the input, and a Q-Former."""
    latent_channels: Size = 4
    """Those of the autoencoder."""
    block_channels: Sizes = (320, 640, 1280, 1280)
    """Widths of both UNets' levels; pictures must be a multiple of 8 x 2^(levels - 1) pixels."""
    layers_per_block: Count = 2
    """Resnets of a level."""
    heads: Size = 8
    """Heads of the attentions; they divide every width."""
    norm_groups: Size = 32
    """Groups of the normalisations; they divide every width."""
    context_width: Size = 768
    """Channels of the cross-attention's tokens."""
    image_source: ImageSource = "clip"
    """Where the image prompt's tokens come from; `latents` needs no image encoder."""
    image_width: Size = 1024
    """Channels of one such token; for `latents`, `latent_channels` + 2."""
    qformer: QFormerConfig | None = None
    """The image prompt of the paper layout, where it must be there."""
    landmark_channels: Annotated[tuple[Size, ...], Field(min_length=4, max_length=4)] = (16, 32, 96, 256)
    """Widths of the landmark encoder, between which pictures shrink to an eighth."""
    motion_modules: bool = True
    """Temporal layers; without them it is a network of stage 1, for single frames."""
    motion_levels: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """The levels that have temporal layers, 0 is the finest; all by default."""
    max_frames: Frames = 32
    """Longest clip at once: rows of the temporal layers' position table."""
    warped_reference: bool = False
    """Latents are generated relative to those of the warped portrait, which the denoiser also reads."""
    residual_scale: PositiveFloat = 1.0
    """Those differences are multiplied by it."""
    reference_landmarks: bool = False
    """The appearance net also sees where the portrait's own features are."""

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        if (self.layout == "paper") != (self.qformer is not None):
            raise ValueError(
                "a network of the paper layout needs `qformer`, one of the released layout has none"
            )
        for channels in self.block_channels:
            if channels % self.norm_groups or channels % self.heads or channels % 2:
                raise ValueError(
                    f"the block width {channels} must be even, and divisible by {self.norm_groups} groups and {self.heads} heads"
                )
        tokens = self.latent_channels + 2  # a latent pixel and its place, see `latent_tokens`
        if self.image_source == "latents" and self.image_width != tokens:
            raise ValueError(
                f"`image_width` must be {tokens} for an image prompt of latents, not {self.image_width}"
            )
        levels = len(self.block_channels)
        if any(level >= levels for level in self.motion_levels or ()):
            raise ValueError(
                f"`motion_levels` must be of the {levels} levels, counted from 0, not {list(self.motion_levels or ())}"
            )
        return self

    def moves(self, level: int) -> bool:
        """Whether the denoiser has motion modules at a level; the middle belongs to the last one."""
        return self.motion_modules and (self.motion_levels is None or level in self.motion_levels)

    @property
    def picture_multiple(self) -> int:
        """Pixels that a picture's sides must be a multiple of: each level of the UNets halves the latents."""
        return LATENT_STRIDE * 2 ** (len(self.block_channels) - 1)

    @property
    def skips(self) -> int:
        """How many lead from a UNet's way down to its way up: one from the first convolution, and one from each layer
        and each downsampling."""
        return len(self.block_channels) * (self.layers_per_block + 1)

    @property
    def denoiser_channels(self) -> int:
        """Input channels of the denoiser: noisy latents, and in the paper layout the known frames and their mask."""
        return self.latent_channels if self.layout == "released" else 2 * self.latent_channels + 1

    @property
    def time_width(self) -> int:
        return 4 * self.block_channels[0]
