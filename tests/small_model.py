"""A small model of random weights that animates in moments."""

import numpy as np
import torch

from followyouremoji.animator import AnimationSettings, PortraitAnimator
from followyouremoji.checkpoints.codec import Codec
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.model import Model
from followyouremoji.networks import (
    AutoencoderConfig,
    FollowYourEmoji,
    NetworkConfig,
    QFormerConfig,
    SmallAutoencoder,
)
from followyouremoji.prepared import Prepared


def small_model(layout: str = "paper", **sizes: object) -> Model:
    torch.manual_seed(0)
    autoencoder = AutoencoderConfig(latent_channels=4, channels=(8, 8), blocks=1)
    network = NetworkConfig(
        **{
            "layout": layout,
            "qformer": QFormerConfig(layers=1, queries=4, width=16, heads=2) if layout == "paper" else None,
            "latent_channels": 4,
            "block_channels": (32, 64),
            "norm_groups": 8,
            "heads": 2,
            "layers_per_block": 1,
            "context_width": 16,
            "image_source": "latents",
            "image_width": 6,
            "landmark_channels": (8, 8, 8, 8),
            "reference_landmarks": layout == "paper",
            **sizes,
        }
    )
    model = Model(
        config=ModelConfig(
            name="small",
            network=network,
            autoencoder=autoencoder,
            picture_size=64,
            antialiased_landmarks=True,
            steps=2,
            guidance_scale=1.0,
            window=4,
        ),
        networks=FollowYourEmoji(network),
        codec=Codec(SmallAutoencoder(autoencoder)),
    )
    # Layers that start at zero or nearly so would hide the landmarks and the other frames.
    model.networks.landmark_encoder.conv_out.reset_parameters()
    for parameter in model.networks.landmark_encoder.parameters():
        parameter.data *= 4
    for name, parameter in model.networks.denoiser.named_parameters():
        if "temporal_transformer.proj_out.weight" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def frames(animator: PortraitAnimator, prepared: Prepared, loras=(), **settings) -> np.ndarray:
    return np.stack(list(animator.frames(prepared, AnimationSettings(**settings), loras=loras)))
