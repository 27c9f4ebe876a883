"""Questions about live animation: the bundled model's before a camera, and the rate that few steps would have at full
size."""

from __future__ import annotations

import time
from functools import partial
from itertools import islice

import torch

from benchmarks.faces import bundled_performance
from benchmarks.gpu.material import PORTRAIT, known_landmarks, prepared_clip, random_model
from benchmarks.gpu.questions import Case, Cases, Figures, cost, question
from benchmarks.gpu.sizes import Sizes
from followyouremoji.animator import PortraitAnimator
from followyouremoji.live.generating import CHUNK, LiveGenerator
from followyouremoji.requests.bundled import portrait_path
from followyouremoji.sampling.settings import SamplingSettings

CAMERA, SHOWN = 256, 512  # pixels a side of what is filmed, and of the portrait
FIRST = 60.0  # seconds to wait for the first frame at most


@question(
    "camera",
    "Frames a second and latency of the bundled model before a camera, which sees the bundled motion; needs mediapipe.",
    seconds=30,
)
def before_a_camera(device: torch.device, sizes: Sizes) -> Cases:
    animator = PortraitAnimator.from_pretrained("bundled", device)
    filmed = list(islice(bundled_performance(CAMERA), sizes.bundled_frames))
    filmed += filmed[::-1]

    def filming(rate: float) -> Figures:
        landmarks = known_landmarks(SHOWN)
        with animator.live(portrait_path(PORTRAIT), portrait_landmarks=landmarks, size=SHOWN) as live:
            live.push(filmed[0], -1.0)
            live.take(FIRST)  # all networks are loaded then
            before, begun = live.figures, time.perf_counter()
            for picture in range(round(sizes.live_seconds * rate)):
                time.sleep(max(0.0, begun + picture / rate - time.perf_counter()))
                live.push(filmed[picture % len(filmed)], picture / rate)
            figures = live.figures  # of the last seconds, in which the face's rest is known
        return {
            "frames a second": figures.rate,
            "latency, seconds": figures.latency,
            "95 % within": figures.slow_latency,
            "dropped": figures.dropped - before.dropped,
        }

    for rate in sizes.live_rates:
        yield Case(f"filmed {rate:g} times a second", partial(filming, rate))


@question(
    "live",
    "The rate that live animation at full size would have with few steps and no guidance, from landmarks to pictures.",
    seconds=25,
)
def live_rate(device: torch.device, sizes: Sizes) -> Cases:
    model = random_model(sizes, device)
    clip = prepared_clip(PortraitAnimator(model), CHUNK)

    def made(steps: int) -> Figures:
        generator = LiveGenerator(model, clip, SamplingSettings(steps, window=sizes.frames), 1.0)
        figures = cost(
            device, lambda: generator(clip), sizes.repeats, warm_ups=2
        )  # the first knows no frame before it
        return {**figures, "frames a second": CHUNK / float(figures["seconds"])}

    def decoded() -> Figures:
        shape = (CHUNK, sizes.network.latent_channels, sizes.latents, sizes.latents)
        latents = torch.randn(shape, device=device)
        figures = cost(device, lambda: model.codec.decode(latents), sizes.repeats)
        return {**figures, "frames a second": CHUNK / float(figures["seconds"])}

    for steps in sizes.live_steps:
        yield Case(f"{CHUNK} frames, {steps} step{'s' * (steps > 1)}", partial(made, steps))
    yield Case("of these, decoding", decoded)
