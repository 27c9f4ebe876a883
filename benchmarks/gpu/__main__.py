"""Everything that a GPU is asked, by one command, in the order of its worth.

    python -m benchmarks.gpu --minutes 8 [--output results/gpu] [--device cuda] [--size full] [--questions step live]

Networks have the paper's layout, their full size and random weights, which tell time and memory; the bundled model is
there with its own. Nothing is downloaded, and no face is detected. A question has its share of the time: it is stopped
after twice the seconds that it should take, and skipped where these are not left. After each, all tables so far are in
`gpu.md` and `gpu.json`, so that whoever stops the command loses the question at hand alone. Without enough memory a row
says so. `--size tiny --device cpu` rehearses everything in seconds. Linux and macOS.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.gpu.animating import bundled_animation, equal_results, offloading
from benchmarks.gpu.denoising import compiled_step, exact_step, presets, segments_together
from benchmarks.gpu.live import before_a_camera, live_rate
from benchmarks.gpu.questions import ask_all
from benchmarks.gpu.report import described, section, write
from benchmarks.gpu.sizes import SIZES
from benchmarks.gpu.training import first_stage, second_stage
from followyouremoji.checkpoints.model import choose_device
from followyouremoji.errors import UserError

QUESTIONS = (
    exact_step,
    equal_results,
    bundled_animation,
    before_a_camera,
    live_rate,
    compiled_step,
    presets,
    segments_together,
    offloading,
    first_stage,
    second_stage,
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="for all questions together")
    parser.add_argument("--output", type=Path, default=Path("results/gpu"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", choices=SIZES, default="full")
    names = [question.name for question in QUESTIONS]
    parser.add_argument(
        "--questions", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names)
    )
    options = parser.parse_args(arguments)
    if not options.minutes > 0:
        parser.error(f"--minutes must be more than 0, not {options.minutes:g}")
    try:
        device = choose_device(options.device)
        options.output.mkdir(parents=True, exist_ok=True)
    except (UserError, OSError) as error:
        parser.error(str(error))
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    about, answers = {**described(device), "size": options.size}, []
    asked = [question for question in QUESTIONS if question.name in options.questions]
    for answer in ask_all(asked, device, SIZES[options.size](), 60 * options.minutes):
        answers.append(answer)
        write(options.output, about, answers)
        print(section(answer), flush=True)


if __name__ == "__main__":
    main()
