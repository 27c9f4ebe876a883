"""The time of forecasts alone, on the released layout with random weights."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from followyouremoji.benchmark.speed_methods import SpeedMethod, finish_queue
from followyouremoji.benchmark.tables import markdown
from followyouremoji.networks import AppearanceNet, Denoiser, NetworkConfig
from followyouremoji.sampling.denoising import Tally, denoise
from followyouremoji.sampling.forecast import EXACT, Forecast
from followyouremoji.sampling.guidance import ClipConditioning, condition_clip
from followyouremoji.sampling.windows import overlapping_windows

GUIDANCE = 3.5
IMAGE_TOKENS = 257  # of CLIP


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, and of the process's threads together."""

    clock: float
    processor: float


@dataclass(frozen=True)
class TimedMethod:
    """What a method took for a clip: passes that were computed and told, the memory of its forecasts in MB, and one
    pass of the exact sampler, the mean of one before and one after it.

    `told_share` is what a told pass took of a computed one: by the processor, on a GPU by the clock. None where none is
    told, or where the passes that are computed may lack a half.
    """

    method: str
    steps: int
    computed: int
    told: int
    megabytes: float
    took: Took
    exact_pass: Took
    told_share: float | None

    @property
    def faster(self) -> float:
        """How many times as fast as computing every step, by the clock."""
        return self.steps * self.exact_pass.clock / self.took.clock

    @property
    def faster_on_processor(self) -> float:
        return self.steps * self.exact_pass.processor / self.took.processor


def table(rows: Iterable[TimedMethod]) -> str:
    """As markdown."""
    lines = [["", "passes", "s a clip", "faster", "by CPU time", "a forecast pass, of a computed one", "MB"]]
    for row in rows:
        lines.append([
            row.method, str(row.computed), f"{row.took.clock:.3g}", f"{row.faster:.2f}x", f"{row.faster_on_processor:.2f}x",
            "" if row.told_share is None else f"{row.told_share:.1%}", f"{row.megabytes:.1f}",
        ])  # fmt: skip
    return markdown(lines)


def measure_full_size(
    methods: Iterable[SpeedMethod],
    frames: int,
    latents: int,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    config: NetworkConfig | None = None,
) -> Iterator[TimedMethod]:
    """Denoise a clip of `frames` frames of `latents` x `latents` by each method in full, guidance on.

    A pass of the exact sampler between any two of them is the measure, so that a machine that becomes slower or faster
    does not favour any. A gate decides by what random weights give.
    """
    config = config or NetworkConfig()
    device = torch.device(device)
    denoiser = random_denoiser(config, device).to(dtype)
    conditioning = random_conditioning(denoiser, latents, device)
    features = random_values((1, config.block_channels[0], frames, latents, latents), device).to(dtype)
    noise = random_values((1, config.latent_channels, frames, latents, latents), device)

    @torch.inference_mode()
    def run(forecast: Forecast, steps: int) -> tuple[Took, Tally]:
        tally = Tally()
        known, mask = torch.zeros_like(noise), torch.zeros(1, 1, frames, 1, 1, device=device)
        window = overlapping_windows(frames, frames, 0)
        finish_queue(device)
        clock, processor = time.perf_counter(), time.process_time()
        denoise(
            denoiser, conditioning, lambda _: features, noise, known, mask, window, steps, lambda: None, forecast, tally
        )  # fmt: skip
        finish_queue(device)
        return Took(time.perf_counter() - clock, time.process_time() - processor), tally

    run(EXACT, 1)  # warms up
    before, _ = run(EXACT, 1)
    for method in methods:
        took, tally = run(method.forecast, method.steps)
        after, _ = run(EXACT, 1)
        exact_pass = Took((before.clock + after.clock) / 2, (before.processor + after.processor) / 2)
        before = after
        told_share = None
        if tally.told and not method.forecast.spares_guidance:
            passes = took.processor / exact_pass.processor
            if device.type == "cuda":
                passes = took.clock / exact_pass.clock
            told_share = (passes - tally.computed) / tally.told
        yield TimedMethod(
            method.name,
            method.steps,
            tally.computed,
            tally.told,
            tally.bytes / 1e6,
            took,
            exact_pass,
            told_share,
        )


def random_values(shape: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device)


def random_denoiser(config: NetworkConfig, device: torch.device) -> Denoiser:
    """A denoiser of small random weights, in which nothing overflows."""
    with torch.device("meta"):
        denoiser = Denoiser(config)
    denoiser.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(0)
    for value in denoiser.state_dict().values():
        value.normal_(0, 0.02, generator=generator)
    if device.type == "cuda":
        denoiser.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as loaded models are
    return denoiser.eval().requires_grad_(False)


@torch.inference_mode()
def random_conditioning(denoiser: Denoiser, latents: int, device: torch.device) -> ClipConditioning:
    """Random values of the sizes of what frames read of a portrait, which an appearance net without weights tells."""
    config = denoiser.config
    dtype = denoiser.conv_in.weight.dtype
    tokens = random_values((1, IMAGE_TOKENS, config.image_width), device).to(dtype)
    with torch.device("meta"):
        shapes = AppearanceNet(config)(
            torch.empty(1, config.latent_channels, latents, latents),
            torch.empty(tokens.shape),
        )
    appearance = [random_values(tuple(one.shape), device).to(dtype) for one in shapes]
    return condition_clip(denoiser, tokens, appearance, GUIDANCE)
