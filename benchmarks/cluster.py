"""How evenly a cluster's executor shares work: a simulated GPU that takes a fixed time for a segment.

    python -m benchmarks.cluster [--workers 1,2,4,8,16,32,64] [--seconds 2] [--each 8] [--megabytes 0]

For each number of workers Ray starts on this machine, said to have as many processors. A worker sleeps, which needs no
processor, and answers with so many megabytes: what is measured is the sharing alone. *efficiency* is the time that
`--each` segments take one worker after the other over the time that all workers took for `--each` segments each. Their
start is not in it: a first round waits until all are there. *memory* is what a worker's process has for itself; it
imports neither torch nor MediaPipe.

A second table has no measurement in it: the rounds of segments that one clip's plan takes on so many workers, and how
busy these are. The first levels of a plan have few segments.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from followyouremoji.executors import RayCluster
from followyouremoji.sampling.progressive import plan

WINDOW = 16
FRAMES = (300, 1500, 9000)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", default="1,2,4,8,16,32,64", help="with commas between")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a segment")
    parser.add_argument("--each", type=int, default=8, help="segments of each worker")
    parser.add_argument("--megabytes", type=float, default=0.0, help="of a segment's answer")
    given = parser.parse_args()
    workers = [int(one) for one in given.workers.split(",")]
    print(f"{given.each} segments of {given.seconds:g} s each worker, answers of {given.megabytes:g} MB\n")
    print("| workers | seconds | efficiency | memory of a worker, MB |\n|---:|---:|---:|---:|")
    for count in workers:
        seconds, memory = measured(count, given.seconds, given.each, given.megabytes)
        efficiency = given.each * given.seconds / seconds
        print(f"| {count} | {seconds:.2f} | {efficiency:.1%} | {memory:.0f} |", flush=True)
    print(planned(workers))


def measured(count: int, seconds: float, each: int, megabytes: float) -> tuple[float, float]:
    """Seconds that so many workers take, and the memory of one, megabytes."""
    import ray

    ray.init(
        address="local",
        num_cpus=count,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=500_000_000,
    )
    try:
        with tempfile.TemporaryDirectory() as folder, RayCluster() as executor:
            gather = partial(meet, Path(folder), count)
            memory = [outcome.result() for outcome in executor.map(gather, range(count))]
            started = time.monotonic()
            work = partial(segment, seconds, round(megabytes * 1e6))
            outcomes = [outcome.item for outcome in executor.map(work, range(count * each))]
            took = time.monotonic() - started
            assert sorted(outcomes) == list(range(count * each))
            return took, statistics.median(memory)
    finally:
        ray.shutdown()


def segment(seconds: float, size: int, item: int) -> bytes:
    """What stands for a GPU."""
    time.sleep(seconds)
    return bytes(size)


def meet(folder: Path, count: int, item: int) -> float:
    """Wait until all workers are here; the megabytes of memory that this process shares with no other."""
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < count:
        time.sleep(0.2)
    rollup = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in rollup if line.startswith("Private")) / 1e3


def planned(workers: Sequence[int]) -> str:
    """A table of the rounds that plans of clips take."""
    lines = [
        "",
        f"A clip of one scene, windows of {WINDOW} frames: rounds of segments, and how busy the workers are",
        "",
    ]
    lines.append(
        "| frames | segments by level | " + " | ".join(f"{count} workers" for count in workers) + " |"
    )
    lines.append("|---:|---|" + "---:|" * len(workers))
    for frames in FRAMES:
        levels = [len(level) for level in plan(frames, WINDOW)]
        cells = []
        for count in workers:
            rounds = sum(math.ceil(size / count) for size in levels)
            cells.append(f"{rounds}, {sum(levels) / count / rounds:.0%}")
        lines.append(f"| {frames} | {', '.join(map(str, levels))} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    from benchmarks import cluster  # workers find its functions by this name

    cluster.main()
