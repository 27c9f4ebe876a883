"""Speed against quality: every preset against 30 steps of DDIM, and what another seed changes.

    python benchmarks/speed.py --output FOLDER [--suite drawn] [--pairs 24] [--seeds 3] [--passes 3 8]
                               [--fewer-steps 10 6] [--layers]

Pairs are those of a suite whose truth is known; each is denoised by all methods in turn, so that ratios of times are
fair whatever else the machine does. Passes, time and all figures go to a table and `speed.json`, pictures to
`sheet.png` (the truth, exact, and the presets). Finished pairs are kept in `rows.jsonl`, and the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from followyouremoji.animator import PortraitAnimator
from followyouremoji.benchmark.metrics import METRICS
from followyouremoji.benchmark.named import find_suite
from followyouremoji.benchmark.observation import Observer
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.run import spread_pairs
from followyouremoji.benchmark.speed import (
    EXACT,
    JUDGED,
    SpeedMethod,
    SpeedRow,
    compared_methods,
    is_lossless,
    judge,
    measure_case,
    seed_methods,
)
from followyouremoji.benchmark.suite import Case
from followyouremoji.benchmark.systems import weights_hash
from followyouremoji.benchmark.tables import markdown, number
from followyouremoji.errors import UserError
from followyouremoji.executors import Local
from followyouremoji.files import write_json
from followyouremoji.media.pictures import contact_sheet, write_picture
from followyouremoji.sampling.presets import PRESETS

SHEET_ROWS = 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--suite", default="drawn", help="a name or a folder")
    parser.add_argument("--pairs", type=int, default=24, help="spread over the suite")
    parser.add_argument("--frames", type=int, default=16, help="of each clip")
    parser.add_argument("--size", type=int, default=256, help="pixels a side at which results are compared")
    parser.add_argument("--steps", type=int, default=30, help="of the exact result")
    parser.add_argument("--guidance", type=float, help="scale; otherwise the model's")
    parser.add_argument("--seeds", type=int, default=3, help="of the exact sampler")
    parser.add_argument(
        "--passes", type=int, nargs="*", default=[], help="other numbers of passes to forecast from"
    )
    parser.add_argument(
        "--fewer-steps", type=int, nargs="*", default=[10, 6], help="plain DDIM, to compare with"
    )
    parser.add_argument(
        "--layers", action="store_true", help="other caches of layer features, such as DeepCache"
    )
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        compare(options)
    except UserError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


def compare(options: argparse.Namespace) -> None:
    """Measure what is missing and write everything."""
    if options.seeds < 2:
        raise UserError("What another seed changes needs at least --seeds 2.")
    animator = PortraitAnimator.from_pretrained(options.weights)
    config = animator.model.config
    guidance, shared = options.guidance or config.guidance_scale, config.shared_noise
    seeds = seed_methods(options.steps, options.seeds)
    methods = [*seeds, *compared_methods(options.steps, options.passes, options.fewer_steps, options.layers)]
    protocol = Protocol.here(options.size, options.frames)
    with Local() as executor:
        suite = find_suite(options.suite, executor)
    cases = suite.cases(protocol, spread_pairs(suite, options.pairs))
    if not all(case.truth_motion for case in cases):
        raise UserError(
            f"The true results of the suite {options.suite} are not known; take one that is drawn."
        )
    kept = options.output / "rows.jsonl"
    pictures = options.output / "pictures"
    pictures.mkdir(exist_ok=True)
    about = [
        suite.fingerprint,
        options.frames,
        weights_hash(options.weights),
        guidance,
        [str(m) for m in methods],
    ]
    described: dict[str, object] = {"about": about}
    rows = read_rows(kept, described)
    with Observer() as observer, kept.open("a") as file:
        for number, case in enumerate(cases, 1):
            if any(row.case == case.name for row in rows):
                continue
            made = []
            for row, frames in measure_case(animator, case, methods, observer, guidance, shared):
                made.append(row)
                if row.method in PRESETS:
                    np.save(pictures / f"{row.method}_{case.name}.npy", frames[shown_frames(case)])
            file.write("".join(json.dumps(asdict(row)) + "\n" for row in made))
            file.flush()
            rows += made
            print(f"pair {number} of {len(cases)}", flush=True)
    names = [seed.name for seed in seeds]
    page = "\n\n".join([table(rows, methods, names), notes(rows, names)])
    print(page)
    (options.output / "speed.md").write_text(page + "\n")
    summary = [summarised(rows, method, names) for method in methods]
    write_json(options.output / "speed.json", {**described, "methods": summary})
    presets = [method.name for method in methods if method.name in PRESETS]  # exact among them
    write_sheet(options.output / "sheet.png", cases, pictures, presets)


def read_rows(kept: Path, described: dict[str, object]) -> list[SpeedRow]:
    """Rows of an earlier run of the same; anything else is begun again."""
    lines = kept.read_text().splitlines() if kept.exists() else []
    if not lines or json.loads(lines[0]) != described:
        kept.write_text(json.dumps(described) + "\n")
        return []
    return [SpeedRow(**json.loads(line)) for line in lines[1:]]


def summarised(rows: Sequence[SpeedRow], method: SpeedMethod, seeds: Sequence[str]) -> dict[str, object]:
    """One method's line of the table."""
    own = [row for row in rows if row.method == method.name]
    exact = [row for row in rows if row.method == EXACT]
    judged = judge(rows, method.name, seeds)
    return {
        "method": method.name,
        "cache": str(method.cache),
        "seed": method.seed,
        "faster": sum(row.seconds for row in exact) / sum(row.seconds for row in own),
        "faster_on_processor": sum(r.processor_seconds for r in exact)
        / sum(r.processor_seconds for r in own),
        "seconds": float(np.mean([row.seconds for row in own])),
        "computed": float(np.mean([row.computed for row in own])),
        "away": float(np.mean([row.away for row in own])),
        "figures": {one.figure: asdict(one) for one in judged},
        "lossless_in_mean": all(one.kept_in_mean for one in judged),
        "lossless_by_case": all(one.kept_by_case for one in judged),
        "lossless": is_lossless(judged),
    }


def table(rows: Sequence[SpeedRow], methods: Sequence[SpeedMethod], seeds: Sequence[str]) -> str:
    """A line a method; behind each figure, how far it is from exact in units of what seeds differ by: of the means, and
    case by case."""
    known = {metric.name: metric for metric in METRICS}
    heads = ["", "faster", "by CPU time", "passes", "latents away"]
    lines = [[*heads, *(known[name].title for name in JUDGED), "lossless"]]
    for method in methods:
        line = summarised(rows, method, seeds)
        cells = [
            method.name,
            *(f"{line[name]:.2f}x" for name in ("faster", "faster_on_processor")),
            number(float(line["computed"]), 1),  # type: ignore[arg-type]
            number(float(line["away"]), 3),  # type: ignore[arg-type]
        ]
        for one in judge(rows, method.name, seeds):
            share = one.of_means / max(one.seeds_of_means, 1e-12)
            cells.append(
                f"{number(one.mean, known[one.figure].digits)} ({share:+.2f}, {one.of_cases / max(one.seeds_of_cases, 1e-12):.2f})"
            )
        lines.append([*cells, "yes" if line["lossless"] else "by case" if line["lossless_by_case"] else "no"])
    return markdown(lines)


def notes(rows: Sequence[SpeedRow], seeds: Sequence[str]) -> str:
    between = judge(rows, seeds[0], seeds)
    differences = "; ".join(f"{o.figure} {o.seeds_of_means:.5f} and {o.seeds_of_cases:.5f}" for o in between)
    return (
        "In brackets: the difference of the suite's mean from exact, and the mean absolute difference case by case, both over what two seeds "
        f"of the exact sampler differ by. Seeds differ by (means, case by case): {differences}. Lossless: all of these at most 1."
    )


def shown_frames(case: Case) -> list[int]:
    """Of the contact sheet: in the middle and at the end."""
    return [case.frames // 2, case.frames - 1]


def write_sheet(path: Path, cases: Sequence[Case], pictures: Path, presets: Sequence[str]) -> None:
    """A row a pair: the portrait, then for two frames the truth, the exact result and each preset's."""
    cells: list[np.ndarray] = []
    columns = 0
    for case in cases[:SHEET_ROWS]:
        made = [np.load(pictures / f"{name}_{case.name}.npy", allow_pickle=False) for name in presets]
        row = [case.portrait]
        assert case.truth is not None
        for place, frame in enumerate(shown_frames(case)):
            row += [case.truth[frame], *(frames[place] for frames in made)]
        cells, columns = cells + row, len(row)
    write_picture(path, contact_sheet(cells, columns), overwrite=True)


if __name__ == "__main__":
    main()
