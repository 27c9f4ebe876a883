"""Clips of any length: time and memory against length, and seams, drift, flicker and landmarks of each way to make
them.

    python benchmarks/length.py [--frames 1000] [--short 100] [--steps 1,4] [--strategies keyframes,tiles,chain]
                                [--weights bundled] [--output results/length] [--work FOLDER] [--styles person]

A drawn portrait performs a motion that ends as it began. Its true drawings are made once, in the work folder. Then

- *cost*: child processes animate the short and the long clip in turns, each streamed into an mp4; processor seconds a
  frame, seconds on the clock, and the largest resident memory of each. Loading the model counts for memory, not for
  time; the motion comes aligned.
- *quality*: every strategy makes the long clip with each number of steps. A seam is a step from one frame to the next
  across a border of segments: one frame was known when the other was generated, or a window begins or ends there.
  *seams* is the change of the face from frame to frame across seams over that inside segments, each relative to the
  change of the true drawings there; *seams of error* the same for the difference from the truth. *drift* is the
  identity figure of the last 100 frames less that of the first 100, which show the same motion, with its interval.
  Flicker is second difference beyond the truth's.

Prints tables, writes length.json, length.md, length.png and contact sheets into the output folder: of some seams three
frames before and three after, the truth above the result.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from followyouremoji.animator import PortraitAnimator
from followyouremoji.benchmark.exact import prepare_exact
from followyouremoji.benchmark.fingerprints import code_hash, text_hash
from followyouremoji.benchmark.length import ENDS, LongScores, measure, repeating_motion, seams
from followyouremoji.benchmark.metrics.identity import describe, measured_scale
from followyouremoji.benchmark.tables import markdown, number
from followyouremoji.checkpoints.sources import cache_folder
from followyouremoji.face.detection import FaceDetector
from followyouremoji.media.pictures import contact_sheet, write_picture
from followyouremoji.media.writing import ClipWriter
from followyouremoji.portraits import Performance, draw_portrait, random_identity
from followyouremoji.prepared import Prepared
from followyouremoji.settings import AnimationSettings

SIZE = 256  # pixels a side of the drawings
FRAME_RATE = 25.0
SEED = 960_000  # of identity and motion; in no suite and no training
TARGETS = {"memory": 1.10, "time": 0.05, "seams": 1.10}
WARM_UP = 4  # frames
ROUNDS = 2  # of the cost, short and long in turns
SHEET_SEAMS, SHEET_AROUND = 4, 3  # seams on the contact sheet, frames to each side


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--short", type=int, default=100)
    parser.add_argument("--steps", default="1,4", help="numbers of steps, with commas between")
    parser.add_argument("--strategies", default="keyframes,tiles,chain")
    parser.add_argument("--styles", default="person", help="portraits, one of each style named")
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of the cost; 0 leaves it out")
    parser.add_argument("--output", type=Path, default=Path("results/length"))
    parser.add_argument("--work", type=Path, default=cache_folder() / "length")
    parser.add_argument("--child", help=argparse.SUPPRESS)  # what one process of the cost animates, as JSON
    options = parser.parse_args()
    if options.child:
        print(json.dumps(animate_and_count(**json.loads(options.child))))
        return
    options.output.mkdir(parents=True, exist_ok=True)
    numbers = [int(steps) for steps in options.steps.split(",")]
    folders = [drawn(style, options.frames, options.work) for style in options.styles.split(",")]
    report: dict[str, Any] = {"frames": options.frames, "short": options.short, "weights": options.weights}
    text = []
    if options.rounds:
        report["cost"] = costs(folders[0], options, numbers)
        text.append(cost_table(report["cost"]))
        print(text[-1], flush=True)
    report["quality"] = []
    shown: dict[str, LongScores] = {}
    for steps in numbers:
        for strategy in options.strategies.split(","):
            for place, folder in enumerate(folders):
                row, scores = quality(folder, options, steps, strategy, sheet=place == 0)
                report["quality"].append(row)
                if place == 0:
                    shown[f"{strategy}, {steps} step{'s' * (steps > 1)}"] = scores
                print(json.dumps(row), flush=True)
    text.append(quality_table(report["quality"]))
    print("\n" + text[-1])
    (options.output / "length.json").write_text(json.dumps(report, indent=1))
    (options.output / "length.md").write_text("\n\n".join(text) + "\n")
    plot(options.output / "length.png", report, shown)


def drawn(style: str, frames: int, work: Path) -> Path:
    """A folder with a long drawn clip: `truth.npy`, `points.npy`, `portrait.npz`; drawn where it is not there yet."""
    drawing_code = code_hash("face", "portraits", libraries=("skia-python",))
    folder = work / f"{style}-{frames}-{text_hash(f'{drawing_code} {SEED} {SIZE} {FRAME_RATE}')}"
    if (folder / "portrait.npz").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    identity = random_identity(np.random.default_rng((SEED, 0)), style)
    truth = np.lib.format.open_memmap(folder / "truth.npy", "w+", np.uint8, (frames, SIZE, SIZE, 3))
    points = np.empty((frames, 478, 2), np.float32)
    for frame, performance in enumerate(repeating_motion(SEED, frames, FRAME_RATE)):
        one = draw_portrait(identity, performance, SIZE)
        truth[frame], points[frame] = one.picture, one.points
    truth.flush()
    np.save(folder / "points.npy", points)
    rest = draw_portrait(identity, Performance.neutral(), SIZE)
    np.savez(
        folder / "portrait.npz", picture=rest.picture, points=rest.points
    )  # last: it says that all is there
    return folder


@dataclass(frozen=True)
class LongClip:
    """A drawn portrait uint8 (S, S, 3) with its landmarks (478, 2), and the true frames (T, S, S, 3) with theirs."""

    style: str
    portrait: np.ndarray
    own: np.ndarray
    truth: np.ndarray
    points: np.ndarray

    @classmethod
    def read(cls, folder: Path, frames: int | None = None) -> LongClip:
        """The clip of a folder, or its beginning, its pictures mapped from the file."""
        with np.load(folder / "portrait.npz") as portrait:
            picture, own = portrait["picture"], portrait["points"]
        points = np.load(folder / "points.npy")[:frames]
        truth = np.load(folder / "truth.npy", mmap_mode="r")[:frames]
        return cls(folder.name.split("-")[0], picture, own, truth, points)

    def prepared(self, animator: PortraitAnimator) -> Prepared:
        return prepare_exact(animator, self.portrait, self.own, self.points, FRAME_RATE)


def animate_and_count(folder: str, frames: int, steps: int, strategy: str, weights: str) -> dict[str, float]:
    """Animate a clip into an mp4 that is thrown away; seconds a frame, and the process's largest resident memory in
    MiB."""
    animator = PortraitAnimator.from_pretrained(weights)
    prepared = LongClip.read(Path(folder), frames).prepared(animator)
    settings = AnimationSettings(steps=steps, long_clips=strategy)  # type: ignore[arg-type]
    first = LongClip.read(Path(folder), WARM_UP).prepared(animator)
    for _ in animator.frames(first, settings):
        pass  # what a library prepares on its first call is no time of a frame
    with tempfile.TemporaryDirectory() as temporary:
        clock, processor = time.perf_counter(), time.process_time()
        with ClipWriter(Path(temporary) / "clip.mp4", FRAME_RATE, prepared.output_size) as writer:
            for picture in animator.frames(prepared, settings):
                writer.write(picture)
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform != "darwin" else 1 << 20
    )
    return {"clock": clock / frames, "processor": processor / frames, "memory": peak}


def costs(folder: Path, options: argparse.Namespace, numbers: list[int]) -> list[dict[str, Any]]:
    """Both lengths in turns, best of the rounds."""
    rows = []
    for steps in numbers:
        for strategy in options.strategies.split(","):
            runs: dict[int, list[dict[str, float]]] = {options.short: [], options.frames: []}
            for _ in range(options.rounds):
                for frames, found in runs.items():
                    asked = json.dumps({
                        "folder": str(folder), "frames": frames, "steps": steps, "strategy": strategy, "weights": options.weights,
                    })  # fmt: skip
                    command = [sys.executable, __file__, "--child", asked]
                    ended = subprocess.run(
                        command, capture_output=True, text=True, check=True, env=os.environ
                    )
                    found.append(json.loads(ended.stdout.splitlines()[-1]))
            row: dict[str, Any] = {"strategy": strategy, "steps": steps}
            for frames, found in runs.items():
                row[str(frames)] = {name: min(run[name] for run in found) for name in found[0]}
            short, long = row[str(options.short)], row[str(options.frames)]
            row["ratio"] = {name: long[name] / short[name] for name in long}
            print(json.dumps(row), flush=True)
            rows.append(row)
    return rows


def quality(
    folder: Path, options: argparse.Namespace, steps: int, strategy: str, sheet: bool
) -> tuple[dict[str, Any], LongScores]:
    """The figures of one strategy on one clip."""
    animator = PortraitAnimator.from_pretrained(options.weights)
    clip = LongClip.read(folder)
    settings = AnimationSettings(steps=steps, long_clips=strategy)  # type: ignore[arg-type]
    crossed = seams(animator.sampling(settings), len(clip.truth))
    ends = ENDS if len(clip.truth) >= 3 * ENDS else 0
    described = [describe(clip.truth[frame], clip.points[frame]) for frame in range(0, len(clip.truth), 20)]
    person = np.mean(described, axis=0)
    places = np.flatnonzero(crossed[SHEET_AROUND - 1 : -SHEET_AROUND]) + SHEET_AROUND - 1 if sheet else []
    places = places[:: max(1, len(places) // SHEET_SEAMS)][:SHEET_SEAMS]
    rows = [range(int(seam) + 1 - SHEET_AROUND, int(seam) + 1 + SHEET_AROUND) for seam in places]
    wanted = {frame for row in rows for frame in row}
    kept: dict[int, np.ndarray] = {}

    def results() -> Iterator[np.ndarray]:
        for frame, picture in enumerate(animator.frames(clip.prepared(animator), settings)):
            if frame in wanted:
                kept[frame] = picture
            yield picture

    with FaceDetector() as detector:
        scores = measure(results(), clip.truth, clip.points, person, detector, measured_scale(SIZE), ends)
    if kept:
        pictures: list[np.ndarray] = []
        for row in rows:
            pictures += [np.asarray(clip.truth[frame]) for frame in row] + [kept[frame] for frame in row]
        name = f"seams-{strategy}-{steps}.png"
        write_picture(options.output / name, contact_sheet(pictures, 2 * SHEET_AROUND), overwrite=True)
    drift, low, high = scores.drift()
    return {
        "strategy": strategy,
        "steps": steps,
        "style": clip.style,
        "face": float(np.nanmean(scores.error)),
        "seams": scores.seam_ratio(crossed),
        "seams_of_error": scores.seam_error_ratio(crossed),
        "flicker": float(scores.shaken.mean()),
        "landmarks": float(np.nanmean(scores.landmarks)),
        "identity": float(np.nanmean(scores.identity)),
        "drift": drift,
        "drift_interval": [low, high],
        "seams_counted": int(crossed.sum()),
    }, scores  # fmt: skip


def cost_table(rows: list[dict[str, Any]]) -> str:
    short, long = (name for name in rows[0] if name.isdigit())
    titles = [
        "",
        *(f"{what}, {n} frames" for what in ("ms a frame (processor)", "peak MiB") for n in (short, long)),
    ]
    table = [[*titles, "time, long over short", "memory, long over short", "within the targets"]]
    for row in rows:
        ratio = row["ratio"]
        met = abs(ratio["processor"] - 1) <= TARGETS["time"] and ratio["memory"] <= TARGETS["memory"]
        table.append([
            f"{row['strategy']}, {row['steps']}",
            *(f"{1000 * row[n]['processor']:.1f}" for n in (short, long)),
            *(f"{row[n]['memory']:.0f}" for n in (short, long)),
            f"{ratio['processor']:.3f}", f"{ratio['memory']:.3f}", "yes" if met else "no",
        ])  # fmt: skip
    return markdown(table)


def quality_table(rows: list[dict[str, Any]]) -> str:
    table = [["", "portrait", "face L1", "seams", "seams of error", "flicker", "landmarks", "identity", "drift [95 %]", "within the targets"]]  # fmt: skip
    for row in rows:
        low, high = row["drift_interval"]
        met = row["seams"] <= TARGETS["seams"] and (math.isnan(row["drift"]) or low <= 0 <= high)
        table.append([
            f"{row['strategy']}, {row['steps']}", row["style"], number(row["face"], 4), number(row["seams"], 3), number(row["seams_of_error"], 3),
            number(row["flicker"], 5), number(row["landmarks"], 4), number(row["identity"], 4),
            "" if math.isnan(row["drift"]) else f"{row['drift']:+.4f} [{low:+.4f}, {high:+.4f}]", "yes" if met else "no",
        ])  # fmt: skip
    return markdown(table)


def plot(path: Path, report: dict[str, Any], shown: dict[str, LongScores]) -> None:
    """Seams and error along the clip, and cost against length."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    (seam, memory), (error, identity) = figure.subplots(2, 2)
    labels = [f"{row['strategy']}, {row['steps']} ({row['style']})" for row in report["quality"]]
    places = np.arange(len(labels))[::-1]
    seam.barh(places, [row["seams"] - 1 for row in report["quality"]], left=1, height=0.6)
    seam.axvline(TARGETS["seams"], color="0.5", linestyle=":")
    seam.set_yticks(places, labels, fontsize=7)
    seam.set_title("difference across seams over inside, relative to the truth's", fontsize=9)
    for row in report.get("cost", []):
        lengths = sorted(int(name) for name in row if name.isdigit())
        memory.plot(
            lengths,
            [row[str(n)]["memory"] for n in lengths],
            "o-",
            label=f"{row['strategy']}, {row['steps']}",
        )
    memory.set_title("peak memory (MiB) against frames", fontsize=9)
    memory.set_ylim(0, 1.1 * memory.get_ylim()[1])
    for panel, name, title in (
        (error, "error", "face L1 along the clip"),
        (identity, "identity", "identity along the clip"),
    ):
        for label, scores in shown.items():
            values = getattr(scores, name)
            known = np.flatnonzero(np.isfinite(values))
            width = max(1, len(known) // 20)
            smooth = np.convolve(values[known], np.ones(width) / width, "valid")
            panel.plot(known[: len(smooth)] + width // 2, smooth, label=label, linewidth=1)
        panel.set_title(f"{title} (running mean)", fontsize=9)
    for panel in (memory, error):
        if panel.lines:
            panel.legend(fontsize=7)
    figure.savefig(path, dpi=140)


if __name__ == "__main__":
    main()
