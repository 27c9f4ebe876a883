"""The image prompt: tokens of an image encoder, through a Q-Former in the paper layout, for the cross-attentions (Sec.
3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from followyouremoji.networks.config import NetworkConfig
from followyouremoji.networks.layers import Attention, FeedForward


class QFormerLayer(nn.Module):
    """Self-attention of the queries, cross-attention to the image tokens, feed-forward."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_self = nn.LayerNorm(width)
        self.attend_self = Attention(width, heads)
        self.norm_image = nn.LayerNorm(width)
        self.attend_image = Attention(width, heads)
        self.norm_ff = nn.LayerNorm(width)
        self.ff = FeedForward(width)

    def forward(self, queries: Tensor, image: Tensor) -> Tensor:
        normed = self.norm_self(queries)
        queries = queries + self.attend_self(normed, self.attend_self.keys_values(normed))
        queries = queries + self.attend_image(self.norm_image(queries), self.attend_image.keys_values(image))
        return queries + self.ff(self.norm_ff(queries))


class QFormer(nn.Module):
    """A few learnt queries read all tokens of the image encoder."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        assert config.qformer is not None
        sizes = config.qformer
        # of a standard deviation of 0.02; normal numbers would load torch's compiler when they are built on "meta"
        self.queries = nn.Parameter(torch.empty(1, sizes.queries, sizes.width).uniform_(-0.035, 0.035))
        self.proj_in = nn.Linear(config.image_width, sizes.width)
        self.norm_in = nn.LayerNorm(sizes.width)
        self.layers = nn.ModuleList([QFormerLayer(sizes.width, sizes.heads) for _ in range(sizes.layers)])
        self.proj_out = nn.Linear(sizes.width, config.image_width)
        self.norm_out = nn.LayerNorm(config.image_width)

    def forward(self, image_tokens: Tensor) -> Tensor:
        """(batch, tokens, image width) to (batch, queries, image width)."""
        image = self.norm_in(self.proj_in(image_tokens))
        queries = self.queries.expand(image.shape[0], -1, -1)
        for layer in self.layers:
            queries = layer(queries, image)
        return self.norm_out(self.proj_out(queries))


def latent_tokens(latents: Tensor) -> Tensor:
    """Image tokens for a model without CLIP: each latent pixel of the portrait with its position, `(batch,
    height * width, channels + 2)`.

    `latents` (batch, channels, height, width). The position is (x, y) in [-1, 1], so that the tokens need no position
    table.
    """
    height, width = latents.shape[2:]
    y = torch.linspace(-1, 1, height, device=latents.device, dtype=latents.dtype)
    x = torch.linspace(-1, 1, width, device=latents.device, dtype=latents.dtype)
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"))[None].expand(latents.shape[0], -1, -1, -1)
    return torch.cat([latents, places], dim=1).flatten(2).transpose(1, 2)
