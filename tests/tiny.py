"""The smallest networks that have all parts of the paper's layout, for tests."""

from __future__ import annotations

from typing import Any

from followyouremoji.networks import NetworkConfig, QFormerConfig


def tiny_network(**changes: Any) -> NetworkConfig:
    """The paper's layout on two levels, latents of 4 channels, the image prompt made of latents; `changes` by the names
    of NetworkConfig."""
    return NetworkConfig(
        **{
            "layout": "paper",
            "latent_channels": 4,
            "block_channels": (16, 32),
            "layers_per_block": 1,
            "heads": 2,
            "norm_groups": 8,
            "context_width": 8,
            "image_source": "latents",
            "image_width": 6,
            "qformer": QFormerConfig(layers=1, queries=2, width=8, heads=2),
            "landmark_channels": (4, 4, 4, 4),
            **changes,
        }
    )
