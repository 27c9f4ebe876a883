"""The time of forecasts alone, on the released layout with random weights: a computed pass, and a told one of each
kind."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from followyouremoji.benchmark.report import markdown
from followyouremoji.networks import AppearanceNet, Denoiser, NetworkConfig
from followyouremoji.sampling.denoising import Tally, denoise
from followyouremoji.sampling.forecast import EXACT, Forecast
from followyouremoji.sampling.forecast.presets import SPEEDS, general_preset
from followyouremoji.sampling.guidance import ClipConditioning, condition_clip
from followyouremoji.sampling.windows import overlapping_windows

GUIDANCE = 3.5
IMAGE_TOKENS = 257  # of CLIP
COMPUTED, TOLD = 2, 2  # passes of a run, the first of which are computed
KINDS = {
    "prediction as v": "what=velocity",
    "all but first convolution and head": "what=inside,depth=0",
    "all but the outermost layer up": "what=inside,depth=1",
    "all but the outermost three layers": "what=inside,depth=3",
    "every module": "what=modules",
}


@dataclass(frozen=True)
class ToldPass:
    """A pass that is told: its seconds, as a share of a computed one's, and what is remembered for it, in MB."""

    seconds: float
    share: float
    megabytes: float


@dataclass(frozen=True)
class FullSizeSpeed:
    """Seconds of a computed pass of both halves of guidance, of told ones by kind, and of whole runs of `steps` steps
    by speed."""

    steps: int
    about: str
    computed_pass: float
    told: dict[str, ToldPass]
    passes: dict[str, int]
    seconds: dict[str, float]

    def page(self) -> str:
        """As markdown."""
        rows = [["told", "s a told pass", "of a computed one", "MB remembered"]]
        for name, one in self.told.items():
            rows.append([name, f"{one.seconds:.3f}", f"{one.share:.1%}", f"{one.megabytes:.1f}"])
        lines = [["", "computed passes", "s a clip", "faster"]]
        for speed, seconds in self.seconds.items():
            faster = self.seconds["exact"] / seconds
            lines.append([speed, str(self.passes[speed]), f"{seconds:.1f}", f"{faster:.2f}x"])
        head = f"{self.about}: {self.computed_pass:.3f} s a computed pass of both halves."
        return "\n\n".join([head, markdown(rows), markdown(lines)])


def measure_full_size(
    steps: int,
    frames: int,
    latents: int,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    config: NetworkConfig | None = None,
) -> FullSizeSpeed:
    """Time passes of clips of `frames` frames of `latents` x `latents`, guidance on.

    A told pass is the time of a run with some told passes less that of one without, shared among them; a whole run is
    composed of its passes, since every pass takes the same time. Runs alternate, so that whatever else the machine does
    strikes them alike.
    """
    config = config or NetworkConfig()
    device = torch.device(device)
    denoiser = random_denoiser(config, device).to(dtype)
    conditioning = random_conditioning(denoiser, latents, device)
    features = random_values((1, config.block_channels[0], frames, latents, latents), device).to(dtype)
    noise = random_values((1, config.latent_channels, frames, latents, latents), device)

    def run(forecast: Forecast, passes: int) -> tuple[float, Tally]:
        tally = Tally()
        begun = now(device)
        known, mask = torch.zeros_like(noise), torch.zeros(1, 1, frames, 1, 1, device=device)
        window = overlapping_windows(frames, frames, 0)
        with torch.inference_mode():
            denoise(
                denoiser, conditioning, lambda _: features, noise, known, mask, window, passes, lambda: None, forecast, tally
            )  # fmt: skip
        return now(device) - begun, tally

    run(EXACT, 1)  # warms up
    full = []
    told: dict[str, ToldPass] = {}
    for name, text in KINDS.items():
        alone, _ = run(EXACT, COMPUTED)
        full.append(alone / COMPUTED)
        due = ",computed=" + "+".join(map(str, range(COMPUTED)))
        with_told, tally = run(Forecast.from_text(text + due), COMPUTED + TOLD)
        seconds = max(0.0, with_told - alone) / TOLD
        told[name] = ToldPass(seconds, seconds / full[-1], tally.bytes / 1e6)
    computed = sum(full) / len(full)
    passes = {speed: sum(general_preset(speed, steps).computes(steps)) for speed in SPEEDS}
    seconds_of = {
        speed: due * computed + (steps - due) * told["prediction as v"].seconds
        for speed, due in passes.items()
    }
    about = f"{steps} steps, {frames} frames of {latents}x{latents} latents, guidance on, {device.type}, {str(dtype).removeprefix('torch.')}"
    return FullSizeSpeed(steps, about, computed, told, passes, seconds_of)


def now(device: torch.device) -> float:
    """Seconds, when all work that a GPU was given is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


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
