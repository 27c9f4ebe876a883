"""How well models animate drawn portraits that they never saw, compared with baselines: the tables and pictures of
docs/bundled_model.md.

    python benchmarks/bundled_model.py --output FOLDER [--methods copy mesh bundled first=OTHER_WEIGHTS truth]

Each identity of a suite performs a clip of 16 frames; four of them are compared with the true drawing. Suites: *self*,
driven by the true landmarks of the clip; *cross*, driven by another identity's drawings as a user's clip would be
(detected, aligned) and compared with the drawing of the portrait's own identity in that performance; *unseen* and
*unseen-cross*, the same in styles held out from training.

Suites are drawn once into a cache folder. Finished methods are kept in the output folder, so the same command
resumes, and a method may be added later. Methods are described in `followyouremoji/benchmark/methods.py`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from followyouremoji.benchmark.runner import SUITES, Benchmark, run_benchmark
from followyouremoji.checkpoints.sources import cache_folder
from followyouremoji.errors import UserError

METHODS = ("copy", "warp", "mesh", "autoencoder:bundled", "bundled", "truth")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--suites", nargs="+", default=["self", "cross"], choices=SUITES)
    parser.add_argument("--cases", type=int, default=256, help="clips a suite")
    parser.add_argument("--size", type=int, default=256, help="pixels a side at which results are compared")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--suite-cache", type=Path, default=cache_folder() / "suites")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    try:
        run_benchmark(
            Benchmark(
                methods=tuple(options.methods),
                output=options.output,
                cache_folder=options.suite_cache,
                suites=tuple(options.suites),
                cases=options.cases,
                size=options.size,
                processes=options.processes,
            )
        )
    except UserError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


if __name__ == "__main__":
    main()
