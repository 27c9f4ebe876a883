"""The landmark encoder: a landmark picture to features that are added to the denoiser's first convolution (Sec.
3.1)."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from followyouremoji.networks.config import NetworkConfig
from followyouremoji.networks.layers import channels_last


class LandmarkEncoder(nn.Module):
    """Strided convolutions from a landmark picture to latent resolution; the last one is zero-initialised."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels = config.landmark_channels
        self.conv_in = nn.Conv2d(3, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for narrow, wide in pairwise(channels):
            self.blocks.append(nn.Conv2d(narrow, narrow, 3, padding=1))
            self.blocks.append(nn.Conv2d(narrow, wide, 3, padding=1, stride=2))
        self.conv_out = nn.Conv2d(channels[-1], config.block_channels[0], 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]
        if config.warped_reference:
            self.conv_warped = nn.Conv2d(config.latent_channels, config.block_channels[0], 3, padding=1)

    def forward(self, pictures: Tensor, warped: Tensor | None = None) -> Tensor:
        """Landmark pictures to features, joined by those of the portrait warped by them.

        `pictures` (batch, 3, frames, height, width) in [0, 1]; `warped` (batch, latent channels, frames, height / 8,
        width / 8), latents of the portrait warped by its landmarks, where the config has `warped_reference` (None for
        the portrait itself, which nothing warps). Returns (batch, first block width, frames, height / 8, width / 8).
        """
        batch, _, frames = pictures.shape[:3]
        x = channels_last(pictures.transpose(1, 2).flatten(0, 1))  # b c f h w -> (b f) c h w
        x = F.silu(self.conv_in(x))
        for block in self.blocks:
            x = F.silu(block(x))
        x = self.conv_out(x)
        if warped is not None:
            x = x + self.conv_warped(warped.transpose(1, 2).flatten(0, 1))
        return x.unflatten(0, (batch, frames)).transpose(1, 2)
