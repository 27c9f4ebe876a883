"""Train the six ablations of the paper's Table 2 and the full recipe at small scale, and print the table with the
paper's figures.

    python benchmarks/ablations.py --output FOLDER [--budget 1.0] [--cases 64] [--only full without_pupils]

Every ablation gets the same drawings, autoencoder, seeds and steps. Finished parts stay in FOLDER, and the same
command resumes, also after Ctrl-C; another budget needs another FOLDER. Runs are ordinary ones, whose TOML files lie
in the same folders. `--smoke` does everything once in about a minute, to test the machinery: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from followyouremoji.benchmark.ablations import (
    FULL,
    PREFIX,
    Interrupted,
    Scale,
    comparison,
    read_ablation,
    train_all,
)
from followyouremoji.benchmark.runner import Benchmark, run_benchmark
from followyouremoji.checkpoints.sources import cache_folder
from followyouremoji.errors import UserError

CONFIGS = Path(__file__).parents[1] / "configs" / "ablations"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--configs", type=Path, default=CONFIGS)
    parser.add_argument("--only", nargs="+", help="ablations by name; the full recipe is always among them")
    parser.add_argument("--budget", type=float, default=1.0, help="times the steps of the configs")
    parser.add_argument("--singles", type=int, default=600, help="identities in the training pictures")
    parser.add_argument("--clips", type=int, default=60, help="identities in the training clips")
    parser.add_argument("--cases", type=int, default=64, help="clips of each suite")
    parser.add_argument(
        "--compared-size", type=int, default=128, help="pixels a side at which results are compared"
    )
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--suite-cache", type=Path, default=cache_folder() / "suites")
    parser.add_argument("--smoke", action="store_true", help="a few steps of everything")
    options = parser.parse_args()
    scale = Scale(options.budget, singles=options.singles, clips=options.clips)
    cases = options.cases
    if options.smoke:
        scale, cases = Scale(0.002, singles=10, clips=5), 3
    begun = time.monotonic()
    try:
        paths = sorted(options.configs.glob(f"{PREFIX}*.toml"))
        ablations = [read_ablation(path) for path in paths]
        ablations = [
            one for one in ablations if not options.only or one.name in options.only or one.name == FULL
        ]
        ablations.sort(key=lambda one: one.name == FULL)
        methods = train_all(ablations, options.configs, options.output, scale, options.processes)
        results = run_benchmark(
            Benchmark(
                methods=("copy", *methods),
                output=options.output / "benchmark",
                cache_folder=options.suite_cache,
                cases=cases,
                size=options.compared_size,
                processes=options.processes,
            )
        )
        table = comparison(ablations, results)
    except Interrupted as left:
        print(left)
        sys.exit(left.outcome.exit_code)
    except UserError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    (options.output / "table2.md").write_text(table + "\n")
    print(f"\n{table}\n\n{(time.monotonic() - begun) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
