"""The networks of Follow-Your-Emoji: torch modules and their configs, nothing else."""

from followyouremoji.networks.autoencoder import Autoencoder, AutoencoderConfig, SmallAutoencoder
from followyouremoji.networks.config import NetworkConfig, QFormerConfig
from followyouremoji.networks.decoder import DecoderConfig, build_decoder
from followyouremoji.networks.image_prompt import QFormer, latent_tokens
from followyouremoji.networks.landmark_encoder import LandmarkEncoder
from followyouremoji.networks.model import FollowYourEmoji
from followyouremoji.networks.motion_module import MotionModule
from followyouremoji.networks.unet import AppearanceNet, Conditioning, Denoiser

__all__ = [
    "AppearanceNet",
    "Autoencoder",
    "AutoencoderConfig",
    "Conditioning",
    "DecoderConfig",
    "Denoiser",
    "FollowYourEmoji",
    "LandmarkEncoder",
    "MotionModule",
    "NetworkConfig",
    "QFormer",
    "QFormerConfig",
    "SmallAutoencoder",
    "build_decoder",
    "latent_tokens",
]
