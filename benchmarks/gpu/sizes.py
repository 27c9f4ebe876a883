"""The two sizes that questions are asked at: the paper's own, and one that a CPU rehearses in seconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from followyouremoji.checkpoints.released import CLIP_VIT_L14
from followyouremoji.networks import NetworkConfig, QFormerConfig
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.training.config import load_denoiser_run
from followyouremoji.training.settings import DenoiserRun

CONFIGS = Path(__file__).parents[2] / "configs" / "paper"


@dataclass(frozen=True)
class Sizes:
    """What is measured.

    Attributes
    ----------
    network : the paper's layout.
    autoencoder, image_encoder : of Stable Diffusion's autoencoder, as diffusers' AutoencoderKL takes them, and of
        CLIP's image encoder, as transformers' CLIPVisionConfig does.
    stages : the two stages of its training.
    picture : pixels a side.
    frames, steps, guidance : of a clip, by exact DDIM.
    few_steps : where the number of steps makes no difference to what is asked.
    batches : segments that are denoised at once.
    live_steps : of a live animation at full size.
    live_rates, live_seconds : pictures a second that a camera takes, and for how long.
    bundled_frames, bundled_pictures : of a clip by the bundled model, and the portrait's pixels a side.
    product : rows and columns of the matrices whose product tells what the device can do.
    repeats : of which the median counts.
    compiler : torch's name of it.
    """

    network: NetworkConfig
    autoencoder: Mapping[str, Any]
    image_encoder: Mapping[str, Any]
    stages: tuple[DenoiserRun, DenoiserRun]
    picture: int = 512
    frames: int = 16
    steps: int = 30
    few_steps: int = 2
    guidance: float = 3.5
    batches: tuple[int, ...] = (1, 2, 4, 8)
    live_steps: tuple[int, ...] = (1, 2, 4)
    live_rates: tuple[float, ...] = (25.0, 60.0)
    live_seconds: float = 10.0
    bundled_frames: int = 100
    bundled_pictures: tuple[int, ...] = (512, 1024)
    product: int = 8192
    repeats: int = 5
    compiler: str = "inductor"
    dtype: torch.dtype = torch.bfloat16

    @property
    def latents(self) -> int:
        """Latent pixels a side."""
        return self.picture // LATENT_STRIDE


def full() -> Sizes:
    """The networks and runs of `configs/paper`, pictures of 512x512."""
    widths = (128, 256, 512, 512)
    first, second = (load_denoiser_run(CONFIGS / f"stage{stage}.toml") for stage in (1, 2))
    return Sizes(second.network, _autoencoder(widths, layers_per_block=2), CLIP_VIT_L14, (first, second))


def tiny() -> Sizes:
    """The same, everything small."""
    sizes = full()
    network = dataclasses.replace(
        sizes.network,
        block_channels=(16, 32),
        layers_per_block=1,
        heads=2,
        norm_groups=8,
        context_width=16,
        image_width=32,
        qformer=QFormerConfig(layers=1, queries=4, width=16, heads=2),
        landmark_channels=(4, 4, 4, 4),
    )
    first, second = (
        dataclasses.replace(
            run,
            network=network,
            references=2,
            targets=min(run.targets, 2),
            optimisation=dataclasses.replace(
                run.optimisation, accumulation=min(run.optimisation.accumulation, 2)
            ),
        )
        for run in sizes.stages
    )
    encoder = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    return dataclasses.replace(
        sizes,
        network=network,
        autoencoder=_autoencoder((8,) * 4, layers_per_block=1, norm_num_groups=4),
        image_encoder={**CLIP_VIT_L14, **encoder, "patch_size": 56},
        stages=(first, second),
        picture=32,
        frames=3,
        steps=5,
        batches=(1, 2),
        live_steps=(1, 2),
        live_rates=(25.0,),
        live_seconds=1.5,
        bundled_frames=2,
        bundled_pictures=(256,),
        product=256,
        repeats=1,
        compiler="eager",
    )


SIZES: dict[str, Callable[[], Sizes]] = {"full": full, "tiny": tiny}


def _autoencoder(widths: tuple[int, ...], **sizes: int) -> dict[str, Any]:
    """Of Stable Diffusion's structure, in some widths."""
    return {
        "block_out_channels": widths,
        "down_block_types": ("DownEncoderBlock2D",) * len(widths),
        "up_block_types": ("UpDecoderBlock2D",) * len(widths),
        "latent_channels": 4,
        **sizes,
    }
