"""Readers of models, LoRAs and decoders: `followyouremoji.checkpoints` and the folders of diffusers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save

from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.decoders import load_decoder, write_decoder
from followyouremoji.checkpoints.folder import CONFIG_FILE, read_config, write_config
from followyouremoji.checkpoints.lora import Lora, read_lora, write_lora
from followyouremoji.checkpoints.model import empty_networks
from followyouremoji.checkpoints.tensors import not_finite, on_meta, read_network, read_tensors
from followyouremoji.diffusers_pipeline.conversion import config_of, settings_of
from followyouremoji.diffusers_pipeline.parts import plain
from followyouremoji.errors import WeightsError
from followyouremoji.networks import AutoencoderConfig, NetworkConfig, QFormerConfig, SmallAutoencoder
from followyouremoji.networks.decoder import DecoderConfig, ShuffleConfig, build_decoder
from followyouremoji.reading import json_object

from .motion import written
from .reader import Reader, from_file

CONFIG = ModelConfig(
    name="small",
    network=NetworkConfig(
        layout="paper",
        block_channels=(8, 16),
        layers_per_block=1,
        heads=2,
        norm_groups=4,
        context_width=8,
        image_source="latents",
        image_width=6,
        landmark_channels=(4, 4, 4, 4),
        qformer=QFormerConfig(layers=1, queries=2, width=8, heads=2),
    ),
    autoencoder=AutoencoderConfig(latent_channels=4, channels=(4, 4), blocks=1),
    picture_size=64,
    window=4,
)
CHANNELS = 4  # of latents
CPU = torch.device("cpu")
QUERY = "denoiser.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


def write_checkpoint(path: Path) -> None:
    """The config of a model, with a file that it remembers."""
    (path.parent / "denoiser.safetensors").write_bytes(b"weights")
    write_config(CONFIG, path.parent)


def use_config(path: Path) -> None:
    """Read a model's config and build its networks, without weights."""
    empty_networks(read_config(path.parent)[0])


def index() -> Iterable[bytes]:
    """What a pipeline of diffusers says of a model and its networks."""
    said = {"model": settings_of(CONFIG), "network": plain(CONFIG.network), "vae": plain(CONFIG.autoencoder)}
    yield json.dumps(said).encode()


def use_index(content: bytes) -> None:
    try:
        said = json_object(content)
    except ValueError as error:
        raise WeightsError(str(error)) from error
    config_of(said.get("model"), said.get("network"), said.get("vae"), "model_index.json")


def autoencoder() -> SmallAutoencoder:
    assert CONFIG.autoencoder is not None
    return SmallAutoencoder(CONFIG.autoencoder)


def use_network(path: Path) -> None:
    """Read a network's weights and look for values that are not finite."""
    read_network(on_meta(autoencoder), path)
    not_finite(path)


def loras() -> Iterable[bytes]:
    """A LoRA of a linear layer and one of a convolution."""
    for sides in ((), (3, 3)):
        tensors = {
            f"{QUERY}.lora_A.weight": torch.zeros(2, 8, *sides),
            f"{QUERY}.lora_B.weight": torch.zeros(8, 2, *(1 for _ in sides)),
        }
        lora = Lora(tensors, 2, 4.0, CONFIG.name, "a test's")
        yield written(partial(write_lora, lora, overwrite=True), "lora.safetensors")


def use_lora(path: Path) -> None:
    """Read a LoRA and make its changes, where they are as small as a file of this size should hold."""
    lora = read_lora(path)
    for target in lora.targets:
        if torch.Size(lora.shape(target)).numel() < 1 << 20:
            lora.change(target)


def decoders() -> Iterable[bytes]:
    config = DecoderConfig(latent_channels=CHANNELS, shuffle=ShuffleConfig(channels=(4, 4), blocks=1))
    yield written(lambda path: write_decoder(build_decoder(config), config, path), "decoder.safetensors")


def published() -> Iterable[bytes]:
    """Files of tensors as torch has written them, old and new."""
    tensors = {"conv.weight": torch.zeros(3, 2), "conv.bias": torch.zeros(2, dtype=torch.float16)}
    for zipped in (True, False):
        yield written(
            lambda path, zipped=zipped: torch.save(tensors, path, _use_new_zipfile_serialization=zipped),  # type: ignore[misc]
            "unet.pth",
        )


READERS = (
    Reader(
        "models/config", lambda: [written(write_checkpoint, CONFIG_FILE)], from_file(use_config, CONFIG_FILE)
    ),
    Reader("models/diffusers", index, use_index),
    Reader(
        "models/weights",
        lambda: [save(autoencoder().state_dict())],
        from_file(use_network, "autoencoder.safetensors"),
    ),
    Reader("models/lora", loras, from_file(use_lora, "lora.safetensors")),
    Reader(
        "models/decoder",
        decoders,
        from_file(lambda path: load_decoder(path, CHANNELS, CPU), "decoder.safetensors"),
    ),
    Reader("models/pth", published, from_file(read_tensors, "unet.pth")),
)
