"""Time and memory of the denoiser's pass, against the order in which the authors' release computes it.

    python -m benchmarks.denoiser --output FOLDER
    python -m benchmarks.denoiser --output FOLDER --device cuda --dtype bf16 --frames 16 --latents 64

Full-size networks with random weights. Both orders alternate in one process, with a matrix product's rate before and
after; each of the savings that can be switched off is also left out in turn. Memory is the peak of a separate process
for each order, which holds the appearance net and the denoiser, and of one with offloading, as in an animation with
large networks. `--single` counts processor time of one thread instead of the clock's, for a machine that does other
work. Writes `denoiser.txt` and `denoiser.json`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.released_order import released_step
from followyouremoji.checkpoints.offloading import Turns
from followyouremoji.files import write_json
from followyouremoji.networks import AppearanceNet, Denoiser, NetworkConfig, cpu_kernels, layers
from followyouremoji.sampling import guidance

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
IMAGE_TOKENS = 257
STEPS = 30


@dataclass
class Case:
    """Networks with random weights, and the inputs of a step."""

    appearance_net: AppearanceNet
    denoiser: Denoiser
    reference: Tensor
    latents: Tensor
    features: Tensor
    image_tokens: Tensor
    guidance: float

    @classmethod
    def random(cls, options: argparse.Namespace, device: str, *, weights: bool = True) -> Case:
        """`weights` False: the networks are empty."""
        dtype, size = DTYPES[options.dtype], options.latents
        networks = [
            random_network(build, options, device if weights else "meta")
            for build in (AppearanceNet, Denoiser)
        ]
        config = networks[0].config
        torch.manual_seed(1)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, device=device, dtype=dtype)

        return cls(
            *networks,  # type: ignore[arg-type]
            reference=normal(1, 4, size, size),
            latents=normal(1, 4, options.frames, size, size),
            features=normal(1, config.block_channels[0], options.frames, size, size),
            image_tokens=normal(1, IMAGE_TOKENS, config.image_width),
            guidance=options.guidance,
        )

    def appearance(self) -> list[Tensor]:
        return self.appearance_net(self.reference, self.image_tokens)

    def condition(
        self, unconditional_tokens: int = 1, appearance: list[Tensor] | None = None
    ) -> guidance.ClipConditioning:
        zeros = torch.zeros_like(self.image_tokens[:, :unconditional_tokens])
        return guidance.ClipConditioning(
            self.denoiser.condition(self.image_tokens, appearance or self.appearance()),
            None if self.guidance == 1 else self.denoiser.condition(zeros, None),
            self.guidance,
        )

    def released(self, appearance: list[Tensor]) -> Tensor:
        timestep = torch.tensor(500, device=self.latents.device)
        return released_step(
            self.denoiser, self.latents, timestep, self.features, self.image_tokens, appearance, self.guidance
        )

    def ours(self, conditioning: guidance.ClipConditioning) -> Tensor:
        known, mask = torch.zeros_like(self.latents), torch.zeros_like(self.latents[:1, :1, :, :1, :1])
        timestep = torch.tensor(500)
        return guidance.predict_velocity(
            self.denoiser, self.latents, known, mask, timestep, self.features, conditioning
        )


def random_network(
    build: type[AppearanceNet] | type[Denoiser], options: argparse.Namespace, device: str
) -> AppearanceNet | Denoiser:
    with torch.device("meta"):
        network = build(NetworkConfig(block_channels=tuple(options.widths)))
    network.to(DTYPES[options.dtype])
    if device != "meta":
        network.to_empty(device=device)
        randomise(network)
    if device == "cuda":
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    else:
        cpu_kernels.use_cpu_kernels(network)
    return network.eval().requires_grad_(False)


def randomise(network: nn.Module) -> None:
    """Uniform weights that keep a layer's output as large as its input, repeated from a short row of draws, which takes
    a second instead of a minute."""
    torch.manual_seed(0)
    draws = torch.rand(1 << 20, device=next(network.parameters()).device) * 2 - 1
    for name, parameter in network.named_parameters():
        flat = parameter.data.view(-1)
        if parameter.dim() == 1:
            flat.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.01)
            continue
        scale = 1.5 / parameter[0].numel() ** 0.5
        for part in flat.split(len(draws)):
            part.copy_(draws[: len(part)]).mul_(scale)


WITHOUT: dict[str, Callable[[], AbstractContextManager]] = {
    "halves as one batch": lambda: patch.object(guidance, "fit_together", lambda *_: False),
    "minimal filters": lambda: patch.object(cpu_kernels, "LEAST_CHANNELS", 1 << 30),
    "enlarging filter alone": lambda: patch.object(
        cpu_kernels.CpuUpsample, "forward", layers.Upsample.forward
    ),
    "oneDNN's linear layers": lambda: patch.object(cpu_kernels, "ONEDNN_LINEAR", None),
    "one unconditional token": nullcontext,
}


class Stopwatch:
    """Seconds of a call: of a GPU by events, else by the clock, or of this process's threads."""

    def __init__(self, device: str, single: bool) -> None:
        self.device = device
        self.now = time.process_time if single else time.perf_counter

    def __call__(self, call: Callable[[], object]) -> float:
        if self.device == "cuda":
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            call()
            end.record()
            torch.cuda.synchronize()
            return begin.elapsed_time(end) / 1000
        begun = self.now()
        call()
        return self.now() - begun


def product_rate(stopwatch: Stopwatch, dtype: torch.dtype, side: int | None = None) -> float:
    """FLOP/s of a product of matrices with `side` rows and columns, by default what fills the device; the best of
    five."""
    side = side or (8192 if stopwatch.device == "cuda" else 3072)
    a, b = (torch.randn(side, side, device=stopwatch.device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / min(stopwatch(lambda: a @ b) for _ in range(5))


def operations(options: argparse.Namespace) -> dict[str, float]:
    """FLOP of a step in either order, with direct convolutions and no cache, counted without computing."""
    case = Case.random(options, "meta")
    appearance, conditioning = case.appearance(), case.condition()
    counts = {}
    for name, step in {
        "released": lambda: case.released(appearance),
        "ours": lambda: case.ours(conditioning),
    }.items():
        with FlopCounterMode(display=False) as counter:
            step()
        counts[name] = float(counter.get_total_flops())
    return counts


def time_orders(options: argparse.Namespace) -> dict[str, object]:
    """Alternate both orders, and ours with each saving left out."""
    case, stopwatch = Case.random(options, options.device), Stopwatch(options.device, options.single)
    dtype = DTYPES[options.dtype]
    rate_before = product_rate(stopwatch, dtype)
    appearance, conditioning = case.appearance(), case.condition()
    expected, result = case.released(appearance).float(), case.ours(conditioning).float()
    calls: dict[str, Callable[[], Tensor]] = {
        "released": lambda: case.released(appearance),
        "ours": lambda: case.ours(conditioning),
    }
    contexts = dict.fromkeys(calls, nullcontext) | WITHOUT
    many = case.condition(IMAGE_TOKENS)
    seconds: dict[str, list[float]] = {name: [] for name in contexts}
    for _ in range(options.passes):
        for name, context in contexts.items():
            read = many if name == "one unconditional token" else conditioning
            with context():
                seconds[name].append(stopwatch(calls.get(name, lambda read=read: case.ours(read))))
    return {
        "product_rate": [rate_before, product_rate(stopwatch, dtype)],
        "appearance_net": min(stopwatch(case.appearance) for _ in range(2)),
        "keys_and_values": stopwatch(lambda: case.condition().portrait.context[0][0])
        - stopwatch(case.appearance),
        "seconds": seconds,
        "difference": {
            "largest": float((result - expected).abs().max() / expected.std()),
            "mean_square": float((result - expected).square().mean().sqrt() / expected.std()),
        },
    }


def peak_memory(options: argparse.Namespace, order: str) -> float:
    """Bytes that this process, or the GPU, held at most, for both networks, with the appearance net run once and two
    steps."""
    case = Case.random(options, options.device, weights=order != "turns")
    if order == "released":
        appearance = case.appearance()
        for _ in range(2):
            case.released(appearance)
    elif order == "ours":
        conditioning = case.condition()
        for _ in range(2):
            case.ours(conditioning)
    else:
        in_turns(case, options)
    if options.device == "cuda":
        return float(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def in_turns(case: Case, options: argparse.Namespace) -> None:
    """The computations of an animation for a portrait and a segment; weights are made where it would read them."""
    turns = Turns(
        {
            case.appearance_net: lambda: random_network(AppearanceNet, options, options.device),
            case.denoiser: lambda: random_network(Denoiser, options, options.device),
        }
    )
    with turns.using(case.appearance_net):
        appearance = case.appearance()
    with turns.using(case.denoiser):
        conditioning = case.condition(appearance=appearance)
        del appearance
        for _ in range(2):
            case.ours(conditioning)


def in_child(job: str) -> object:
    """The last line that a separate process prints, as JSON."""
    command = [sys.executable, "-m", "benchmarks.denoiser", *sys.argv[1:], "--child", job]
    done = subprocess.run(
        command, check=True, text=True, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    return json.loads(done.stdout.splitlines()[-1])


def report(figures: dict) -> Iterator[str]:
    seconds = figures["seconds"]
    best = {name: min(values) for name, values in seconds.items()}
    mean = {name: sum(values) / len(values) for name, values in seconds.items()}
    rates = figures["product_rate"]
    yield f"matrix product        {rates[0] / 1e9:.0f} GFLOP/s before, {rates[1] / 1e9:.0f} after"
    yield f"appearance net        {figures['appearance_net']:.3f} s, keys and values {figures['keys_and_values']:.3f} s, once a clip"
    for name in ("released", "ours"):
        work = figures["operations"][name]
        yield (
            f"{name:<21} {best[name]:.3f} s best, {mean[name]:.3f} s mean; {work / 1e12:.2f} TFLOP, "
            f"{work / best[name] / max(rates):.0%} of the matrix rate; peak memory {figures['memory'][name] / 1e9:.2f} GB"
        )
    yield f"networks in turns     peak memory {figures['memory']['turns'] / 1e9:.2f} GB"
    yield f"ratio                 {best['ours'] / best['released']:.3f} best, {mean['ours'] / mean['released']:.3f} mean"
    yield f"difference            {figures['difference']['largest']:.1e} at most, of the prediction's deviation"
    yield f"a clip of {STEPS} steps    {STEPS * best['ours'] + figures['appearance_net'] + figures['keys_and_values']:.1f} s"
    for name in seconds:
        if name not in ("released", "ours"):
            yield f"without {name:<24} {best[name]:.3f} s, {best[name] / best['ours'] - 1:+.1%}"


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--latents", type=int, default=32, help="height and width of a frame's latents")
    parser.add_argument("--widths", type=int, nargs="+", default=[320, 640, 1280, 1280])
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--guidance", type=float, default=3.5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--single", action="store_true", help="one thread, by processor time")
    parser.add_argument("--output", type=Path, help="a folder; not needed with --child")
    parser.add_argument("--child", choices=["time", "released", "ours", "turns"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.child:
        if options.output is None:
            parser.error("--output names the folder for the results")
        options.output.mkdir(parents=True, exist_ok=True)
    with torch.inference_mode(), threads(1 if options.single else options.threads):
        if options.child:
            result = time_orders(options) if options.child == "time" else peak_memory(options, options.child)
            print(json.dumps(result))
            return
        figures = in_child("time")
        assert isinstance(figures, dict)
        figures["memory"] = {order: in_child(order) for order in ("released", "ours", "turns")}
        figures["operations"] = operations(options)
    figures["settings"] = {
        key: value for key, value in vars(options).items() if key not in ("output", "child")
    }
    page = "\n".join(report(figures))
    print(page)
    (options.output / "denoiser.txt").write_text(page + "\n")
    write_json(options.output / "denoiser.json", figures)


if __name__ == "__main__":
    main()
