"""The cost of a large photograph: time and memory of `fye animate` against a portrait of usual size.

    python benchmarks/photographs.py --output FOLDER [--before CHECKOUT] [--frames 24] [--rounds 2]

The bundled portrait, scaled up, is set in grainy pictures of 0.9, 12 and 24 megapixels, and each of them animated by
the command as a user runs it, in a process of its own: seconds on the clock, of the processor (all threads), and the
largest resident memory, the least of the rounds, in which the pictures take turns. `--before` names another checkout of
this project, whose code is measured in the same turns. Prints a table with ratios to the smallest picture, and
writes it with the figures as `photographs.md` and `photographs.json`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import cv2
import numpy as np

from followyouremoji.benchmark.tables import markdown, number
from followyouremoji.files import write_json
from followyouremoji.media.pictures import read_picture, resize_picture, write_picture
from followyouremoji.requests.bundled import portrait_path

PORTRAIT, DRIVING = "bundled:ada", "bundled:hello"
SIZES = {"720x1280": (720, 1280), "12 megapixels": (3024, 4032), "24 megapixels": (4000, 6000)}
FILLED = 0.9  # of the picture's width, by the portrait
GRAIN = 4.0  # standard deviation, grey levels
HERE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds on the clock and of the processor, and MiB."""

    clock: float
    processor: float
    memory: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--before", type=Path, help="another checkout to compare with")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    checkouts = {"now": HERE} if options.before is None else {"before": options.before, "now": HERE}
    best: dict[str, dict[str, Cost]] = {code: {} for code in checkouts}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, size in SIZES.items():
            write_picture(folder / f"{name}.jpg", photograph(size))
        for _ in range(options.rounds):
            for name in SIZES:
                for code, checkout in checkouts.items():
                    made = folder / "made.mp4"
                    cost = run(checkout, folder / f"{name}.jpg", made, options.frames)
                    kept = best[code].get(name, cost)
                    best[code][name] = Cost(
                        *(min(one, other) for one, other in zip(astuple(cost), astuple(kept), strict=True))
                    )
                    print(code, name, cost, flush=True)
    text = table(best)
    print(f"\n{text}")
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "photographs.md").write_text(text + "\n")
    report = {code: {name: asdict(cost) for name, cost in rows.items()} for code, rows in best.items()}
    write_json(options.output / "photographs.json", {"frames": options.frames, "costs": report})


def photograph(size: tuple[int, int]) -> np.ndarray:
    """The bundled portrait in a grainy picture of a size, uint8 (height, width, 3)."""
    width, height = size
    side = round(FILLED * width)
    picture = np.full((height, width, 3), (96, 112, 128), np.float32)
    left, top = (width - side) // 2, (height - side) // 3
    picture[top : top + side, left : left + side] = resize_picture(
        read_picture(portrait_path(PORTRAIT)), (side, side)
    )
    noise = np.random.default_rng(0).normal(0, GRAIN, (height // 2, width // 2)).astype(np.float32)
    picture += cv2.resize(noise, size, interpolation=cv2.INTER_LINEAR)[..., None]
    return np.rint(picture).clip(0, 255).astype(np.uint8)


def run(checkout: Path, portrait: Path, made: Path, frames: int) -> Cost:
    """Animate a portrait with a checkout's code in a process of its own."""
    command = [sys.executable, "-m", "followyouremoji", "animate", str(portrait), DRIVING, "--overwrite"]
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve() / "src")}
    started = time.perf_counter()
    child = subprocess.Popen(
        [*command, "--stop", str(frames), "-o", str(made)],
        cwd=made.parent,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{checkout}: {portrait.name} could not be animated")
    clock = time.perf_counter() - started
    memory = usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)
    return Cost(clock, usage.ru_utime + usage.ru_stime, memory)


def table(best: Mapping[str, Mapping[str, Cost]]) -> str:
    """Each picture's cost, and its ratio to the first picture's of the same code."""
    rows = [["code", "portrait", "clock, s", "processor, s", "memory, MiB", "ratios"]]
    for code, costs in best.items():
        first = next(iter(costs.values()))
        for name, cost in costs.items():
            ratios = [mine / others for mine, others in zip(astuple(cost), astuple(first), strict=True)]
            figures = [number(cost.clock, 1), number(cost.processor, 1), number(cost.memory, 0)]
            rows.append([code, name, *figures, ", ".join(number(ratio, 2) for ratio in ratios)])
    return markdown(rows)


if __name__ == "__main__":
    main()
