"""What a training pass needs, counted on the run's own networks: parameters, floating-point operations, and bytes that
are alive at once.

The networks go forward and backward once on tensors without memory, with a tally of operations and of what anything
holds.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from followyouremoji.checkpoints.encoders import StableDiffusionAutoencoder
from followyouremoji.checkpoints.tensors import on_meta
from followyouremoji.networks import AutoencoderConfig, SmallAutoencoder
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.networks.motion_module import sinusoidal_table
from followyouremoji.training.losses import reconstruction_loss
from followyouremoji.training.networks import Networks
from followyouremoji.training.settings import DenoiserRun

CLIP_LAYERS, CLIP_WIDTH, CLIP_TOKENS = 24, 1024, 257  # ViT-L/14, Radford et al. 2021, Table 20


@dataclass(frozen=True)
class Parameters:
    """How many numbers a network has, and how many of them the stage trains."""

    all: int
    trained: int


@dataclass(frozen=True)
class Count:
    """One forward and backward pass: operations, and bytes alive beyond the weights.

    `kept` lives between the passes: activations and half-precision copies of weights. `peak` is the most at any moment
    less the gradients.
    """

    forward: int
    total: int
    kept: int
    peak: int


def networks_to_count(run: DenoiserRun, autoencoder: AutoencoderConfig | None = None) -> Networks:
    """The run's networks without memory, with what the stage trains; and the decoder of a small `autoencoder` where the
    run tunes it."""
    config = dataclasses.replace(run.network, motion_modules=run.stage == 2)
    networks = on_meta(lambda: Networks(config, autoencoder if run.tune_decoder else None))
    assert isinstance(networks, Networks)
    if run.stage == 2:
        networks.learn_time_alone()
    if networks.decoder is not None:
        networks.decoder.requires_grad_(True)
    return networks


def parameters(networks: nn.Module) -> dict[str, Parameters]:
    """By network."""
    return {
        name: Parameters(
            sum(p.numel() for p in module.parameters()),
            sum(p.numel() for p in module.parameters() if p.requires_grad),
        )
        for name, module in networks.named_children()
    }


class Alive(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make, as long as anything holds them; `given` tensors and views
    of them count nothing."""

    def __init__(self, given: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.bytes, self.most = 0, 0
        self.known = {tensor.untyped_storage()._cdata for tensor in given}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self.add(tensor.untyped_storage())
        return made

    def add(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return
        self.known.add(key)
        self.bytes += size
        self.most = max(self.most, self.bytes)
        weakref.finalize(storage, self.drop, key, size)

    def drop(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.bytes -= size


def attention_flops(
    query: Sequence[int], key: Sequence[int], value: Sequence[int], *rest: Any, **more: Any
) -> int:
    """Both matrix products of an attention: queries (b, h, n, d), keys and values (b, h, m, d)."""
    batch, heads, queries, width = query
    return 2 * batch * heads * queries * key[2] * (width + value[3])


def attention_backward_flops(gradient: Sequence[int], *shapes: Any, **more: Any) -> int:
    """Five products of the same size: the weights anew, and the gradients of weights, values, queries and keys."""
    return 5 * attention_flops(*shapes[:3]) // 2


# torch's counter knows the fused attentions of GPUs; without memory the CPU's is run.
ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention_flops,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: attention_backward_flops,
}


@contextmanager
def without_memory(*networks: nn.Module) -> Iterator[None]:
    """Tensors that have a shape and a type and no values; those of `networks`, built on the meta device, become such
    too."""
    sinusoidal_table.cache_clear()  # tables with values and tables without do not mix
    try:
        with FakeTensorMode():
            for network in networks:
                _empty(network)
            yield
    finally:
        sinusoidal_table.cache_clear()


def _empty(network: nn.Module) -> None:
    for module in network.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                empty = torch.empty(parameter.shape)
                module._parameters[name] = nn.Parameter(empty, parameter.requires_grad)


def count_pass(
    run: DenoiserRun,
    size: int,
    portraits: int,
    checkpointing: bool,
    autoencoder: AutoencoderConfig | None = None,
) -> Count:
    """Count a training pass over `portraits` with their targets at `size` pixels, in the run's precision.

    `autoencoder` None is Stable Diffusion's; it matters for a run with `picture_loss`, whose predictions are decoded
    with gradients, as many as `picture_frames` allows.
    """
    networks = networks_to_count(run, autoencoder)
    if checkpointing:
        networks.save_activation_memory()
    config = networks.config
    frames = run.targets if run.stage == 2 else 1
    clips = portraits * (run.targets // frames)
    latent, channels = size // LATENT_STRIDE, config.latent_channels
    tokens = CLIP_TOKENS if config.image_source == "clip" else latent * latent
    flops = FlopCounterMode(display=False, custom_mapping=ATTENTION)
    half = torch.float16 if run.optimisation.precision == "fp16" else torch.bfloat16
    decoder = built_autoencoder(autoencoder) if run.picture_loss > 0 else None
    if isinstance(decoder, SmallAutoencoder) and networks.decoder is not None:
        decoder.decoder = networks.decoder  # type: ignore[assignment]
    frozen = [] if decoder is None else [decoder]
    with without_memory(networks, *frozen):
        portrait = torch.empty(portraits, channels, latent, latent)
        image_tokens = torch.empty(portraits, tokens, config.image_width)
        portrait_landmarks = torch.empty(portraits, 3, 1, size, size)
        landmarks = torch.empty(clips, 3, frames, size, size)
        guess = torch.empty(clips, channels, frames, latent, latent) if config.warped_reference else None
        noisy = torch.empty(clips, config.denoiser_channels, frames, latent, latent)
        timesteps = torch.zeros(clips, dtype=torch.long)
        pictures = torch.empty(run.decoded_frames(portraits), 3, size, size)
        alive = Alive([pictures, *(p for part in (networks, *frozen) for p in part.parameters())])
        with flops, alive:
            with torch.autocast("cpu", half, enabled=run.optimisation.precision != "fp32"):
                features, prompt, appearance = networks.read(
                    portrait, image_tokens, portrait_landmarks, landmarks, guess
                )
                conditioning = networks.denoiser.condition(prompt, appearance)
                v = networks.denoiser(noisy, timesteps, features, conditioning)
            loss = v.float().square().mean()
            if decoder is not None:
                predicted = v.float().transpose(1, 2).flatten(0, 1)[: len(pictures)]
                with torch.autocast("cpu", half, enabled=run.optimisation.precision != "fp32"):
                    decoded = decoder.decode(predicted)
                loss = loss + reconstruction_loss(decoded.float(), pictures, torch.ones_like(pictures[:, :1]))
            forward, kept = flops.get_total_flops(), alive.bytes
            loss.backward()
        gradients = 4 * sum(part.trained for part in parameters(networks).values())
        return Count(forward, flops.get_total_flops(), kept, max(kept, alive.most - gradients))


def encoding_flops(run: DenoiserRun, size: int, autoencoder: AutoencoderConfig | None, cached: bool) -> int:
    """Operations of the frozen parts for one portrait and its targets. `autoencoder` None is Stable Diffusion's.

    Latents that are `cached` are of whole pictures: a run in windows encodes its own.
    """
    pictures = 0 if cached and run.window is None else 1 + run.targets
    pictures += run.targets if run.network.warped_reference else 0
    flops = pictures * picture_flops(size, autoencoder) if pictures else 0
    if run.network.image_source == "clip":
        layer = 2 * CLIP_TOKENS * 12 * CLIP_WIDTH**2 + 4 * CLIP_TOKENS**2 * CLIP_WIDTH
        flops += CLIP_LAYERS * layer
    return flops


@lru_cache(maxsize=4)
def picture_flops(size: int, autoencoder: AutoencoderConfig | None) -> int:
    """Operations of encoding one picture."""
    encoder = built_autoencoder(autoencoder)
    with FlopCounterMode(display=False) as flops, torch.no_grad():
        encoder.encode(torch.empty(1, 3, size, size, device="meta"))
    return flops.get_total_flops()


def built_autoencoder(config: AutoencoderConfig | None) -> SmallAutoencoder | StableDiffusionAutoencoder:
    """A frozen autoencoder without memory; None is Stable Diffusion's."""

    def build() -> nn.Module:
        if config is not None:
            return SmallAutoencoder(config)
        from diffusers import AutoencoderKL

        return StableDiffusionAutoencoder(
            AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,  # type: ignore[arg-type]
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
                latent_channels=4,
            )
        )

    built = on_meta(build).requires_grad_(False)
    assert isinstance(built, SmallAutoencoder | StableDiffusionAutoencoder)
    return built
