"""The time that faces take in an animation: tracking a clip, drawing, warping, writing, and their overlap.

    python benchmarks/landmarks.py [CLIP] --output FOLDER [--frames 350] [--size 512]

The clip is cut square, scaled and played forwards and backwards until it has the wanted number of frames, and written
as an mp4 in a temporary folder; without a CLIP, the bundled portrait performs the bundled motion. Three tables, each
measured in turns, the best of the rounds; also as `landmarks.txt` and `landmarks.json`:

- *Extraction*: that file read from disk, and the landmarks detected in every frame by `track_motion`, with decoding
  before each frame or ahead in a thread.
- *A frame*: each part outside of the networks, see `faces.py`. One core.
- *The wait*: the work of `fye animate`, from the start of Python to the written file, each time in a new process: one
  part after the other, and with loading, decoding and encoding in threads of their own.

Processor time, of all threads together, is printed with the time on the clock: on a machine that does other work it is
the fairer one to compare where nothing overlaps. Overlapping needs cores: the first and the last table use all that
the process may use (`taskset` limits them), and print how many.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from itertools import chain, cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from faces import PORTRAIT, Cost, alternated, bundled_performance, frame_costs

from followyouremoji.errors import UserError
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.motion import Motion
from followyouremoji.face.tracking import track_motion
from followyouremoji.files import write_json
from followyouremoji.media.clips import DECODED_AHEAD, ClipReader
from followyouremoji.media.pictures import read_picture
from followyouremoji.media.ranges import ClipRange
from followyouremoji.media.writing import ClipWriter, exact_rate, open_encoder
from followyouremoji.prefetch import prefetch
from followyouremoji.provenance.record import GENERATED_COMMENT
from followyouremoji.requests.bundled import portrait_path

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator

WAITS = ("one after the other", "overlapped")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path, nargs="?", help="otherwise the bundled portrait and motion")
    parser.add_argument("--frames", type=int, default=350)
    parser.add_argument("--size", type=int, default=512, help="pixels a side of the clip")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wait-frames", type=int, default=100, help="of the third table; 0 leaves it out")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    try:
        measure(options)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def measure(options: argparse.Namespace) -> None:
    """Measure, print and write the three tables."""
    options.output.mkdir(parents=True, exist_ok=True)
    cores = sorted(os.sched_getaffinity(0))
    name = options.clip.name if options.clip else "the bundled performance"
    page: list[str] = []

    def tell(part: str) -> None:
        page.append(part)
        print(part, end="\n\n", flush=True)

    tell(
        f"{name} as {options.frames} frames of {options.size}x{options.size}; best of {options.rounds} rounds; "
        f"{len(cores)} cores"
    )
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(options.clip, clip, options.frames, options.size)
        extraction = extraction_costs(clip, options.rounds)
        tell(cost_table("extraction", extraction))

        motion = track(clip, decode_ahead=False)
        os.sched_setaffinity(0, cores[:1])
        cv2.setNumThreads(1)
        frame = frame_costs(clip, motion, Path(folder), options.rounds)
        os.sched_setaffinity(0, cores)
        tell(cost_table("a frame's part, on one core", frame))

        waits = wait_times(clip, Path(folder), options.wait_frames, options.rounds)
        if waits:
            tell(wait_table(waits))
    figures = {
        "clip": name,
        "frames": options.frames,
        "size": options.size,
        "rounds": options.rounds,
        "cores": len(cores),
        "extraction_ms_a_frame": {way: asdict(cost) for way, cost in extraction.items()},
        "frame_ms": {part: asdict(cost) for part, cost in frame.items()},
        "wait_frames": options.wait_frames,
        "wait_s": waits,
    }
    (options.output / "landmarks.txt").write_text("\n\n".join(page) + "\n", encoding="utf-8")
    write_json(options.output / "landmarks.json", figures)


def cost_table(title: str, costs: dict[str, Cost]) -> str:
    """A line a cost."""
    wide = max(len(title), *map(len, costs))
    lines = [f"{title:{wide}}{'clock, ms':>16}{'processor, ms':>16}"]
    lines += [f"{name:{wide}}{cost.clock:16.3f}{cost.processor:16.3f}" for name, cost in costs.items()]
    return "\n".join(lines)


def wait_table(waits: dict[str, dict[str, float]]) -> str:
    """The wait's marks, seconds since the start, and the ratio of the whole."""
    lines = [f"{'the wait, seconds since the start':34}{''.join(f'{way:>22}' for way in waits)}"]
    for mark in next(iter(waits.values())):
        lines.append(f"{mark:34}{''.join(f'{marks[mark]:22.2f}' for marks in waits.values())}")
    first, second = (marks["written"] for marks in waits.values())
    return "\n".join([*lines, f"{'times as fast':34}{1.0:22.2f}{first / second:22.2f}"])


def write_clip(source: Path | None, target: Path, frames: int, size: int) -> None:
    """The middle square of a clip, scaled, forwards and backwards until there are enough frames."""
    if source is None:
        pictures = list(islice(bundled_performance(size), frames))
    else:
        with ClipReader(source) as reader:
            pictures = [middle_square(picture, size) for _, picture in islice(reader, frames)]
    there_and_back = pictures + pictures[-2:0:-1]
    with ClipWriter(target, 30.0, (size, size)) as writer:
        for picture in islice(cycle(there_and_back), frames):
            writer.write(picture)


def middle_square(picture: np.ndarray, size: int) -> np.ndarray:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return cv2.resize(
        picture[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA
    )


def extraction_costs(clip: Path, rounds: int) -> dict[str, Cost]:
    """The first table."""
    runs: dict[str, Callable[[], int]] = {
        "decoded": lambda: sum(1 for _ in frames_of(clip)),
        "tracked": lambda: len(track(clip, decode_ahead=False)),
        "tracked, decoded ahead": lambda: len(track(clip, decode_ahead=True)),
    }
    return alternated(runs, rounds)


def frames_of(clip: Path) -> Iterator[tuple[float, np.ndarray]]:
    with ClipReader(clip) as reader:
        yield from reader


def track(clip: Path, decode_ahead: bool) -> Motion:
    with ClipReader(clip) as reader, FaceDetector() as detector:
        return tracked_by(detector, reader, decode_ahead)


def tracked_by(detector: FaceDetector, reader: ClipReader, decode_ahead: bool) -> Motion:
    rate = reader.info.frame_rate
    if not decode_ahead:
        return track_motion(reader, rate, detector, "the clip")[0]
    with closing(prefetch(reader, DECODED_AHEAD)) as frames:
        return track_motion(frames, rate, detector, "the clip")[0]


def wait_times(clip: Path, folder: Path, frames: int, rounds: int) -> dict[str, dict[str, float]]:
    """The third table: seconds from a process's start until each mark, of the quickest run of each way."""
    waits: dict[str, dict[str, float]] = {}
    results = set()
    for _ in range(rounds if frames else 0):
        for way in WAITS:
            target = folder / "result.mp4"
            target.unlink(missing_ok=True)
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                begun = time.time()
                marks = process.submit(wait, clip, target, frames, way).result()
            since = {mark: at - begun for mark, at in marks.items()}
            waits[way] = min(waits.get(way, since), since, key=lambda one: one["written"])
            results.add(hashlib.sha256(target.read_bytes()).hexdigest())
    if len(results) > 1:
        print("\nThe ways to wait made different files.")
    return waits


def wait(clip: Path, target: Path, frames: int, way: str) -> dict[str, float]:
    """The work of `fye animate` with the bundled model, in a process of its own: the clock's seconds at each mark."""
    overlapped = way == "overlapped"
    marks = {"started": time.time()}

    def mark(name: str) -> None:
        marks[name] = time.time()

    def load() -> PortraitAnimator:
        from followyouremoji.animator import PortraitAnimator

        animator = PortraitAnimator.from_pretrained("bundled")
        mark("model loaded")
        return animator

    with ThreadPoolExecutor(1) as pool, FaceDetector() as detector:
        loading = pool.submit(load)
        if not overlapped:
            loading.result()
        picture = read_picture(portrait_path(PORTRAIT))
        landmarks = detector.detect(picture)
        mark("portrait's face found")
        with ClipReader(clip, ClipRange(stop=frames)) as reader:
            motion = tracked_by(detector, reader, overlapped).smoothed()
        mark("clip tracked")
        animator = loading.result()
    prepared = animator.prepare(picture, motion, portrait_landmarks=landmarks)
    results = animator.frames(prepared)
    first = next(results)
    mark("first frame generated")
    rows: Iterable[np.ndarray] = chain([first], results)
    if overlapped:
        with ClipWriter(target, motion.frame_rate, prepared.output_size) as writer:
            for row in rows:
                writer.write(row)
    else:
        encoder = open_encoder(
            target, ".mp4", exact_rate(motion.frame_rate), prepared.output_size, None, GENERATED_COMMENT
        )
        for row in rows:
            encoder.write(row)
        encoder.finish()
    mark("written")
    return marks


if __name__ == "__main__":
    sys.exit(main())
