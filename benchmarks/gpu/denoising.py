"""Questions about the denoiser, of the paper's layout at full size: one step and a clip against what the device can do,
the compiler, the presets, and segments together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.denoiser import Stopwatch, product_rate
from benchmarks.gpu.material import RandomClip, prepared_clip, random_model, random_networks
from benchmarks.gpu.questions import Case, Cases, Figures, cost, question
from benchmarks.gpu.sizes import Sizes
from followyouremoji.animator import PortraitAnimator
from followyouremoji.networks.compiling import compile_regions
from followyouremoji.sampling.presets import PRESETS, CacheSettings
from followyouremoji.sampling.sampler import Tally
from followyouremoji.sampling.settings import SamplingSettings
from followyouremoji.settings import AnimationSettings

TERA = 1e12


def operations(call: Callable[[], object]) -> float:
    """FLOP of the matrix products and convolutions of a call."""
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops())


@question(
    "step",
    "How long a step and a clip take by exact DDIM, and which share of the device's rate of matrix products that is.",
    seconds=50,
)
def exact_step(device: torch.device, sizes: Sizes) -> Cases:
    rate = product_rate(Stopwatch(device.type, single=False), sizes.dtype, sizes.product)
    networks = random_networks(sizes, device)
    guided, plain = (RandomClip(networks, sizes, scale) for scale in (sizes.guidance, 1.0))
    exact = SamplingSettings(steps=sizes.steps, window=sizes.frames)

    def worked(call: Callable[[], object], counted: Callable[[], object], times: int = 1) -> Figures:
        work, figures = times * operations(counted), cost(device, call, sizes.repeats)
        done = work / float(figures["seconds"])
        return {**figures, "TFLOP": work / TERA, "TFLOP/s": done / TERA, "of the product's rate": done / rate}

    def animated() -> Figures:
        animator = PortraitAnimator(random_model(sizes, device, networks))
        clip = prepared_clip(animator, sizes.frames)
        settings = AnimationSettings(speed="exact")
        return cost(device, lambda: list(animator.frames(clip, settings)), 1)

    work = 2 * sizes.product**3
    product: Figures = {
        "seconds": work / rate,
        "TFLOP": work / TERA,
        "TFLOP/s": rate / TERA,
        "of the product's rate": 1.0,
    }
    yield Case(f"product of {sizes.product}x{sizes.product} matrices", lambda: product)
    yield Case("portrait read", partial(worked, guided.read, guided.read))
    yield Case(f"step of {sizes.frames} frames", partial(worked, guided.velocity, guided.velocity))
    yield Case("the same without guidance", partial(worked, plain.velocity, plain.velocity))
    clip = partial(guided.latents, sizes.frames, exact)
    yield Case(f"clip denoised, {sizes.steps} steps", partial(worked, clip, guided.velocity, sizes.steps))
    yield Case("clip, from portrait to pictures", animated)


@question("compile", "What compiling a step takes and saves.", seconds=110)
def compiled_step(device: torch.device, sizes: Sizes) -> Cases:
    clip = RandomClip(random_networks(sizes, device), sizes, sizes.guidance)
    before = clip.velocity()
    plain = cost(device, clip.velocity, sizes.repeats)

    def first() -> Figures:
        compile_regions(clip.denoiser, device, sizes.compiler)
        return cost(device, clip.velocity, 1, warm_ups=0)

    def later() -> Figures:
        figures = cost(device, clip.velocity, sizes.repeats)
        away = float((clip.velocity() - before).norm() / before.norm())
        return {
            **figures,
            "of the time": float(figures["seconds"]) / float(plain["seconds"]),
            "away from uncompiled": away,
        }

    try:
        yield Case("uncompiled", lambda: plain)
        yield Case("compiled, the first step", first)
        yield Case("compiled, later steps", later)
    finally:
        torch._dynamo.reset()


@question("presets", "How much sooner a clip is denoised by each preset of --speed.", seconds=20)
def presets(device: torch.device, sizes: Sizes) -> Cases:
    clip = RandomClip(random_networks(sizes, device), sizes, sizes.guidance)
    exact: Figures = {}

    def denoised(cache: CacheSettings | None) -> Figures:
        settings, tally = SamplingSettings(sizes.steps, window=sizes.frames, cache=cache), Tally()
        clip.latents(sizes.frames, settings, tally)
        figures = cost(device, lambda: clip.latents(sizes.frames, settings), 1, warm_ups=0)
        if cache is None:
            exact.update(figures)
        if exact:
            figures["faster"] = float(exact["seconds"]) / float(figures["seconds"])
        return {**figures, "passes": tally.computed}

    for name, cache in PRESETS.items():  # exact comes first
        yield Case(name, partial(denoised, cache))


@question(
    "segments", "Whether segments of a long clip are quicker together, and what memory they take.", seconds=25
)
def segments_together(device: torch.device, sizes: Sizes) -> Cases:
    clip = RandomClip(random_networks(sizes, device), sizes, sizes.guidance)
    # As many segments of a whole window between keyframes as fill the largest batch.
    frames = max(sizes.batches) * (sizes.frames - 1) + 1

    def denoised(batch: int) -> Figures:
        settings = SamplingSettings(sizes.few_steps, window=sizes.frames, batch=batch)
        figures = cost(device, lambda: clip.latents(frames, settings), 1)
        return {**figures, "frames a second": frames / float(figures["seconds"])}

    for batch in sizes.batches:
        yield Case(f"{batch} at once", partial(denoised, batch))
