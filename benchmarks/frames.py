"""How long a frame takes from landmarks to the finished picture, and a clip from the command line, against an earlier
checkout of this project.

    python benchmarks/frames.py --portrait small.png large.png --clip driving.mp4 [--before CHECKOUT] [--rounds 3]

Two workloads with the bundled model. *Frames*: each portrait is animated by the clip's motion, which is tracked
beforehand; counted is what `PortraitAnimator.frames` takes, the reading of the portrait with it. *Command*: `fye
animate` of the first portrait from its start to the written MP4, the tracking of the clip with it. The checkouts take
turns, each run is a process of its own, and the least of the rounds counts. Prints milliseconds a frame on the clock
and of the processor (all threads), the largest memory of the process, and their ratios to the earlier checkout's. On a
machine that does other work the processor's time is the fairer one to compare.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--portrait", type=Path, nargs="+", required=True)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", choices=("frames", "command"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker = {"frames": frames, "command": command}[options.worker]
        print(json.dumps(worker(options.portrait[0], options.clip)))
        return

    from followyouremoji.benchmark.tables import markdown

    checkouts = [one for one in (options.before, CHECKOUT) if one]
    workloads = [("frames", portrait) for portrait in options.portrait]
    workloads.append(("command", options.portrait[0]))
    rows = [["", "portrait", "checkout", "ms a frame", "processor ms", "MiB", "clock", "processor", "memory"]]
    for workload, portrait in workloads:
        runs: dict[Path, list[list[float]]] = {checkout: [] for checkout in checkouts}
        for _ in range(options.rounds):
            for checkout in checkouts:
                runs[checkout].append(run(checkout, workload, portrait, options.clip))
        least = {
            checkout: [min(values) for values in zip(*some, strict=True)] for checkout, some in runs.items()
        }
        for checkout, values in least.items():
            ratios = [
                f"{value / first:.2f}" for value, first in zip(values, least[checkouts[0]], strict=True)
            ]
            rows.append(
                [workload, portrait.name, checkout.name, *(f"{value:.1f}" for value in values), *ratios]
            )
    print(markdown(rows))


def run(checkout: Path, workload: str, portrait: Path, clip: Path) -> list[float]:
    """Milliseconds a frame on the clock and of the processor, and MiB, of a workload in a process of its own."""
    asked = ["--worker", workload, "--portrait", portrait, "--clip", clip]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    done = subprocess.run(
        [sys.executable, __file__, *map(str, asked)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    values: list[float] = json.loads(done.stdout.splitlines()[-1])
    return values


def frames(portrait: Path, clip: Path) -> list[float]:
    from followyouremoji.animator import PortraitAnimator

    animator = PortraitAnimator.from_pretrained("bundled", "cpu")
    prepared = animator.prepare(str(portrait), str(clip))
    clock, processor = time.perf_counter(), time.process_time()
    made = sum(1 for _ in animator.frames(prepared))
    taken = (time.perf_counter() - clock, time.process_time() - processor)
    return [*(1000 * seconds / made for seconds in taken), mebibytes(resource.RUSAGE_SELF)]


def command(portrait: Path, clip: Path) -> list[float]:
    import av

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "result.mp4"
        arguments = ["animate", str(portrait), str(clip), "--output", str(output)]
        clock = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "followyouremoji", *arguments], check=True, stdout=subprocess.DEVNULL
        )
        seconds = time.perf_counter() - clock
        with av.open(str(output)) as written:
            made = written.streams.video[0].frames
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = usage.ru_utime + usage.ru_stime
    return [1000 * seconds / made, 1000 * processor / made, mebibytes(resource.RUSAGE_CHILDREN)]


def mebibytes(who: int) -> float:
    """The largest memory that this process, or one of those that it waited for, ever had resident."""
    largest = resource.getrusage(who).ru_maxrss
    return largest / 2**20 if sys.platform == "darwin" else largest / 2**10


if __name__ == "__main__":
    main()
