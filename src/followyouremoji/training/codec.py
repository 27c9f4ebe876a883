"""The frozen networks that a run's config names: its autoencoder, and CLIP's image encoder where the image prompt is
CLIP's."""

from __future__ import annotations

from pathlib import Path

import torch

from followyouremoji.checkpoints.codec import Codec
from followyouremoji.checkpoints.encoders import load_clip_image_encoder, load_stable_diffusion_autoencoder
from followyouremoji.checkpoints.folder import NETWORK_FILES, VAE_FOLDER, read_config
from followyouremoji.checkpoints.sources import find_checkpoint
from followyouremoji.checkpoints.tensors import on_meta, read_network
from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.networks import Autoencoder, SmallAutoencoder
from followyouremoji.training.autoencoder import finished_autoencoder
from followyouremoji.training.config import load_autoencoder_run
from followyouremoji.training.run import HALF
from followyouremoji.training.settings import DenoiserRun


def find_autoencoder(source: Path) -> Path:
    """Where the autoencoder of a config's entry lies: the TOML file of a finished run, a diffusers folder, or a model's
    folder, which "bundled" and "released" stand for too.

    Raises WeightsError naming the entry where there is none.
    """
    if source.is_file():
        return source
    try:
        return find_checkpoint(str(source))
    except WeightsError as error:
        raise WeightsError(
            f"`autoencoder`: {error}; it may also be Stable Diffusion's diffusers folder, or the TOML file of a finished autoencoder's run"
        ) from None


def load_autoencoder(source: Path) -> Autoencoder:
    """The autoencoder that a config names, see `find_autoencoder`.

    Raises SettingsError or WeightsError where there is none.
    """
    source = find_autoencoder(source)
    if source.is_file():
        return finished_autoencoder(load_autoencoder_run(source))
    if not (source / NETWORK_FILES["denoiser"]).exists():
        return load_stable_diffusion_autoencoder(source, "cpu")
    config = read_config(source)[0].autoencoder
    if config is None:
        return load_stable_diffusion_autoencoder(source / VAE_FOLDER, "cpu")
    file = source / NETWORK_FILES["autoencoder"]
    return read_network(on_meta(lambda: SmallAutoencoder(config)), file, "cpu", torch.float32)


def load_codec(run: DenoiserRun) -> Codec:
    """The frozen networks of a run, on the CPU. Raises SettingsError where the autoencoder does not fit the networks or
    cannot be tuned."""
    autoencoder = load_autoencoder(run.autoencoder)
    if run.tune_decoder and autoencoder.config is None:
        raise SettingsError(
            f'`tune_decoder` needs a small autoencoder of your own (`kind = "autoencoder"`); {run.autoencoder} is Stable Diffusion\'s'
        )
    channels = autoencoder.latent_channels
    if channels != run.network.latent_channels:
        raise SettingsError(
            f"the autoencoder {run.autoencoder} makes latents of {channels} channels, `latent_channels` of the network is "
            f"{run.network.latent_channels}"
        )
    image_encoder = None
    if run.network.image_source == "clip":
        assert run.image_encoder is not None
        dtype = HALF.get(run.optimisation.precision, torch.float32)
        image_encoder = load_clip_image_encoder(run.image_encoder, "cpu", dtype)
        width = image_encoder.clip.config.hidden_size  # type: ignore[union-attr]
        if width != run.network.image_width:
            raise SettingsError(
                f"the image encoder {run.image_encoder} makes tokens of width {width}, `image_width` of the network is "
                f"{run.network.image_width}"
            )
    return Codec(autoencoder, image_encoder).requires_grad_(False).eval()
