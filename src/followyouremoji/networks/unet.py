"""Stable Diffusion's UNet, once as the appearance net (2-D, hands over tokens) and once as the denoiser (inflated over time).

A network is a list of steps down, a middle and a list of steps up. Both networks have the same transformer blocks in the same order, which
is how appearance tokens find their place: entry `i` of the list that `AppearanceNet` returns belongs to transformer `i` of the `Denoiser`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from followyouremoji.networks.config import NetworkConfig
from followyouremoji.networks.layers import (
    Downsample,
    KeyValue,
    ResnetBlock,
    SpatialTransformer,
    TimeEmbedding,
    Upsample,
)
from followyouremoji.networks.motion_module import MotionModule


class Stage(nn.Module):
    """One resolution of the UNet: resnets, each followed by a transformer and a motion module where the stage has them."""

    def __init__(
        self,
        config: NetworkConfig,
        in_channels: list[int],
        channels: int,
        *,
        attention: int,
        motion: int,
        norm_only_last: bool = False,
    ) -> None:
        super().__init__()
        groups = config.norm_groups
        self.resnets = nn.ModuleList([ResnetBlock(c, channels, config.time_width, groups) for c in in_channels])
        if attention:
            self.attentions = nn.ModuleList(
                [
                    SpatialTransformer(
                        channels,
                        config.heads,
                        config.context_width,
                        groups,
                        norm_only=norm_only_last and i == attention - 1,
                    )
                    for i in range(attention)
                ]
            )
        if motion:
            self.motion_modules = nn.ModuleList(
                [MotionModule(channels, config.heads, groups, config.max_frames) for _ in range(motion)]
            )


@dataclass(frozen=True)
class Conditioning:
    """What a clip's frames read, as keys and values of each transformer block, computed once a clip.

    `context` is the image prompt's (cross-attention); `appearance` the portrait's (self-attention), None for the unconditional half.
    """

    context: list[KeyValue]
    appearance: list[KeyValue] | None


class UNet(nn.Module):
    """The structure that both networks share."""

    def __init__(self, config: NetworkConfig, in_channels: int, *, motion: bool, hand_over: bool) -> None:
        super().__init__()
        self.config = config
        widths, layers = config.block_channels, config.layers_per_block
        last = len(widths) - 1

        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(widths[0], config.time_width)
        self.clip_fc = nn.Linear(config.image_width, config.context_width)

        skips = [widths[0]]
        self.down_blocks = nn.ModuleList()
        for level, width in enumerate(widths):
            inputs = [skips[-1]] + [width] * (layers - 1)
            stage = Stage(config, inputs, width, attention=layers if level < last else 0, motion=layers if motion else 0)
            skips += [width] * layers
            if level < last:
                stage.downsamplers = nn.ModuleList([Downsample(width)])
                skips.append(width)
            self.down_blocks.append(stage)

        self.mid_block = Stage(config, [widths[-1]] * 2, widths[-1], attention=1, motion=1 if motion else 0)

        self.up_blocks = nn.ModuleList()
        hidden = widths[-1]
        for level, width in reversed(list(enumerate(widths))):
            inputs = []
            for _ in range(layers + 1):
                inputs.append(hidden + skips.pop())
                hidden = width
            stage = Stage(
                config,
                inputs,
                width,
                attention=layers + 1 if level < last else 0,
                motion=layers + 1 if motion else 0,
                norm_only_last=hand_over and level == 0,
            )
            if level > 0:
                stage.upsamplers = nn.ModuleList([Upsample(width)])
            self.up_blocks.append(stage)

    def transformers(self) -> Iterator[SpatialTransformer]:
        """All spatial transformers in the order in which a forward pass meets them."""
        for stage in [*self.down_blocks, self.mid_block, *self.up_blocks]:
            yield from getattr(stage, "attentions", [])

    def context(self, image_tokens: Tensor) -> list[KeyValue]:
        """Keys and values of the image prompt `(batch, tokens, image width)` for every transformer block."""
        tokens = self.clip_fc(image_tokens)
        blocks = (transformer.transformer_blocks[0] for transformer in self.transformers())
        return [block.attn2.keys_values(tokens) for block in blocks if hasattr(block, "attn2")]


class AppearanceNet(UNet):
    """The reference network: run once a portrait, at timestep 0, it gives the tokens that the denoiser's frames attend to."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config, config.latent_channels, motion=False, hand_over=True)

    def forward(
        self, latents: Tensor, image_tokens: Tensor, landmark_features: Tensor | None = None
    ) -> list[Tensor]:
        """Read a portrait.

        `latents` (batch, latent channels, height, width); `image_tokens` (batch, tokens, image width); `landmark_features`
        (batch, first block width, height, width) where the config has `reference_landmarks`. Returns the normed tokens of every
        transformer block, each (batch, height * width of its level, channels), before its self-attention.
        """
        time = self.time_embedding(torch.zeros(latents.shape[0], device=latents.device))
        contexts = iter(self.context(image_tokens))
        handed_over: list[Tensor] = []

        def attend(transformer: SpatialTransformer, x: Tensor) -> Tensor:
            x, normed = transformer(x, next(contexts))
            handed_over.append(normed)
            return x

        x = self.conv_in(latents)
        if landmark_features is not None:
            x = x + landmark_features
        skips = [x]
        for stage in self.down_blocks:
            attentions = getattr(stage, "attentions", [None] * len(stage.resnets))
            for resnet, attention in zip(stage.resnets, attentions, strict=True):
                x = resnet(x, time)
                x = attend(attention, x) if attention is not None else x
                skips.append(x)
            if hasattr(stage, "downsamplers"):
                x = stage.downsamplers[0](x)
                skips.append(x)

        x = self.mid_block.resnets[0](x, time)
        x = attend(self.mid_block.attentions[0], x)
        x = self.mid_block.resnets[1](x, time)

        final = self.up_blocks[-1].attentions[-1]
        for stage in self.up_blocks:
            attentions = getattr(stage, "attentions", [None] * len(stage.resnets))
            for resnet, attention in zip(stage.resnets, attentions, strict=True):
                x = resnet(torch.cat([x, skips.pop()], dim=1), time)
                if attention is final:
                    handed_over.append(attention.block.norm1(attention.tokens(x)))
                elif attention is not None:
                    x = attend(attention, x)
            if hasattr(stage, "upsamplers"):
                x = stage.upsamplers[0](x, skips[-1].shape[2:])
        return handed_over


class Denoiser(UNet):
    """Predicts `v` for every frame of a clip from noisy latents, landmark features and a portrait's `Conditioning`."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config, config.denoiser_channels, motion=config.motion_modules, hand_over=False)
        self.conv_norm_out = nn.GroupNorm(config.norm_groups, config.block_channels[0], eps=1e-5)
        self.conv_out = nn.Conv2d(config.block_channels[0], config.latent_channels, 3, padding=1)

    def condition(self, image_tokens: Tensor, appearance: list[Tensor] | None) -> Conditioning:
        """Prepare what all frames and all steps of a clip share: tokens in, keys and values out."""
        keys_values = None
        if appearance is not None:
            blocks = [transformer.block for transformer in self.transformers()]
            keys_values = [block.attn1.keys_values(t) for block, t in zip(blocks, appearance, strict=True)]
        return Conditioning(self.context(image_tokens), keys_values)

    def forward(
        self, latents: Tensor, timesteps: Tensor, landmark_features: Tensor, conditioning: Conditioning
    ) -> Tensor:
        """One pass.

        `latents` (batch, denoiser channels, frames, height, width): noisy latents, in the paper layout joined by known frames and
        their mask; `timesteps` (batch,) in 0..999; `landmark_features` (batch, first block width, frames, height, width).
        A conditioning of a smaller batch is shared: sample `i` of it serves the next `batch / its batch` samples.
        Returns the prediction (batch, latent channels, frames, height, width).
        """
        batch, _, frames = latents.shape[:3]
        time = self.time_embedding(timesteps).repeat_interleave(frames, dim=0)
        contexts = iter(conditioning.context)
        appearances = iter(conditioning.appearance or [None] * len(conditioning.context))

        def layer(stage: nn.Module, index: int, x: Tensor) -> Tensor:
            x = stage.resnets[index](x, time)
            if hasattr(stage, "attentions"):
                x, _ = stage.attentions[index](x, next(contexts), next(appearances))
            if hasattr(stage, "motion_modules"):
                x = stage.motion_modules[index](x, frames)
            return x

        x = latents.transpose(1, 2).flatten(0, 1)  # b c f h w -> (b f) c h w
        x = self.conv_in(x) + landmark_features.transpose(1, 2).flatten(0, 1)
        skips = [x]
        for stage in self.down_blocks:
            for index in range(len(stage.resnets)):
                x = layer(stage, index, x)
                skips.append(x)
            if hasattr(stage, "downsamplers"):
                x = stage.downsamplers[0](x)
                skips.append(x)

        x = layer(self.mid_block, 0, x)
        x = self.mid_block.resnets[1](x, time)

        for stage in self.up_blocks:
            for index in range(len(stage.resnets)):
                hidden = torch.cat([x, skips.pop()], dim=1)
                x = layer(stage, index, hidden)
            if hasattr(stage, "upsamplers"):
                x = stage.upsamplers[0](x, skips[-1].shape[2:])

        x = self.conv_out(F.silu(self.conv_norm_out(x)))
        return x.unflatten(0, (batch, frames)).transpose(1, 2)  # (b f) c h w -> b c f h w
