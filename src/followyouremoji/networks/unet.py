"""Stable Diffusion's UNet, once as the appearance net (2-D, hands over tokens) and once as the denoiser (inflated over
time).

Both networks have the same transformer blocks in the same order: entry `i` of the list that `AppearanceNet` returns
belongs to transformer `i` of the `Denoiser`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import zip_longest
from typing import Protocol

import torch
from torch import Tensor, nn

from followyouremoji.networks.config import NetworkConfig
from followyouremoji.networks.layers import (
    Downsample,
    KeyValue,
    Reading,
    ResnetBlock,
    SpatialTransformer,
    TimeEmbedding,
    TransformerBlock,
    Upsample,
    activated,
    channels_last,
)
from followyouremoji.networks.motion_module import MotionModule

Layer = tuple[ResnetBlock, SpatialTransformer | None, MotionModule | None]


class Cache(Protocol):
    """Called at the denoiser's cuts, whose features may come from earlier steps instead of being computed.

    Cut 0 holds everything between the first convolution and the head. Cut n, from 1 on, holds what joins the n-th skip,
    the outermost first: everything that is deeper in the U, as in DeepCache (2024), whose branch n - 1 it is. The cuts
    lie in each other.
    """

    def __call__(self, cut: int, compute: Callable[[], Tensor]) -> Tensor:
        """The features of a cut (batch * frames, channels, height, width), as `compute` would return them."""


def compute_always(cut: int, compute: Callable[[], Tensor]) -> Tensor:
    """No cache."""
    return compute()


class Stage(nn.Module):
    """One resolution of the UNet: resnets, each followed by a transformer and a motion module where the stage has
    them."""

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
        groups, heads = config.norm_groups, config.heads
        self.resnets = nn.ModuleList(
            [ResnetBlock(c, channels, config.time_width, groups) for c in in_channels]
        )
        self.attentions = nn.ModuleList()
        for i in range(attention):
            norm_only = norm_only_last and i == attention - 1
            self.attentions.append(
                SpatialTransformer(channels, heads, config.context_width, groups, norm_only=norm_only)
            )
        self.motion_modules = nn.ModuleList(
            [MotionModule(channels, heads, groups, config.max_frames) for _ in range(motion)]
        )
        self.downsamplers = nn.ModuleList()
        self.upsamplers = nn.ModuleList()

    def layers(self) -> Iterator[Layer]:
        """Resnets, each with the transformer and the motion module that follow it, None where there is none."""
        return zip_longest(self.resnets, self.attentions, self.motion_modules)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Conditioning:
    """Keys and values that the attentions of each transformer block read, computed once a clip.

    `context` is the image prompt's (cross-attention); `appearance` the portrait's (self-attention), None for the
    unconditional half.
    """

    context: list[KeyValue]
    appearance: list[KeyValue] | None

    def readings(self) -> list[Reading]:
        """What each transformer reads."""
        alone: list[KeyValue | None] = [None] * len(self.context)
        return list(zip(self.context, self.appearance or alone, strict=True))


class UNet(nn.Module):
    """The structure of both networks."""

    def __init__(
        self, config: NetworkConfig, in_channels: int, *, moves: Callable[[int], bool], hand_over: bool
    ) -> None:
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
            stage = Stage(
                config,
                inputs,
                width,
                attention=layers if level < last else 0,
                motion=layers if moves(level) else 0,
            )
            skips += [width] * layers
            if level < last:
                stage.downsamplers.append(Downsample(width))
                skips.append(width)
            self.down_blocks.append(stage)

        self.mid_block = Stage(
            config, [widths[-1]] * 2, widths[-1], attention=1, motion=1 if moves(last) else 0
        )

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
                motion=layers + 1 if moves(level) else 0,
                norm_only_last=hand_over and level == 0,
            )
            if level > 0:
                stage.upsamplers.append(Upsample(width))
            self.up_blocks.append(stage)

    def stages(self) -> tuple[list[Stage], Stage, list[Stage]]:
        """The stages down, the middle, and the stages up."""
        return list(self.down_blocks), self.mid_block, list(self.up_blocks)  # type: ignore[arg-type]

    def transformers(self) -> list[SpatialTransformer]:
        """All spatial transformers in the order in which a forward pass meets them."""
        down, middle, up = self.stages()
        return [transformer for stage in [*down, middle, *up] for transformer in stage.attentions]  # type: ignore[misc]

    def run_stages(
        self, x: Tensor, run: Callable[[Layer, Tensor], Tensor], cache: Cache = compute_always
    ) -> Tensor:
        """From the first convolution's output down, through the middle and up again; `run` does one layer, `cache`
        stands at the cuts."""
        down, middle, up = self.stages()
        # All from the outermost on: what reads a skip; what makes the next skip of one, and enlarges what comes back.
        readers = [layer for stage in up for layer in stage.layers()][::-1]
        enlargers = [upsample for stage in reversed(up) for upsample in stage.upsamplers]
        makers: list[tuple[Callable[[Tensor], Tensor], nn.Module | None]] = []
        for stage in down:
            makers += [(partial(run, layer), None) for layer in stage.layers()]
            makers += [(downsample, enlargers.pop(0)) for downsample in stage.downsamplers]

        def within(skip: Tensor, number: int) -> Tensor:
            """Everything from skip `number` down, and up again through the layer that reads it."""

            def deeper() -> Tensor:
                if number == len(makers):
                    return reduce(lambda x, layer: run(layer, x), middle.layers(), skip)
                make, enlarge = makers[number]
                x = within(make(skip), number + 1)
                return x if enlarge is None else enlarge(x, skip.shape[2:])

            return run(readers[number], torch.cat([cache(number + 1, deeper), skip], dim=1))

        return cache(0, lambda: within(x, 0))

    def context(self, image_tokens: Tensor) -> list[KeyValue]:
        """Keys and values of the image prompt `(batch, tokens, image width)` for every whole transformer block."""
        tokens = self.clip_fc(image_tokens)
        blocks = [transformer.transformer_blocks[0] for transformer in self.transformers()]
        return [block.attn2.keys_values(tokens) for block in blocks if isinstance(block, TransformerBlock)]


class AppearanceNet(UNet):
    """The reference network: run once a portrait, at timestep 0, it gives the tokens that the denoiser's frames attend
    to."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config, config.latent_channels, moves=lambda level: False, hand_over=True)

    def forward(
        self, latents: Tensor, image_tokens: Tensor, landmark_features: Tensor | None = None
    ) -> list[Tensor]:
        """Read a portrait.

        `latents` (batch, latent channels, height, width); `image_tokens` (batch, tokens, image width);
        `landmark_features` (batch, first block width, height, width) where the config has `reference_landmarks`.
        Returns the normed tokens of every transformer block, each (batch, height * width of its level, channels),
        before its self-attention.
        """
        time = self.time_embedding(torch.zeros(latents.shape[0], device=latents.device))
        contexts = iter(self.context(image_tokens))
        final = self.transformers()[-1]
        handed_over: list[Tensor] = []

        def run(layer: Layer, x: Tensor) -> Tensor:
            resnet, transformer, _ = layer
            x = resnet(x, time)
            if transformer is final:
                handed_over.append(transformer.block.norm1(transformer.tokens(x)))
            elif transformer is not None:
                change, normed = transformer(x, [(next(contexts), None)])
                x = x + change
                handed_over.append(normed)
            return x

        x = self.conv_in(channels_last(latents))
        if landmark_features is not None:
            x = x + landmark_features
        self.run_stages(x, run)
        return handed_over


class Denoiser(UNet):
    """Predicts `v` for every frame of a clip from noisy latents, landmark features and a portrait's `Conditioning`."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config, config.denoiser_channels, moves=config.moves, hand_over=False)
        self.conv_norm_out = nn.GroupNorm(config.norm_groups, config.block_channels[0], eps=1e-5)
        self.conv_out = nn.Conv2d(config.block_channels[0], config.latent_channels, 3, padding=1)

    def condition(self, image_tokens: Tensor, appearance: list[Tensor] | None) -> Conditioning:
        """Compute from tokens the keys and values that are the same for all frames and all steps of a clip."""
        keys_values = None
        if appearance is not None:
            blocks = [transformer.block for transformer in self.transformers()]
            keys_values = [block.attn1.keys_values(t) for block, t in zip(blocks, appearance, strict=True)]
        return Conditioning(self.context(image_tokens), keys_values)

    def forward(
        self,
        latents: Tensor,
        timesteps: Tensor,
        landmark_features: Tensor,
        conditioning: Conditioning | Sequence[Conditioning],
        cache: Cache = compute_always,
    ) -> Tensor:
        """One pass.

        `latents` (batch, denoiser channels, frames, height, width): noisy latents, in the paper layout joined by known
        frames and their mask; `timesteps` (batch,) in 0..999; `landmark_features` (batch, first block width, frames,
        height, width). `cache` may remember features instead of computing them. A conditioning may have a smaller
        batch: sample `i` of it serves the next `batch / its batch` samples. Several conditionings, such as the two
        halves of guidance, are computed as one batch, each with all samples. Returns the prediction (batch, latent
        channels, frames, height, width); for several conditionings their predictions one after the other along the
        batch.
        """
        frames = latents.shape[2]
        conditionings = [conditioning] if isinstance(conditioning, Conditioning) else list(conditioning)
        ways = len(conditionings)
        time = self.time_embedding(timesteps).repeat(ways, 1)
        reads = zip(*(one.readings() for one in conditionings), strict=True)
        read = dict(zip(self.transformers(), reads, strict=True))
        first = next(self.stages()[0][0].layers())[0]

        def run(layer: Layer, x: Tensor) -> Tensor:
            resnet, transformer, motion_module = layer
            if resnet is first and ways > 1:  # the conditionings differ from the first attention on
                x = torch.cat([resnet(x.chunk(ways)[0], time.chunk(ways)[0])] * ways)
            else:
                x = resnet(x, time)
            if transformer is not None:
                x = x + transformer(x, read[transformer])[0]
            if motion_module is not None:
                x = x + motion_module(x, frames)
            return x

        x = latents.transpose(1, 2).flatten(0, 1)  # b c f h w -> (b f) c h w
        x = self.conv_in(channels_last(x))
        x = x + landmark_features.transpose(1, 2).flatten(0, 1)
        x = x if ways == 1 else torch.cat([x] * ways)  # which, other than `repeat`, leaves channels last
        x = self.run_stages(x, run, cache)
        x = self.conv_out(activated(self.conv_norm_out, x))
        return x.unflatten(0, (-1, frames)).transpose(1, 2)  # (b f) c h w -> b c f h w
