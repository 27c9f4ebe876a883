"""The frozen parts that pictures go through before the networks: the autoencoder, and CLIP's image encoder where the
image prompt is CLIP's."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from followyouremoji.checkpoints.config import STABLE_DIFFUSION_LATENT_CHANNELS
from followyouremoji.checkpoints.encoders import (
    ClipImageEncoder,
    StableDiffusionAutoencoder,
    load_clip_image_encoder,
    load_stable_diffusion_autoencoder,
)
from followyouremoji.checkpoints.folder import NETWORK_FILES, VAE_FOLDER, read_config
from followyouremoji.checkpoints.tensors import on_meta, read_network
from followyouremoji.errors import SettingsError
from followyouremoji.networks import AutoencoderConfig, SmallAutoencoder, latent_tokens
from followyouremoji.training.autoencoder import finished_autoencoder
from followyouremoji.training.batch import to_pixels
from followyouremoji.training.config import load_autoencoder_run
from followyouremoji.training.settings import DenoiserRun

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}  # of a run's `precision`
ENCODED_AT_ONCE = 8 * 512 * 512  # pixels


@dataclass(frozen=True)
class Encoders:
    """What reads pictures, on one device, without gradients."""

    autoencoder: SmallAutoencoder | StableDiffusionAutoencoder
    image_encoder: ClipImageEncoder | None

    def to(self, device: torch.device) -> Encoders:
        for part in (self.autoencoder, self.image_encoder):
            if part is not None:
                part.to(device)
        return self

    def with_decoder(self, decoder: nn.Module) -> Encoders:
        """The same, with another decoder of the small autoencoder, whose weights stay shared with its owner's."""
        own = self.autoencoder
        assert isinstance(own, SmallAutoencoder)
        config = own.config
        autoencoder = on_meta(lambda: SmallAutoencoder(config))
        assert isinstance(autoencoder, SmallAutoencoder)
        autoencoder.encoder, autoencoder.decoder = own.encoder, decoder  # type: ignore[assignment]
        return dataclasses.replace(self, autoencoder=autoencoder)

    @torch.no_grad()
    def latents(self, pictures: Tensor) -> Tensor:
        """Pictures uint8 (n, 3, H, W) to latents (n, c, H / 8, W / 8)."""
        at_once = max(1, ENCODED_AT_ONCE // (pictures.shape[-2] * pictures.shape[-1]))
        return torch.cat([self.autoencoder.encode(to_pixels(part)) for part in pictures.split(at_once)])

    def clip_latents(self, pictures: Tensor) -> Tensor:
        """Pictures uint8 (n, 3, f, H, W) to latents (n, c, f, h, w)."""
        latents = self.latents(pictures.transpose(1, 2).flatten(0, 1))
        return latents.unflatten(0, (len(pictures), -1)).transpose(1, 2)

    @torch.no_grad()
    def image_tokens(self, pictures: Tensor, latents: Tensor) -> Tensor:
        """The image prompt's tokens of portraits, uint8 (b, 3, H, W), whose latents are known: (b, tokens, image
        width)."""
        if self.image_encoder is None:
            return latent_tokens(latents)
        return self.image_encoder(to_pixels(pictures)).float()

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents (n, c, h, w) to pictures (n, 3, H, W) in [-1, 1]."""
        at_once = max(1, ENCODED_AT_ONCE // (64 * latents.shape[-2] * latents.shape[-1]))
        return torch.cat([self.autoencoder.decode(part) for part in latents.split(at_once)]).clamp(-1, 1)


def load_autoencoder(source: Path) -> SmallAutoencoder | StableDiffusionAutoencoder:
    """The autoencoder that a config names: the TOML file of a finished run, a diffusers folder, or a model's folder.

    Raises SettingsError or WeightsError where it is none of these.
    """
    if not source.is_dir():
        return finished_autoencoder(load_autoencoder_run(source))
    if not (source / NETWORK_FILES["denoiser"]).exists():
        return load_stable_diffusion_autoencoder(source, "cpu")
    config = read_config(source)[0].autoencoder
    if config is None:
        return load_stable_diffusion_autoencoder(source / VAE_FOLDER, "cpu")
    return small_autoencoder(source, config)


def small_autoencoder(folder: Path, config: AutoencoderConfig) -> SmallAutoencoder:
    network = read_network(
        on_meta(lambda: SmallAutoencoder(config)), folder / NETWORK_FILES["autoencoder"], "cpu", torch.float32
    )
    assert isinstance(network, SmallAutoencoder)
    return network


def load_encoders(run: DenoiserRun) -> Encoders:
    """The frozen parts of a run, on the CPU. Raises SettingsError where the autoencoder does not fit the networks or
    cannot be tuned."""
    autoencoder = load_autoencoder(run.autoencoder)
    if run.tune_decoder and not isinstance(autoencoder, SmallAutoencoder):
        raise SettingsError(
            f'`tune_decoder` needs a small autoencoder of your own (`kind = "autoencoder"`); {run.autoencoder} is Stable Diffusion\'s'
        )
    channels = (
        autoencoder.config.latent_channels
        if isinstance(autoencoder, SmallAutoencoder)
        else STABLE_DIFFUSION_LATENT_CHANNELS
    )
    if channels != run.network.latent_channels:
        raise SettingsError(
            f"the autoencoder {run.autoencoder} makes latents of {channels} channels, `latent_channels` of the network is "
            f"{run.network.latent_channels}"
        )
    autoencoder.requires_grad_(False).eval()
    image_encoder = None
    if run.network.image_source == "clip":
        assert run.image_encoder is not None
        dtype = DTYPES[run.optimisation.precision]
        image_encoder = load_clip_image_encoder(run.image_encoder, "cpu", dtype)
        width = image_encoder.clip.config.hidden_size  # type: ignore[union-attr]
        if width != run.network.image_width:
            raise SettingsError(
                f"the image encoder {run.image_encoder} makes tokens of width {width}, `image_width` of the network is "
                f"{run.network.image_width}"
            )
    return Encoders(autoencoder, image_encoder)
