"""The parts that the appearance net and the denoiser are built of.

Attribute names follow the tensor names of the released checkpoints, so that those load without a renaming table.
Tensors are `(batch * frames, channels, height, width)` in convolutions and `(batch, tokens, channels)` in attention.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KeyValue = tuple[Tensor, Tensor]  # each (batch, heads, tokens, channels of a head)


def timestep_embedding(timesteps: Tensor, width: int) -> Tensor:
    """Sinusoidal embedding `(batch, width)` of diffusion timesteps `(batch,)`, cosines first, periods from 2 pi to 20000 pi."""
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
    """Two normed convolutions with the time embedding added between them, and a residual."""

    def __init__(self, in_channels: int, channels: int, time_width: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, in_channels, eps=1e-5)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(time_width, channels)
        self.norm2 = nn.GroupNorm(groups, channels, eps=1e-5)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(in_channels, channels, 1) if in_channels != channels else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        hidden = self.conv1(F.silu(self.norm1(x)))
        hidden = hidden + self.time_emb_proj(F.silu(time))[:, :, None, None]
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        return self.conv_shortcut(x) + hidden


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

    def split_heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # b n (h d) -> b h n d

    def keys_values(self, tokens: Tensor) -> KeyValue:
        return self.split_heads(self.to_k(tokens)), self.split_heads(self.to_v(tokens))

    def forward(self, tokens: Tensor, keys_values: KeyValue) -> Tensor:
        keys, values = keys_values
        attended = F.scaled_dot_product_attention(self.split_heads(self.to_q(tokens)), keys, values)
        return self.to_out[0](attended.transpose(1, 2).flatten(2))


def repeat_to(keys_values: KeyValue, batch: int) -> KeyValue:
    """Repeat every sample's keys and values so that all its frames read them: `(b, ...)` to `(batch, ...)`, sample-major."""
    keys, values = keys_values
    if keys.shape[0] == batch:
        return keys_values
    frames = batch // keys.shape[0]
    return keys.repeat_interleave(frames, dim=0), values.repeat_interleave(frames, dim=0)


def join(first: KeyValue, second: KeyValue) -> KeyValue:
    return torch.cat([first[0], second[0]], dim=2), torch.cat([first[1], second[1]], dim=2)


class GEGLU(nn.Module):
    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = 4 * channels
        self.net = nn.ModuleList([GEGLU(channels, inner), nn.Identity(), nn.Linear(inner, channels)])

    def forward(self, x: Tensor) -> Tensor:
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    """Self-attention (with the appearance tokens joined in, where given), cross-attention to the image prompt, feed-forward."""

    def __init__(self, channels: int, heads: int, context_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = Attention(channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.attn2 = Attention(channels, heads, context_width)
        self.norm3 = nn.LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(
        self, tokens: Tensor, context: KeyValue, appearance: KeyValue | None = None
    ) -> tuple[Tensor, Tensor]:
        """`tokens` (batch, height * width, channels). Returns the new tokens and the normed ones that self-attention read."""
        normed = self.norm1(tokens)
        own = self.attn1.keys_values(normed)
        batch = tokens.shape[0]
        tokens = tokens + self.attn1(normed, join(own, repeat_to(appearance, batch)) if appearance else own)
        tokens = tokens + self.attn2(self.norm2(tokens), repeat_to(context, batch))
        return tokens + self.ff(self.norm3(tokens)), normed


class NormOnlyBlock(nn.Module):
    """What the appearance net keeps of its very last transformer block: the norm whose output it hands over."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)


class SpatialTransformer(nn.Module):
    """One transformer block over the pixels of each frame, between two 1x1 convolutions; its result is added to what it read."""

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

    def forward(
        self, x: Tensor, context: KeyValue, appearance: KeyValue | None = None
    ) -> tuple[Tensor, Tensor]:
        """`x` (batch, channels, height, width). Returns what is to be added to `x` and the block's normed tokens."""
        tokens, normed = self.block(self.tokens(x), context, appearance)
        hidden = tokens.transpose(1, 2).unflatten(2, x.shape[2:])  # b (h w) c -> b c h w
        return self.proj_out(hidden), normed
