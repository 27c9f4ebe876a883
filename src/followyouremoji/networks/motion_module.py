"""The motion module: attention over time at every pixel (AnimateDiff's "vanilla" temporal transformer, Sec. 3.1)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from followyouremoji.networks.layers import Attention, FeedForward


@lru_cache(maxsize=64)
def sinusoidal_table(rows: int, channels: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Position table `(rows, channels)`: sines in even channels, cosines in odd ones."""
    with torch.inference_mode(False):  # the cached table must also serve a training step
        positions = torch.arange(rows, device=device)[:, None]
        rates = torch.exp(torch.arange(0, channels, 2, device=device) * (-math.log(10_000.0) / channels))
        angles = positions * rates
        return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1).to(dtype)


def position_table(rows: int, channels: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """As `sinusoidal_table`; a constant to a compiler, which does not see the cache behind it
    (`networks/compiling.py`)."""
    return sinusoidal_table(rows, channels, device, dtype)


class PositionTable(nn.Module):
    """Adds each frame's position in the clip.

    The released checkpoints hold this table as `pe`; it is a formula, and their half-precision conversions have lost
    digits of it, so loading checks the shape and keeps the formula.
    """

    def __init__(self, rows: int, channels: int) -> None:
        super().__init__()
        self.rows = rows
        self.channels = channels

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *arguments: Any) -> None:
        saved = state_dict.get(f"{prefix}pe")
        errors = arguments[-1]
        if saved is not None and tuple(saved.shape) != (1, self.rows, self.channels):
            errors.append(f"{prefix}pe has shape {tuple(saved.shape)}, not {(1, self.rows, self.channels)}")
        known = {key: value for key, value in state_dict.items() if key != f"{prefix}pe"}
        super()._load_from_state_dict(known, prefix, *arguments)

    def forward(self, tokens: Tensor) -> Tensor:
        table = position_table(self.rows, self.channels, tokens.device, tokens.dtype)
        return tokens + table[: tokens.shape[1]]


class TemporalAttention(Attention):
    """Self-attention over `(batch * pixels, frames, channels)` with positions added to what it reads."""

    def __init__(self, channels: int, heads: int, max_frames: int) -> None:
        super().__init__(channels, heads)
        self.pos_encoder = PositionTable(max_frames, channels)

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        placed = self.pos_encoder(tokens)
        return super().forward(placed, self.keys_values(placed))


class TemporalBlock(nn.Module):
    def __init__(self, channels: int, heads: int, max_frames: int) -> None:
        super().__init__()
        self.attention_blocks = nn.ModuleList(
            [TemporalAttention(channels, heads, max_frames) for _ in range(2)]
        )
        self.norms = nn.ModuleList([nn.LayerNorm(channels) for _ in range(2)])
        self.ff = FeedForward(channels)
        self.ff_norm = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor) -> Tensor:
        for norm, attention in zip(self.norms, self.attention_blocks, strict=True):
            tokens = tokens + attention(norm(tokens))
        return tokens + self.ff(self.ff_norm(tokens))


class TemporalTransformer(nn.Module):
    def __init__(self, channels: int, heads: int, groups: int, max_frames: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList([TemporalBlock(channels, heads, max_frames)])
        self.proj_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        batch_frames, channels, height, width = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # (b f) c h w -> (b f) n c
        tokens = (
            self.proj_in(tokens).unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)
        )  # (b f) n c -> (b n) f c
        tokens = self.transformer_blocks[0](tokens)
        tokens = (
            tokens.unflatten(0, (-1, height * width)).transpose(1, 2).flatten(0, 1)
        )  # (b n) f c -> (b f) n c
        return self.proj_out(tokens).transpose(1, 2).reshape(batch_frames, channels, height, width)


class MotionModule(nn.Module):
    """Attention over the frames at each pixel, to be added to its input; its last layer is zero-initialised."""

    def __init__(self, channels: int, heads: int, groups: int, max_frames: int) -> None:
        super().__init__()
        self.temporal_transformer = TemporalTransformer(channels, heads, groups, max_frames)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """`x` (batch * frames, channels, height, width), sample-major; `frames` at most the position table's rows."""
        return self.temporal_transformer(x, frames)
