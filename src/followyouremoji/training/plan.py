"""What a run needs before it is started: parameters, memory by part, floating-point operations, time; what fits a machine and what to change.

Parameters, optimiser bytes and operations are counted, not estimated: the run's own networks go forward and backward once on tensors without
memory, with a tally of operations and of what is alive. Time follows from a share of the chip's peak rate, which is an assumption to be stated.
"""

from __future__ import annotations

import dataclasses
import time
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

from followyouremoji.checkpoints.tensors import on_meta
from followyouremoji.errors import SettingsError
from followyouremoji.networks import AutoencoderConfig, SmallAutoencoder
from followyouremoji.networks.layers import ResnetBlock
from followyouremoji.networks.motion_module import MotionModule, sinusoidal_table
from followyouremoji.training.networks import Networks
from followyouremoji.training.settings import DenoiserRun, Optimisation

GIB = 2**30
LATENT_STRIDE = 8
USUAL_SHARE = 0.35  # of a chip's peak rate that training of UNets of this size reaches; measure a hundred steps to know yours
RESERVED = 1.5 * GIB  # of a GPU, by its driver and libraries
FRAGMENTED = 0.08  # of what is allocated, lost between the allocator's blocks
CLIP_LAYERS, CLIP_WIDTH, CLIP_TOKENS = 24, 1024, 257  # ViT-L/14, Radford et al. 2021, Table 20
CLIP_VALUES = 303_179_776  # numbers of its image encoder
VAE_VALUES = 83_653_863  # numbers of Stable Diffusion's autoencoder


@dataclass(frozen=True)
class Chip:
    """A processor: memory in GiB, and peak rates of dense matrix products in TFLOP/s as its maker states them."""

    name: str
    memory: float
    half: float  # bf16 or fp16, accumulated in fp32
    single: float  # fp32 as it is trained: TF32 where the chip has it


CHIPS = {
    chip.name: chip
    for chip in (
        Chip("b200", 180, 2250, 1125),
        Chip("h200", 141, 989, 494),
        Chip("h100", 80, 989, 494),
        Chip("a100", 80, 312, 156),
        Chip("a100-40", 40, 312, 156),
        Chip("l40s", 48, 362, 183),
        Chip("a10", 24, 125, 62),
        Chip("4090", 24, 165, 83),
        Chip("3090", 24, 71, 36),
        Chip("v100", 32, 125, 16),
    )
}


@dataclass(frozen=True)
class Parameters:
    """How many numbers a network has, and how many of them the stage trains."""

    all: int
    trained: int


@dataclass(frozen=True)
class Count:
    """One forward and backward pass: operations, and bytes alive beyond the weights.

    `kept` lives between the passes: activations and half-precision copies of weights. `peak` is the most at any moment less the gradients.
    """

    forward: int
    total: int
    kept: int
    peak: int


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU."""

    weights: float
    gradients: float
    optimiser: float
    average: float
    activations: float
    encoders: float
    other: float

    @property
    def total(self) -> float:
        return sum(dataclasses.astuple(self))


@dataclass(frozen=True)
class Variant:
    """One way to run a config: what changed, what it needs on each GPU, and whether that fits."""

    name: str
    optimisation: Optimisation
    portraits: float  # that one GPU works on at once
    memory: Memory
    fits: bool
    seconds: float  # a step


def build_networks(run: DenoiserRun) -> Networks:
    """The run's networks without memory, with what the stage trains."""
    config = dataclasses.replace(run.network, motion_modules=run.stage == 2)
    networks = on_meta(lambda: Networks(config))
    assert isinstance(networks, Networks)
    if run.stage == 2:
        networks.learn_time_alone()
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
    """Counts the bytes of all tensors that operations make, as long as anything holds them; `given` tensors and views of them count nothing."""

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
def without_memory(networks: nn.Module) -> Iterator[None]:
    """Tensors that have a shape and a type and no values; `networks`, built on the meta device, become such too."""
    sinusoidal_table.cache_clear()  # tables with values and tables without do not mix
    try:
        with FakeTensorMode():
            _empty(networks)
            yield
    finally:
        sinusoidal_table.cache_clear()


def _empty(networks: nn.Module) -> None:
    for module in networks.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                empty = torch.empty(parameter.shape)
                module._parameters[name] = nn.Parameter(empty, parameter.requires_grad)


def count_pass(run: DenoiserRun, size: int, portraits: int, checkpointing: bool) -> Count:
    """Count a training pass over `portraits` with their targets at `size` pixels, in the run's precision."""
    networks = build_networks(run)
    if checkpointing:
        networks.save_activation_memory()
    config = networks.config
    frames = run.targets if run.stage == 2 else 1
    clips = portraits * (run.targets // frames)
    latent, channels = size // LATENT_STRIDE, config.latent_channels
    tokens = CLIP_TOKENS if config.image_source == "clip" else latent * latent
    flops = FlopCounterMode(display=False, custom_mapping=ATTENTION)
    half = torch.float16 if run.optimisation.precision == "fp16" else torch.bfloat16
    with without_memory(networks):
        portrait = torch.empty(portraits, channels, latent, latent)
        image_tokens = torch.empty(portraits, tokens, config.image_width)
        portrait_landmarks = torch.empty(portraits, 3, 1, size, size)
        landmarks = torch.empty(clips, 3, frames, size, size)
        guess = torch.empty(clips, channels, frames, latent, latent) if config.warped_reference else None
        noisy = torch.empty(clips, config.denoiser_channels, frames, latent, latent)
        timesteps = torch.zeros(clips, dtype=torch.long)
        alive = Alive(networks.parameters())
        with flops, alive:
            with torch.autocast("cpu", half, enabled=run.optimisation.precision != "fp32"):
                features = networks.landmark_encoder(landmarks, guess)
                own = (
                    networks.landmark_encoder(portrait_landmarks)[:, :, 0]
                    if config.reference_landmarks
                    else None
                )
                prompt = networks.prompt(image_tokens)
                appearance = networks.appearance_net(portrait, prompt, own)
                v = networks.denoiser(
                    noisy, timesteps, features, networks.denoiser.condition(prompt, appearance)
                )
            forward, kept = flops.get_total_flops(), alive.bytes
            v.float().square().mean().backward()
        gradients = 4 * sum(part.trained for part in parameters(networks).values())
        return Count(forward, flops.get_total_flops(), kept, max(kept, alive.most - gradients))


def encoding_flops(run: DenoiserRun, size: int, autoencoder: AutoencoderConfig | None, cached: bool) -> int:
    """Operations of the frozen parts for one portrait and its targets. `autoencoder` None is Stable Diffusion's."""
    pictures = 0 if cached else 1 + run.targets
    pictures += run.targets if run.network.warped_reference else 0
    flops = pictures * picture_flops(size, autoencoder) if pictures else 0
    if run.network.image_source == "clip":
        layer = 2 * CLIP_TOKENS * 12 * CLIP_WIDTH**2 + 4 * CLIP_TOKENS**2 * CLIP_WIDTH
        flops += CLIP_LAYERS * layer
    return flops


@lru_cache(maxsize=4)
def picture_flops(size: int, autoencoder: AutoencoderConfig | None) -> int:
    """Operations of encoding one picture."""
    if autoencoder is not None:
        encoder = on_meta(lambda: SmallAutoencoder(autoencoder).encoder)
    else:
        from diffusers import AutoencoderKL

        sizes = {
            "block_out_channels": (128, 256, 512, 512),
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
            "layers_per_block": 2,
            "latent_channels": 4,
        }
        encoder = on_meta(lambda: AutoencoderKL(**sizes).encoder)  # type: ignore[attr-defined]
    with FlopCounterMode(display=False) as flops, torch.no_grad():
        encoder(torch.empty(1, 3, size, size, device="meta"))
    return flops.get_total_flops()


@dataclass(frozen=True)
class Plan:
    """A run on a machine."""

    run: DenoiserRun
    size: int  # pixels
    gpus: int
    memory_each: float  # bytes
    rate: float  # operations a second that one GPU is taken to do
    parameters: dict[str, Parameters]
    step_flops: int  # of the joined batch, all GPUs together
    variants: tuple[Variant, ...]

    @property
    def chosen(self) -> Variant | None:
        """The config as it is if it fits, else the first change that does."""
        return next((variant for variant in self.variants if variant.fits), None)


def plan_run(
    run: DenoiserRun,
    *,
    size: int,
    gpus: int,
    memory: float,
    rate: float,
    autoencoder: AutoencoderConfig | None = None,
    cached: bool = False,
) -> Plan:
    """Plan a run.

    Parameters
    ----------
    size : pixels a side of the training pictures.
    memory : GiB of each GPU.
    rate : operations a second of each GPU in this run: its peak times the share that is reached.
    autoencoder : the small autoencoder's sizes; None: Stable Diffusion's.
    cached : latents are read from disk instead of being encoded.

    Raises
    ------
    SettingsError : a batch that cannot be shared out evenly, or numbers that make no machine.
    """
    if gpus < 1 or memory <= 0 or rate <= 0:
        raise SettingsError("a plan needs at least one GPU, with memory and a rate above 0")
    networks = build_networks(run)
    multiple = LATENT_STRIDE * 2 ** (len(run.network.block_channels) - 1)
    if size % multiple:
        raise SettingsError(
            f"the size must be a multiple of {multiple} pixels for these networks, not {size}"
        )
    counts = parameters(networks)
    passes: dict[tuple[int, bool], Count] = {}

    def pass_of(portraits: int, checkpointing: bool) -> Count:
        key = (portraits, checkpointing)
        if key not in passes:
            passes[key] = count_pass(run, size, portraits, checkpointing)
        return passes[key]

    encoding = encoding_flops(run, size, autoencoder, cached)
    variants = []
    for name, optimisation in alternatives(run.optimisation, run.references, gpus):
        portraits = run.references // (gpus * optimisation.accumulation)
        one = pass_of(1, optimisation.checkpointing)
        two = pass_of(2, optimisation.checkpointing) if portraits > 1 else one
        activations = one.peak + (portraits - 1) * (two.peak - one.peak)
        needed = memory_of(run, optimisation, networks, gpus, activations, autoencoder is None)
        seconds = (one.total + encoding) * run.references / gpus / rate
        variants.append(Variant(name, optimisation, portraits, needed, needed.total <= memory * GIB, seconds))
        if variants[-1].fits:
            break
    flops = (pass_of(1, run.optimisation.checkpointing).total + encoding) * run.references
    return Plan(run, size, gpus, memory * GIB, rate, counts, flops, tuple(variants))


def alternatives(settings: Optimisation, references: int, gpus: int) -> Iterator[tuple[str, Optimisation]]:
    """The settings as they are, and changes that need less memory, those that cost least first; each only where the batch can be shared out."""
    if references % (gpus * settings.accumulation):
        raise SettingsError(
            f"{references} `references` cannot be shared evenly by {gpus} GPUs in {settings.accumulation} parts each: choose a "
            "multiple"
        )

    def parts(base: Optimisation) -> Iterator[Optimisation]:
        for accumulation in range(base.accumulation + 1, references // gpus + 1):
            if references % (gpus * accumulation) == 0:
                yield dataclasses.replace(base, accumulation=accumulation)

    yield "as it is", settings
    bases = [("", settings)]
    if not settings.checkpointing:
        bases.append(("checkpointing = true", dataclasses.replace(settings, checkpointing=True)))
    last = bases[-1]
    if settings.optimiser == "adamw":
        last = (
            _also(last[0], 'optimiser = "adamw8bit"'),
            dataclasses.replace(last[1], optimiser="adamw8bit"),
        )
        bases.append(last)
    if settings.sharding == "ddp" and gpus > 1:
        bases.append(
            (_also(bases[-1][0], 'sharding = "fsdp"'), dataclasses.replace(last[1], sharding="fsdp"))
        )
    for name, base in bases:
        if name:
            yield name, base
        for more in parts(base):
            yield _also(name, f"accumulation = {more.accumulation}"), more


def memory_of(
    run: DenoiserRun,
    settings: Optimisation,
    networks: nn.Module,
    gpus: int,
    activations: float,
    stable_diffusion: bool,
) -> Memory:
    """Bytes on each GPU. Weights, gradients and the average are float32; Adam's two moments are as many numbers as are trained."""
    counts = parameters(networks).values()
    total, trained = sum(part.all for part in counts), sum(part.trained for part in counts)
    shards = gpus if settings.sharding == "fsdp" else 1
    moments = 2 * (1 if settings.optimiser == "adamw8bit" else 4)
    half = 4 if settings.precision == "fp32" else 2
    gathered = 0
    if shards > 1:  # layers that are wrapped are gathered one at a time, all others together
        wrapped = sum(
            p.numel()
            for m in networks.modules()
            if isinstance(m, (ResnetBlock, MotionModule))
            for p in m.parameters()
        )
        gathered = (total - wrapped) * half
    encoders = half * CLIP_VALUES if run.network.image_source == "clip" else 0
    encoders += 4 * VAE_VALUES if stable_diffusion else 0
    memory = Memory(
        weights=4 * total / shards + gathered,
        gradients=4 * trained / shards,
        optimiser=moments * trained / shards,
        average=4 * trained / shards if settings.ema else 0,
        activations=activations,
        encoders=encoders,
        other=0,
    )
    return dataclasses.replace(memory, other=RESERVED + FRAGMENTED * memory.total)


def measured_rate(size: int = 1024, seconds: float = 1.0) -> float:
    """Operations a second of float32 matrix products on this CPU, with the threads that torch uses here."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    torch.mm(a, b)
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        torch.mm(a, b)
        done += 2 * size**3
    return done / (time.perf_counter() - started)


def _also(first: str, second: str) -> str:
    return f"{first}, {second}" if first else second
