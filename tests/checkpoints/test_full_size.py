"""The released model at full size, with random weights: minutes, 6 GB of disk."""

import json
import resource
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from followyouremoji.checkpoints.folder import IMAGE_ENCODER_FOLDER, NETWORK_FILES, VAE_FOLDER, write_config
from followyouremoji.checkpoints.model import empty_networks
from followyouremoji.checkpoints.released import CLIP_VIT_L14, released_config
from followyouremoji.checkpoints.tensors import expected_shapes, on_meta

STABLE_DIFFUSION_VAE = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}
ONE_STEP = """
import sys, torch
from followyouremoji.checkpoints import load_model
with torch.inference_mode():
    model = load_model(sys.argv[1], "cpu")
    picture = torch.randint(0, 256, (1, 3, 256, 256), dtype=torch.uint8)
    latents = model.codec.encode(picture)
    tokens = model.codec.image_tokens(picture, latents)
    noisy, timestep = torch.randn(1, 4, 1, 32, 32), torch.tensor([999])
    velocity = model.networks(latents, tokens, picture, picture[:, :, None], None, noisy, timestep)
    print(tuple(tokens.shape), tuple(velocity.shape), tuple(model.codec.decode(velocity[:, :, 0]).shape))
"""


@pytest.fixture
def checkpoint(tmp_path):
    from diffusers import AutoencoderKL
    from transformers import CLIPVisionConfig, CLIPVisionModel

    generator = torch.Generator().manual_seed(0)

    def write_random(network: torch.nn.Module, file) -> None:
        shapes = expected_shapes(network).items()
        tensors = {
            name: (torch.randn(shape, generator=generator) * 0.01).half()
            for name, shape in shapes
            if "position_ids" not in name
        }
        save_file(tensors, file, metadata={"format": "pt"})

    config = released_config()
    for name, network in empty_networks(config).items():
        write_random(network, tmp_path / NETWORK_FILES[name])
    for folder, values in ((VAE_FOLDER, STABLE_DIFFUSION_VAE), (IMAGE_ENCODER_FOLDER, CLIP_VIT_L14)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "config.json").write_text(json.dumps(values))
    write_random(
        on_meta(lambda: AutoencoderKL(**STABLE_DIFFUSION_VAE)),
        tmp_path / VAE_FOLDER / "diffusion_pytorch_model.safetensors",
    )
    write_random(
        on_meta(lambda: CLIPVisionModel(CLIPVisionConfig(**CLIP_VIT_L14))),
        tmp_path / IMAGE_ENCODER_FOLDER / "model.safetensors",
    )
    write_config(config, tmp_path)
    return tmp_path


@pytest.mark.slow
def test_one_step_in_float32_takes_less_than_12_gb(checkpoint) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONE_STEP, str(checkpoint)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(1, 257, 1024) (1, 4, 1, 32, 32) (1, 3, 256, 256)"
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6  # kilobytes to gigabytes
    print(f"peak memory {peak:.1f} GB")
    assert peak < 12
