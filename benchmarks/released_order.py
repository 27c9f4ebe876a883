"""The denoiser's pass as the authors' release computes it, on this project's modules: the reference for our savings.

Nothing is kept between steps, and both halves of guidance are one batch, unconditional first. Appearance tokens are
joined to every frame's own tokens before keys and values are projected, for both halves, though the unconditional one
reads its own alone. Both halves project the image prompt for every frame. Convolutions are direct ones, on NCHW
tensors. At 4 frames of 32x32 latents this is 2.20 TFLOP; the release itself was counted at 2.24 (it also attends to
tokens that the unconditional half must not read).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from followyouremoji.networks import Denoiser
from followyouremoji.networks.layers import Attention, ResnetBlock, SpatialTransformer, TransformerBlock
from followyouremoji.networks.motion_module import TemporalAttention, TemporalTransformer
from followyouremoji.networks.unet import Layer


def released_step(
    denoiser: Denoiser,
    latents: Tensor,
    timestep: Tensor,
    landmark_features: Tensor,
    image_tokens: Tensor,
    appearance: list[Tensor],
    guidance_scale: float,
) -> Tensor:
    """One guided prediction.

    `latents` (1, channels, frames, height, width), `timestep` a scalar, `landmark_features` (1, first block width,
    frames, height, width), `image_tokens` (1, tokens, image width), `appearance` (1, tokens, channels) for each
    transformer. Returns (1, channels, frames, height, width).
    """
    frames = latents.shape[2]
    prompt = torch.cat([torch.zeros_like(image_tokens), image_tokens])
    time = denoiser.time_embedding(timestep.expand(2))
    context = denoiser.clip_fc(prompt).repeat_interleave(frames, dim=0)
    tokens = dict(zip(denoiser.transformers(), appearance, strict=True))

    def run(layer: Layer, x: Tensor) -> Tensor:
        block, transformer, motion_module = layer
        x = resnet(block, x, time.repeat_interleave(frames, dim=0))
        if transformer is not None:
            x = x + spatial_transformer(transformer, x, context, tokens[transformer])
        if motion_module is not None:
            x = x + temporal_transformer(motion_module.temporal_transformer, x, frames)
        return x

    x = torch.cat([latents, latents]).transpose(1, 2).flatten(0, 1)  # b c f h w -> (b f) c h w
    x = convolve(denoiser.conv_in, x) + landmark_features.repeat(2, 1, 1, 1, 1).transpose(1, 2).flatten(0, 1)

    down, middle, up = denoiser.stages()
    skips = [x]
    for stage in down:
        for layer in stage.layers():
            x = run(layer, x)
            skips.append(x)
        for downsample in stage.downsamplers:
            x = convolve(downsample.conv, x)  # type: ignore[arg-type]
            skips.append(x)
    for layer in middle.layers():
        x = run(layer, x)
    for stage in up:
        for layer in stage.layers():
            x = run(layer, torch.cat([x, skips.pop()], dim=1))
        for upsample in stage.upsamplers:
            enlarged = F.interpolate(x, size=skips[-1].shape[2:], mode="nearest")
            x = convolve(upsample.conv, enlarged)  # type: ignore[arg-type]

    x = convolve(denoiser.conv_out, F.silu(denoiser.conv_norm_out(x)))
    unguided, guided = x.unflatten(0, (2, frames)).transpose(1, 2).chunk(2)
    return unguided + guidance_scale * (guided - unguided)


def convolve(layer: nn.Conv2d, x: Tensor) -> Tensor:
    return F.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding)


def resnet(block: ResnetBlock, x: Tensor, time: Tensor) -> Tensor:
    hidden = convolve(block.conv1, F.silu(block.norm1(x)))
    hidden = hidden + block.time_emb_proj(F.silu(time))[:, :, None, None]
    hidden = convolve(block.conv2, F.silu(block.norm2(hidden)))
    return (convolve(block.conv_shortcut, x) if isinstance(block.conv_shortcut, nn.Conv2d) else x) + hidden


def attend(
    attention: Attention, tokens: Tensor, read: Tensor, *, first_half_reads: int | None = None
) -> Tensor:
    """`tokens` (batch, n, channels) read `read` (batch, m, width), the first half of the batch only the first
    `first_half_reads` of them."""
    query, key, value = (
        projected.unflatten(-1, (attention.heads, -1)).transpose(1, 2)  # b n (h d) -> b h n d
        for projected in (attention.to_q(tokens), attention.to_k(read), attention.to_v(read))
    )
    if first_half_reads is None:
        attended = F.scaled_dot_product_attention(query, key, value)
    else:
        half, own = len(query) // 2, first_half_reads
        without = F.scaled_dot_product_attention(query[:half], key[:half, :, :own], value[:half, :, :own])
        attended = torch.cat(
            [without, F.scaled_dot_product_attention(query[half:], key[half:], value[half:])]
        )
    return attention.to_out[0](attended.transpose(1, 2).flatten(2))


def feed_forward(block: nn.Module, tokens: Tensor) -> Tensor:
    value, gate = block.net[0].proj(tokens).chunk(2, dim=-1)  # type: ignore[index, union-attr]
    return block.net[2](value * F.gelu(gate))  # type: ignore[index]


def spatial_transformer(module: SpatialTransformer, x: Tensor, context: Tensor, appearance: Tensor) -> Tensor:
    block: TransformerBlock = module.block
    tokens = convolve(module.proj_in, module.norm(x)).flatten(2).transpose(1, 2).contiguous()
    normed = block.norm1(tokens)
    joined = torch.cat([normed, appearance.expand(len(normed), -1, -1)], dim=1)
    tokens = tokens + attend(block.attn1, normed, joined, first_half_reads=normed.shape[1])
    tokens = tokens + attend(block.attn2, block.norm2(tokens), context)
    tokens = tokens + feed_forward(block.ff, block.norm3(tokens))
    return convolve(module.proj_out, tokens.transpose(1, 2).reshape(x.shape))


def temporal_attend(attention: TemporalAttention, tokens: Tensor, frames: int) -> Tensor:
    """`tokens` (batch * frames, pixels, channels)."""
    pixels = tokens.shape[1]
    placed = tokens.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)  # (b f) n c -> (b n) f c
    placed = attention.pos_encoder(placed)
    attended = attend(attention, placed, placed)
    return attended.unflatten(0, (-1, pixels)).transpose(1, 2).flatten(0, 1)


def temporal_transformer(module: TemporalTransformer, x: Tensor, frames: int) -> Tensor:
    tokens = module.proj_in(module.norm(x).flatten(2).transpose(1, 2))
    block = module.transformer_blocks[0]
    for norm, attention in zip(block.norms, block.attention_blocks, strict=True):  # type: ignore[arg-type]
        tokens = tokens + temporal_attend(attention, norm(tokens), frames)  # type: ignore[arg-type]
    tokens = tokens + feed_forward(block.ff, block.ff_norm(tokens))  # type: ignore[operator, arg-type]
    return module.proj_out(tokens).transpose(1, 2).reshape(x.shape)
