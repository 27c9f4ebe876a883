"""Questions about whole animations: equal results, the bundled model's rate, and networks that take turns in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.gpu.material import OTHER_MOTION, prepared_clip, random_model
from benchmarks.gpu.questions import Case, Cases, Figures, cost, question
from benchmarks.gpu.sizes import Sizes, tiny
from followyouremoji.animator import PortraitAnimator
from followyouremoji.benchmark.speed import ReadClip, SpeedMethod
from followyouremoji.checkpoints import load_model, save_model
from followyouremoji.checkpoints.model import Model, choose_dtype
from followyouremoji.settings import AnimationSettings

WARM_UP = 4  # frames
LATENT_BOUND = 1e-3  # of the latents' deviation
LEVEL_BOUND = 2  # of 255, in any pixel of a finished frame


@contextmanager
def whole_float32() -> Iterator[None]:
    """Products and convolutions of float32 in float32, not in TF32, whose numbers have 10 bits."""
    products, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions


def apart(ours: Model, reference: Model, frames: int, steps: int) -> Figures:
    """How far apart two models' latents and pictures of the same clip are."""
    latents, pictures = [], []
    for model in (ours, reference):
        prepared = prepared_clip(PortraitAnimator(model), frames, side=256)
        clip = ReadClip(model, prepared, model.config.guidance_scale)
        sampled = clip.denoised(SpeedMethod("", None, steps), model.config.shared_noise).sampled
        latents.append(sampled.latents.cpu())
        pictures.append(clip.finished(sampled).astype(int))
    away = (latents[0] - latents[1]) / latents[1].std()
    return {
        "latents apart, rms": float(away.square().mean().sqrt()),
        "at most": float(away.abs().max()),
        "levels apart at most": int(np.abs(pictures[0] - pictures[1]).max()),
    }


def judged(figures: Figures) -> Figures:
    """The same, and whether it is within rounding."""
    within = (
        float(figures["at most"]) <= LATENT_BOUND and float(figures["levels apart at most"]) <= LEVEL_BOUND
    )
    return {**figures, "within the bound": "yes" if within else "no"}


@question(
    "equal",
    f"Whether results are those of the CPU within rounding, in float32: latents within {LATENT_BOUND:g} of their deviation, pictures "
    f"within {LEVEL_BOUND} levels of 255. What the device's usual type of numbers changes is for comparison.",
    seconds=30,
)
def equal_results(device: torch.device, sizes: Sizes) -> Cases:
    reference = load_model("bundled", "cpu", torch.float32)
    ours = load_model("bundled", device, torch.float32)
    own = choose_dtype(device)

    def bundled(steps: int) -> Figures:
        with whole_float32():
            return judged(apart(ours, reference, sizes.frames, steps))

    def random() -> Figures:
        """Of the paper's layout, guided, with the foreign networks, all in small."""
        small, processor = replace(tiny(), dtype=torch.float32), torch.device("cpu")
        with whole_float32(), TemporaryDirectory() as name:
            folder = save_model(random_model(small, processor), Path(name) / "model")
            models = [load_model(folder, one, torch.float32) for one in (device, processor)]
            return judged(apart(models[0], models[1], small.frames, small.steps))

    def rounded() -> Figures:
        return apart(load_model("bundled", device, own), reference, sizes.frames, 1)

    yield Case("bundled model, 1 step", partial(bundled, 1))
    yield Case("bundled model, 4 steps", partial(bundled, 4))
    yield Case("small random model, guided", random)
    yield Case(f"bundled model, 1 step in {own}".replace("torch.", ""), rounded)


@question("bundled", "Frames a second of a whole animation by the bundled model.", seconds=40)
def bundled_animation(device: torch.device, sizes: Sizes) -> Cases:
    animator = PortraitAnimator.from_pretrained("bundled", device)

    def animated(side: int) -> Figures:
        for _ in animator.frames(prepared_clip(animator, WARM_UP, side, OTHER_MOTION)):
            pass  # of another motion, for warps of landmarks that come again are remembered
        clip = prepared_clip(animator, sizes.bundled_frames, side)
        figures = cost(device, lambda: list(animator.frames(clip)), 1, warm_ups=0)
        return {**figures, "frames a second": len(clip) / float(figures["seconds"])}

    for side in sizes.bundled_pictures:
        yield Case(f"portrait of {side}x{side}", partial(animated, side))


@question(
    "offload",
    "What memory networks that take turns save, and the time it costs: loading, and two portraits one after the other.",
    seconds=50,
)
def offloading(device: torch.device, sizes: Sizes) -> Cases:
    settings = AnimationSettings(steps=sizes.few_steps, speed="exact")

    def animated(folder: Path, turns: bool) -> Figures:
        loaded: list[PortraitAnimator] = []
        loading = cost(
            device,
            lambda: loaded.append(
                PortraitAnimator.from_pretrained(folder, device, sizes.dtype, offload=turns)
            ),
            1,
            warm_ups=0,
        )
        (animator,) = loaded
        clip = prepared_clip(animator, sizes.frames)
        first, second = (
            cost(device, lambda: list(animator.frames(clip, settings)), 1, warm_ups=0) for _ in range(2)
        )
        peaks = {name: value for name, value in second.items() if name != "seconds"}
        return {
            "loading, seconds": loading["seconds"],
            "first portrait, seconds": first["seconds"],
            "second portrait, seconds": second["seconds"],
            **peaks,
        }

    with TemporaryDirectory() as name:
        folder = save_model(random_model(sizes, device), Path(name) / "model")
        yield Case("all networks held", partial(animated, folder, False))
        yield Case("networks in turns", partial(animated, folder, True))
