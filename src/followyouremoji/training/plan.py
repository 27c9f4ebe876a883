"""What a run takes, counted before it is started: what a GPU holds of its networks, and the operations of a step.

The run's own networks, and the teacher of a distillation, go through a step on the meta device, where tensors have
shapes and no values. Activations are not counted, and no time is guessed: the first minutes of a run show both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from followyouremoji.checkpoints.config import STABLE_DIFFUSION_LATENT_CHANNELS
from followyouremoji.checkpoints.encoders import StableDiffusionAutoencoder
from followyouremoji.checkpoints.folder import CONFIG_FILE, NETWORK_FILES, read_config
from followyouremoji.checkpoints.tensors import on_meta
from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.networks import Autoencoder, AutoencoderConfig, FollowYourEmoji, SmallAutoencoder
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.training.codec import find_autoencoder
from followyouremoji.training.config import load_autoencoder_run
from followyouremoji.training.distillation import Teacher
from followyouremoji.training.example import Example
from followyouremoji.training.networks import Networks, recompute_activations
from followyouremoji.training.settings import DenoiserRun
from followyouremoji.training.trainer import choose_trained

FULL, HALF = 4, 2  # bytes of a number
MOMENTS = {"adamw": 2 * FULL, "adamw8bit": 2}  # bytes of AdamW's two, a trained number
CLIP_TOKENS = 257  # ViT-L/14's, Radford et al. 2021, Table 20


@dataclass(frozen=True)
class Plan:
    """What is counted of a run.

    Attributes
    ----------
    parameters : numbers of each network, and how many of them are trained.
    held : bytes on one GPU of weights, gradients, moments and average; with FSDP over N GPUs each holds an Nth.
    teacher : bytes of the teacher's weights, whole on each GPU; 0 without.
    flops : operations of a step of the joined batch, encoding of the pictures and the decoded ones of `picture_loss`
        not included.
    targets : how many of them find what a distillation learns.
    encoding : operations that encode the pictures of a step.
    """

    parameters: Mapping[str, tuple[int, int]]
    held: int
    teacher: int
    flops: int
    targets: int
    encoding: int


def plan_run(run: DenoiserRun, size: int, autoencoder: AutoencoderConfig | None) -> Plan:
    """Count a run on pictures of `size` pixels a side, a multiple of `picture_multiple`; `autoencoder` None stands for
    Stable Diffusion's."""
    networks = on_meta(lambda: Networks(run.networks, autoencoder if run.tune_decoder else None))
    choose_trained(networks, run)
    if run.optimisation.checkpointing:
        recompute_activations(networks)
    parameters = {
        name: (numbers(part.parameters()), numbers(p for p in part.parameters() if p.requires_grad))
        for name, part in networks.named_children()
    }
    trained = sum(part[1] for part in parameters.values())
    each = FULL + MOMENTS[run.optimisation.optimiser] + (FULL if run.optimisation.ema else 0)
    half = HALF if run.optimisation.precision != "fp32" else FULL
    teacher = None
    if run.distillation is not None:
        teacher = Teacher(on_meta(lambda: FollowYourEmoji(run.networks)), run.distillation)
    step, targets = step_flops(networks, teacher, example_of(run, size))
    return Plan(
        parameters=parameters,
        held=FULL * numbers(networks.parameters()) + each * trained,
        teacher=0 if teacher is None else half * numbers(teacher.networks.parameters()),
        flops=run.references * step,
        targets=run.references * targets,
        encoding=run.references * encoding_flops(run, size, autoencoder),
    )


def numbers(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def example_of(run: DenoiserRun, size: int) -> Example:
    """A portrait with its targets, on the meta device."""
    config, frames = run.networks, run.targets if run.stage == 2 else 1
    clips, side, channels = run.targets // frames, size // LATENT_STRIDE, config.latent_channels
    tokens = CLIP_TOKENS if config.image_source == "clip" else side * side

    def empty(*shape: int) -> Tensor:
        return torch.empty(shape, device="meta")

    latents = empty(clips, channels, frames, side, side)
    return Example(
        config=config,
        portrait=empty(1, channels, side, side),
        image_tokens=empty(1, tokens, config.image_width),
        portrait_landmarks=empty(1, 3, size, size),
        landmarks=empty(clips, 3, frames, size, size),
        warped=latents if config.warped_reference else None,
        latents=latents,
        noise=latents,
        known=empty(clips, 1, frames, 1, 1),
    )


def step_flops(networks: Networks, teacher: Teacher | None, example: Example) -> tuple[int, int]:
    """Operations of one portrait's forward and backward pass, in all, and those that find a distillation's target."""
    timesteps = torch.zeros(len(example.latents), dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter:
        if teacher is not None:
            teacher.velocity(networks, example, example.latents, timesteps)
        targets = counter.get_total_flops()
        networks(*example.inputs(example.latents, timesteps)).square().mean().backward()
        return counter.get_total_flops(), targets


def encoding_flops(run: DenoiserRun, size: int, autoencoder: AutoencoderConfig | None) -> int:
    """Operations that make latents of one portrait, its targets and, where the networks read them, warped portraits."""
    pictures = 1 + run.targets * (2 if run.network.warped_reference else 1)
    encoder = empty_autoencoder(autoencoder)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder.encode(torch.empty(1, 3, size, size, device="meta"))
        return pictures * counter.get_total_flops()


def autoencoder_of(run: DenoiserRun) -> AutoencoderConfig | None:
    """Sizes of a run's autoencoder; None: Stable Diffusion's, which need not be there yet.

    Raises SettingsError or WeightsError where another one is not there, or what describes it is damaged.
    """
    if run.autoencoder.suffix == ".toml":
        return load_autoencoder_run(run.autoencoder).autoencoder
    stable_diffusion = run.network.latent_channels == STABLE_DIFFUSION_LATENT_CHANNELS
    try:
        folder = find_autoencoder(run.autoencoder)
    except WeightsError:
        if stable_diffusion:
            return None
        raise
    if (folder / CONFIG_FILE).is_file() and (folder / NETWORK_FILES["denoiser"]).is_file():
        return read_config(folder)[0].autoencoder
    if not stable_diffusion:
        raise SettingsError(
            f"the autoencoder {run.autoencoder}, whose sizes are counted too, is no model's folder; name one that is there, "
            "or the TOML file of its run, as `autoencoder`"
        )
    return None


def empty_autoencoder(config: AutoencoderConfig | None) -> Autoencoder:
    """An autoencoder without values; None: Stable Diffusion's."""
    if config is not None:
        return on_meta(lambda: SmallAutoencoder(config))
    from diffusers import AutoencoderKL

    levels = 4
    with torch.device("meta"):
        vae: Any = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            layers_per_block=2,
            latent_channels=4,
        )
    return StableDiffusionAutoencoder(vae)
