"""The parts that the appearance net and the denoiser are built of.

Attribute names follow the tensor names of the released checkpoints, so that those load without a renaming table.
Tensors are `(batch * frames, channels, height, width)` in convolutions and `(batch, tokens, channels)` in attention.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MOST_ROWS = 2**15  # of attention at once: a GPU's kernel may have at most 2**16 - 1 blocks
KeyValue = tuple[Tensor, Tensor]  # each (batch, tokens, channels)
Reading = tuple[
    KeyValue, KeyValue | None
]  # inputs of a transformer's attentions: the image prompt and, but for the unconditional half, the portrait


def timestep_embedding(timesteps: Tensor, width: int) -> Tensor:
    """Sinusoidal embedding `(batch, width)` of diffusion timesteps `(batch,)`, cosines first, periods from 2 pi to
    20000 pi."""
    half = width // 2
    frequencies = torch.exp(
        -math.log(10_000) / half * torch.arange(half, device=timesteps.device, dtype=torch.float32)
    )
    angles = timesteps.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class TimeEmbedding(nn.Module):
    def __init__(self, in_width: int, width: int) -> None:
        super().__init__()
        self.in_width = in_width
        self.linear_1 = nn.Linear(in_width, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, timesteps: Tensor) -> Tensor:
        embedding = timestep_embedding(timesteps, self.in_width).to(self.linear_1.weight.dtype)
        return self.linear_2(F.silu(self.linear_1(embedding)))


class ResnetBlock(nn.Module):
    """Two convolutions after group norms, with the time embedding added between them, and a residual."""

    def __init__(self, in_channels: int, channels: int, time_width: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, in_channels, eps=1e-5)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(time_width, channels)
        self.norm2 = nn.GroupNorm(groups, channels, eps=1e-5)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(in_channels, channels, 1) if in_channels != channels else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """`x` (batch * frames, channels, height, width), sample-major; `time` (batch, width of the embedding)."""
        hidden = self.conv1(activated(self.norm1, x))
        shift = self.time_emb_proj(F.silu(time)).repeat_interleave(x.shape[0] // time.shape[0], dim=0)
        hidden += shift[:, :, None, None]
        hidden = self.conv2(activated(self.norm2, hidden))
        hidden += self.conv_shortcut(x)
        return hidden


def activated(norm: nn.Module, x: Tensor) -> Tensor:
    """SiLU of the normed `x`, in place where no gradient needs what was there."""
    return F.silu(norm(x), inplace=not torch.is_grad_enabled())


def channels_last(x: Tensor) -> Tensor:
    """NHWC, so that tokens are a view, where nothing is learnt; a training chooses by its weights' layout."""
    return x if torch.is_grad_enabled() else x.contiguous(memory_format=torch.channels_last)


class Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Upsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        """Nearest-neighbour enlargement to `size` (height, width) and a convolution."""
        return self.conv(F.interpolate(x, size=size, mode="nearest"))


class Attention(nn.Module):
    """Multi-head attention whose keys and values can be computed apart, once, and passed in."""

    def __init__(self, channels: int, heads: int, context_width: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        context_width = context_width or channels
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context_width, channels, bias=False)
        self.to_v = nn.Linear(context_width, channels, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def keys_values(self, tokens: Tensor) -> KeyValue:
        return self.to_k(tokens), self.to_v(tokens)

    def attend(self, queries: Tensor, keys_values: KeyValue) -> Tensor:
        """Projected `queries` (batch, tokens, channels) read; returns the same shape, before the last projection."""
        if len(queries) > MOST_ROWS:
            parts = zip(*(x.split(MOST_ROWS) for x in (queries, *keys_values)), strict=True)
            return torch.cat([self.attend(query, (key, value)) for query, key, value in parts])
        query, key, value = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (queries, *keys_values)
        )  # b n (h d) -> b h n d
        return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)

    def forward(self, tokens: Tensor, keys_values: KeyValue) -> Tensor:
        """`tokens` (batch, n, channels) read; returns the same shape, or one token for all where they read a single
        one."""
        values = keys_values[1]
        if values.shape[1] == 1:  # attention to a single token returns its value, whatever the query
            return self.to_out[0](values)
        return self.to_out[0](self.attend(self.to_q(tokens), keys_values))


def repeat_to(keys_values: KeyValue, batch: int) -> KeyValue:
    """Repeat every sample's keys and values so that all its frames read them: `(b, ...)` to `(batch, ...)`,
    sample-major."""
    keys, values = keys_values
    if keys.shape[0] == batch:
        return keys_values
    frames = batch // keys.shape[0]
    return keys.repeat_interleave(frames, dim=0), values.repeat_interleave(frames, dim=0)


def join(own: KeyValue, shared: KeyValue) -> KeyValue:
    """Each frame's own tokens followed by its sample's: `(b f) n c` and `b m c` to `(b f) (n + m) c`."""

    def after(first: Tensor, second: Tensor) -> Tensor:
        batch, frames = len(second), len(first) // len(second)
        second = second[:, None].expand(-1, frames, -1, -1)
        return torch.cat([first.unflatten(0, (batch, frames)), second], dim=2).flatten(0, 1)

    return after(own[0], shared[0]), after(own[1], shared[1])


class GEGLU(nn.Module):
    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        gate = F.gelu(gate)
        return value * gate if torch.is_grad_enabled() else gate.mul_(value)


class FeedForward(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = 4 * channels
        self.net = nn.ModuleList([GEGLU(channels, inner), nn.Identity(), nn.Linear(inner, channels)])

    def forward(self, x: Tensor) -> Tensor:
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    """Self-attention (with the appearance tokens joined in, where given), cross-attention to the image prompt,
    feed-forward."""

    def __init__(self, channels: int, heads: int, context_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = Attention(channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.attn2 = Attention(channels, heads, context_width)
        self.norm3 = nn.LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(self, tokens: Tensor, reads: Sequence[Reading]) -> tuple[Tensor, Tensor]:
        """`tokens` (batch, height * width, channels), an equal part of the batch for each of `reads`.

        Returns the new tokens and the normed ones that self-attention read.
        """
        normed = self.norm1(tokens)
        queries, keys, values = (
            x.chunk(len(reads)) for x in (self.attn1.to_q(normed), *self.attn1.keys_values(normed))
        )
        attended = [
            self.attn1.attend(query, own if appearance is None else join(own, appearance))
            for query, own, (_, appearance) in zip(
                queries, zip(keys, values, strict=True), reads, strict=True
            )
        ]
        tokens = tokens + self.attn1.to_out[0](joined(attended))
        parts = []
        for part, (context, _) in zip(tokens.chunk(len(reads)), reads, strict=True):
            parts.append(part + self.attn2(self.norm2(part), repeat_to(context, len(part))))
        tokens = joined(parts)
        return tokens + self.ff(self.norm3(tokens)), normed


def joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


class NormOnlyBlock(nn.Module):
    """The appearance net's very last transformer block: only its first norm is needed, whose output the denoiser
    reads."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)


class SpatialTransformer(nn.Module):
    """One transformer block over the pixels of each frame, between two 1x1 convolutions; its result is added to what it
    read."""

    def __init__(
        self, channels: int, heads: int, context_width: int, groups: int, *, norm_only: bool = False
    ) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        block = NormOnlyBlock(channels) if norm_only else TransformerBlock(channels, heads, context_width)
        self.transformer_blocks = nn.ModuleList([block])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    @property
    def block(self) -> TransformerBlock:
        return self.transformer_blocks[0]  # type: ignore[return-value]

    def tokens(self, x: Tensor) -> Tensor:
        return self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)  # b c h w -> b (h w) c

    def forward(self, x: Tensor, reads: Sequence[Reading]) -> tuple[Tensor, Tensor]:
        """`x` (batch, channels, height, width), an equal part of the batch for each of `reads`.

        Returns what is to be added to `x` and the block's normed tokens.
        """
        tokens, normed = self.block(self.tokens(x), reads)
        hidden = tokens.transpose(1, 2).unflatten(2, x.shape[2:])  # b (h w) c -> b c h w
        return self.proj_out(hidden), normed
