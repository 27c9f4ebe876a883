"""The time alone of all that `speed.py` compares, on the released layout with random weights, guidance on.

    python benchmarks/full_size.py --output FOLDER [--guidance-forecasts] [--methods NAME=FORECAST ...]
    python benchmarks/full_size.py --output FOLDER --device cuda --dtype bfloat16 --frames 16 --latents 64

Every method denoises the clip in full, with a pass of the exact sampler between any two, against which it is timed:
seconds by the clock and by the processor, how many times as fast, what a forecast pass takes of a computed one, and
memory. Presets are those of a model that was not calibrated. Prints a table and writes `full_size.md`, `full_size.json`
and `full_size.png`, anew after each method.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from followyouremoji.benchmark.full_size_speed import TimedMethod, measure_full_size, table
from followyouremoji.benchmark.speed_methods import COMPARISON, GUIDANCE, compared_methods, seed_methods
from followyouremoji.benchmark.tables import plot_bars
from followyouremoji.errors import UserError
from followyouremoji.files import write_json
from followyouremoji.sampling.forecast.presets import SPEEDS


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=30, help="of the exact result")
    parser.add_argument(
        "--methods", nargs="+", help="NAME=FORECAST, or a preset; otherwise all that is known"
    )
    parser.add_argument(
        "--guidance-forecasts", action="store_true", help="forecasts of what guidance adds, too"
    )
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--latents", type=int, default=32, help="height and width of a frame's latents")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    known = COMPARISON | GUIDANCE if options.guidance_forecasts else COMPARISON
    rows: list[TimedMethod] = []
    try:
        methods = [
            *seed_methods(options.steps, 1),
            *compared_methods(options.methods, known, None, options.steps),
        ]
        sizes = options.frames, options.latents, options.device, getattr(torch, options.dtype)
        for row in measure_full_size(methods, *sizes):
            rows.append(row)
            print(f"{row.method}: {row.took.clock:.1f} s, {row.faster:.2f}x", flush=True)
            write(options, rows)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"\n{table(rows)}")
    return 0


def write(options: argparse.Namespace, rows: Sequence[TimedMethod]) -> None:
    """All that is known by now."""
    (options.output / "full_size.md").write_text(table(rows) + "\n")
    settings = {name: getattr(options, name) for name in ("steps", "frames", "latents", "device", "dtype")}
    figures = [
        {**asdict(row), "faster": row.faster, "faster_on_processor": row.faster_on_processor} for row in rows
    ]
    write_json(options.output / "full_size.json", {**settings, "methods": figures})
    shown = sorted(rows, key=lambda row: row.faster)
    panel = {"times as fast as computing every step": {row.method: row.faster for row in shown}}
    plot_bars(options.output / "full_size.png", panel, marked=SPEEDS)


if __name__ == "__main__":
    sys.exit(main())
