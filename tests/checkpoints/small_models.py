"""Small random models and small files of the published forms, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from followyouremoji.checkpoints import Model, ModelConfig
from followyouremoji.checkpoints.codec import Codec
from followyouremoji.networks import (
    AppearanceNet,
    AutoencoderConfig,
    Denoiser,
    FollowYourEmoji,
    LandmarkEncoder,
    NetworkConfig,
    QFormerConfig,
    SmallAutoencoder,
)
from followyouremoji.networks.motion_module import PositionTable

SHARED = Path(__file__).parents[2].parent / "shared"
SMALL = {"block_channels": (16, 32), "norm_groups": 8, "context_width": 16, "landmark_channels": (4, 4, 4, 4)}
PAPER = ModelConfig(
    name="small paper model",
    network=NetworkConfig(
        layout="paper",
        latent_channels=8,
        image_source="latents",
        image_width=10,
        qformer=QFormerConfig(layers=1, queries=4, width=16, heads=2),
        **SMALL,
    ),
    autoencoder=AutoencoderConfig(latent_channels=8, channels=(8, 16), blocks=1, shift=0.25, scale=2.0),
    picture_size=64,
    antialiased_landmarks=True,
    steps=8,
    guidance_scale=2.5,
    shared_noise=0.5,
    window=8,
    provenance="Random numbers, by the tests.",
)
RELEASED_NETWORK = NetworkConfig(image_width=32, **SMALL)


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Random values everywhere, also where a new network has zeros, small enough for a forward pass in half
    precision."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return network


def small_paper_model() -> Model:
    assert PAPER.autoencoder is not None
    autoencoder = randomised(SmallAutoencoder(PAPER.autoencoder), 1)
    return Model(PAPER, randomised(FollowYourEmoji(PAPER.network)), Codec(autoencoder))


def published_networks() -> dict[str, dict[str, torch.Tensor]]:
    """Small random networks under the names of the authors' files, with the position tables that those hold."""
    networks = {
        "unet": randomised(Denoiser(RELEASED_NETWORK)),
        "referencenet": randomised(AppearanceNet(RELEASED_NETWORK), 1),
        "lmk_guider": randomised(LandmarkEncoder(RELEASED_NETWORK), 2),
    }
    tensors = {name: dict(network.state_dict()) for name, network in networks.items()}
    for name, module in networks["unet"].named_modules():
        if isinstance(module, PositionTable):
            tensors["unet"][f"{name}.pe"] = torch.zeros(1, module.rows, module.channels)
    return tensors


def write_vae(folder: Path) -> None:
    """Stable Diffusion's autoencoder in small, under the older names that the published file has."""
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    blocks = 4  # an eighth of the size, as the real one
    vae = AutoencoderKL(
        block_out_channels=(8,) * blocks,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        latent_channels=4,
        norm_num_groups=4,
    )
    vae.save_pretrained(folder)
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = {}
    for name, value in vae.state_dict().items():
        for new, old in older.items():
            name = name.replace(new, old)
        tensors[name] = value
    save_file(tensors, folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})


def write_image_encoder(folder: Path) -> None:
    """CLIP's image encoder in small, as the published `pytorch_model.bin` with the projection and the position indices
    it has."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        projection_dim=16,
        image_size=224,
        patch_size=56,
    )
    clip = CLIPVisionModelWithProjection(config)
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    tensors = {**clip.state_dict(), "vision_model.embeddings.position_ids": torch.arange(17)[None]}
    torch.save(tensors, folder / "pytorch_model.bin")


def write_published(folder: Path, form: str = "original") -> Path:
    """A folder of the published files in small, in the authors' form or with the networks of the safetensors
    conversion."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, tensors in published_networks().items():
        if form == "original":
            torch.save(tensors, folder / f"{name}.pth")
        else:
            file = "FYE_lmk_guider" if name == "lmk_guider" else f"FYE_{name}-fp16"
            save_file({key: value.half() for key, value in tensors.items()}, folder / f"{file}.safetensors")
    write_vae(folder / "vae")
    write_image_encoder(folder / "image_encoder")
    return folder
