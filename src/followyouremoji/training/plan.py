"""What a run needs before it is started: memory by part and time; what fits a machine and what to change.

Parameters, bytes and operations are counted (`training.counting`). Time follows from a share of the chip's peak rate,
which is an assumption to be stated.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from followyouremoji.errors import SettingsError
from followyouremoji.networks import AutoencoderConfig
from followyouremoji.networks.layers import ResnetBlock
from followyouremoji.networks.motion_module import MotionModule
from followyouremoji.training.counting import (
    Count,
    Parameters,
    count_pass,
    encoding_flops,
    networks_to_count,
    parameters,
)
from followyouremoji.training.muon import operations
from followyouremoji.training.optimiser import parameter_groups
from followyouremoji.training.settings import NOT_IN_SHARES, DenoiserRun, Optimisation

GIB = 2**30
USUAL_SHARE = 0.35  # of a chip's peak rate that training of UNets of this size reaches; measure a hundred steps to know yours
RESERVED = 1.5 * GIB  # of a GPU, by its driver and libraries
FRAGMENTED = 0.08  # of what is allocated, lost between the allocator's blocks
CLIP_VALUES = 303_179_776  # numbers of CLIP's image encoder
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
    if run.tune_decoder and autoencoder is None:
        raise SettingsError("`tune_decoder` needs a small autoencoder of your own, not Stable Diffusion's")
    networks = networks_to_count(run, autoencoder)
    multiple = run.network.picture_multiple
    if size % multiple:
        raise SettingsError(
            f"the size must be a multiple of {multiple} pixels for these networks, not {size}"
        )
    counts = parameters(networks)
    passes: dict[tuple[int, bool], Count] = {}

    def pass_of(portraits: int, checkpointing: bool) -> Count:
        key = (portraits, checkpointing)
        if key not in passes:
            passes[key] = count_pass(run, size, portraits, checkpointing, autoencoder)
        return passes[key]

    encoding = encoding_flops(run, size, autoencoder, cached)
    learning = operations(by_muon(run, run.optimisation, networks))
    variants = []
    for name, optimisation in alternatives(run.optimisation, run.references, gpus, not run.tune_decoder):
        portraits = run.references // (gpus * optimisation.accumulation)
        one = pass_of(1, optimisation.checkpointing)
        two = pass_of(2, optimisation.checkpointing) if portraits > 1 else one
        activations = one.peak + (portraits - 1) * (two.peak - one.peak)
        needed = memory_of(run, optimisation, networks, gpus, activations, autoencoder is None)
        seconds = ((one.total + encoding) * run.references + learning) / gpus / rate
        variants.append(Variant(name, optimisation, portraits, needed, needed.total <= memory * GIB, seconds))
        if variants[-1].fits:
            break
    flops = (pass_of(1, run.optimisation.checkpointing).total + encoding) * run.references + learning
    return Plan(run, size, gpus, memory * GIB, rate, counts, flops, tuple(variants))


def by_muon(run: DenoiserRun, settings: Optimisation, networks: nn.Module) -> list[torch.Tensor]:
    """The weights that Muon learns."""
    groups = parameter_groups(settings, networks, run.rates)
    return [weight for group in groups if group["orthogonal"] for weight in group["params"]]


def alternatives(
    settings: Optimisation, references: int, gpus: int, shardable: bool = True
) -> Iterator[tuple[str, Optimisation]]:
    """The settings as they are, and changes that need less memory, those that cost least first; each only where the
    batch can be shared out.

    FSDP is among them where what is trained is `shardable` and learns by AdamW, whose moments stay in 32 bits then.
    """
    if references % (gpus * settings.accumulation):
        raise SettingsError(
            f"{references} `references` cannot be shared evenly by {gpus} GPUs in {settings.accumulation} parts each: choose a "
            "multiple"
        )

    def parts(base: Optimisation) -> Iterator[Optimisation]:
        for accumulation in range(base.accumulation + 1, references // gpus + 1):
            if references % (gpus * accumulation) == 0:
                yield dataclasses.replace(base, accumulation=accumulation)

    def changed(name: str, base: Optimisation, **change: Any) -> tuple[str, Optimisation]:
        entry, value = next(iter(change.items()))
        return _also(name, f"{entry} = {json.dumps(value)}"), dataclasses.replace(base, **change)

    yield "as it is", settings
    bases = [("", settings)]
    if not settings.checkpointing:
        bases.append(changed("", settings, checkpointing=True))
    if settings.sharding == "ddp":
        own = bases[-1]  # with the optimiser that is asked for
        if settings.optimiser == "adamw":
            bases.append(changed(*own, optimiser="adamw8bit"))
        if gpus > 1 and shardable and settings.optimiser not in NOT_IN_SHARES:
            bases.append(changed(*own, sharding="fsdp"))
    if settings.ema:
        bases.append(changed(*bases[-1], ema=0.0))
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
    """Bytes on each GPU. Weights, gradients and the average are float32; Adam's two moments are as many numbers as it
    trains, Muon's one.

    What Muon's processes exchange is half a gradient's size and lives when no activation does; it is not counted.
    """
    counts = parameters(networks).values()
    total, trained = sum(part.all for part in counts), sum(part.trained for part in counts)
    shards = gpus if settings.sharding == "fsdp" else 1
    moments = (1 if settings.optimiser == "adamw8bit" else 4) * (
        2 * trained - sum(weight.numel() for weight in by_muon(run, settings, networks))
    )
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
        optimiser=moments / shards,
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
