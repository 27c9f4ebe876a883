"""Live animation at a camera's rate, and its picture against that of an animation of the same clip.

    python -m benchmarks.live [--seconds 60] [--size 256 512] [--portrait bundled:ada] [--clip driving.mp4]
                              [--weights bundled] [--compared 200] [--output FOLDER]

A thread that does nothing else pushes the clip, back and forth, at 25 pictures a second; without one, a drawn person is
filmed (needs the extra `portraits`). The main thread takes frames. For each size

- *rate, latency*: of the frames from the first that moves on; gaps are those between two frames. *Processor* is of the
  whole process. Set OMP_WAIT_POLICY=PASSIVE, as `fye` does, or idle threads of torch take the cores from others.

Then the same pictures are pushed again, each when the frame of the one before has come, so that the picture does not
depend on what else the machine does:

- *landmark error*: how far brows, lids, lips and pupils move otherwise than in the animation, both as the detector
  finds them, in % of the distance between the pupils. Beside it, that of a portrait which does not move.
- *flicker*: second difference of the frames, in levels from 0 to 1, beyond that of the animation; and that of the
  animation beyond the live one's.

Prints a table; with --output also writes it, live.json, and a contact sheet of driver, live frame and animation.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread

import numpy as np

from followyouremoji.animator import PortraitAnimator
from followyouremoji.benchmark.metrics.faces import landmark_distances
from followyouremoji.benchmark.metrics.regions import flicker
from followyouremoji.benchmark.tables import markdown, number
from followyouremoji.errors import ClipError, UserError
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.topology import N_LANDMARKS
from followyouremoji.face.tracking import track_motion
from followyouremoji.live import LiveFrame
from followyouremoji.live.portrait import scaled
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.inputs import InputFile
from followyouremoji.media.pictures import contact_sheet, resize_picture, write_picture
from followyouremoji.requests.bundled import portrait_path

RATE = 25.0  # pictures a second
DRAWN = (125, 256, 960_000)  # frames, pixels a side, seed
SHEET = 8  # frames on the contact sheet
WAIT = 60.0  # seconds at most for a frame
TARGETS = "at 256 pixels, 20 frames a second or more, latency 300 and 500 ms or less"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--size", type=int, nargs="+", default=[256])
    parser.add_argument("--portrait", default="bundled:ada")
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--compared", type=int, default=200, help="frames at most; 0 compares none")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    try:
        measure(options)
    except UserError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


def measure(options: argparse.Namespace) -> None:
    """Measure each size and write everything."""
    pictures = drawn_clip() if options.clip is None else read_clip(options.clip)
    animator = PortraitAnimator.from_pretrained(options.weights)
    rows = []
    for size in options.size:
        run = push(animator, options, pictures, size)
        row = {"size": size, **figures(run)}
        if options.compared:
            row |= compare(animator, options, pictures, size)
        rows.append(row)
        print(json.dumps(row), flush=True)
    page = f"{table(rows)}\n\nTo show: {TARGETS}."
    print(page)
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "live.md").write_text(page + "\n")
        (options.output / "live.json").write_text(json.dumps(rows, indent=1))


def read_clip(path: Path) -> list[np.ndarray]:
    """A clip's pictures, 25 a second."""
    with ClipReader(InputFile.of(path, ClipError, "a clip", "the clip"), frame_rate=RATE) as clip:
        return [picture for _, picture in clip]


def drawn_clip() -> list[np.ndarray]:
    """Five seconds of a drawn person."""
    from followyouremoji.portraits import draw_portrait, expressive_motion, random_identity

    frames, size, seed = DRAWN
    rng = np.random.default_rng(seed)
    identity = random_identity(rng, "person")
    return [draw_portrait(identity, one, size).picture for one in expressive_motion(rng, frames, RATE)]


def back_and_forth(pushed: int, frames: int) -> int:
    """The frame of a clip that is pushed as number `pushed`."""
    place = pushed % max(1, 2 * frames - 2)
    return place if place < frames else 2 * frames - 2 - place


@dataclass(frozen=True)
class Run:
    """Live frames, when each was taken, by the clock and by the processor's time, and pictures in all."""

    frames: list[LiveFrame]
    taken: np.ndarray
    processor: np.ndarray
    pushed: int
    dropped: int


def push(
    animator: PortraitAnimator, options: argparse.Namespace, pictures: Sequence[np.ndarray], size: int
) -> Run:
    """Push a clip for some seconds, and take what comes."""
    frames: list[LiveFrame] = []
    taken: list[tuple[float, float]] = []
    ended = Event()

    keeping = Lock()

    def keep(ready: list[LiveFrame]) -> None:
        with keeping:
            frames.extend(ready)
            taken.extend([(time.perf_counter(), time.process_time())] * len(ready))

    with animator.live(portrait_path(options.portrait), size=size) as live:

        def camera() -> None:
            began = time.perf_counter()
            for count in range(round(options.seconds * RATE)):
                time.sleep(max(0.0, began + count / RATE - time.perf_counter()))
                keep(live.push(pictures[back_and_forth(count, len(pictures))], count / RATE))
            ended.set()

        pusher = Thread(target=camera)
        pusher.start()
        while not ended.is_set():
            keep(live.take(0.1))
        pusher.join()
        state = live.figures
    clock, processor = np.array(taken).T
    return Run(frames, clock, processor, state.pushed, state.dropped)


def figures(run: Run) -> dict[str, object]:
    """Rate and latency from the first frame that moves on."""
    states = Counter(frame.state for frame in run.frames)
    first = next((place for place, frame in enumerate(run.frames) if frame.state == "live"), 0)
    frames, taken, processor = run.frames[first:], run.taken[first:], run.processor[first:]
    seconds = max(taken[-1] - taken[0], 1 / RATE)
    median, slow = np.percentile([frame.latency for frame in frames], (50, 95))
    return {
        "rate": (len(frames) - 1) / seconds,
        "latency": 1000 * float(median),
        "slow_latency": 1000 * float(slow),
        "slow_gap": 1000 * float(np.percentile(np.diff(taken), 95)),
        "processor": 1000 * (processor[-1] - processor[0]) / max(1, len(frames) - 1),
        "pushed": run.pushed,
        "dropped": run.dropped,
        "states": dict(states),
    }


def compare(
    animator: PortraitAnimator, options: argparse.Namespace, pictures: Sequence[np.ndarray], size: int
) -> dict[str, float]:
    """The picture of live frames against that of an animation of the clip."""
    live = stepped(animator, options, pictures, size)
    shown = [back_and_forth(round(frame.time * RATE), len(pictures)) for frame in live]
    found = scaled(animator.faces.portrait(portrait_path(options.portrait)), size)
    with FaceDetector() as detector:
        clip = ((count / RATE, picture) for count, picture in enumerate(pictures))
        motion, _ = track_motion(clip, RATE, detector, "the clip")
    prepared = animator.prepare(found, motion.smoothed())
    animation = np.stack(list(animator.frames(prepared)))[shown]
    ours = np.stack([frame.picture for frame in live])
    if options.output:
        write_sheet(
            options.output / f"live-{size}.png", [pictures[place] for place in shown], ours, animation
        )
    points, wanted = observed(ours), observed(animation)
    still = np.broadcast_to(np.nanmedian(wanted, axis=0), wanted.shape)
    moving, resting = (landmark_distances(one, wanted, same_face=False) for one in (points, still))
    return {
        "landmark_error": 100 * float(moving[np.isfinite(moving)].mean()),
        "landmark_error_still": 100 * float(resting[np.isfinite(resting)].mean()),
        "flicker": flicker(ours, animation),
        "flicker_animation": flicker(animation, ours),
    }


def stepped(
    animator: PortraitAnimator, options: argparse.Namespace, pictures: Sequence[np.ndarray], size: int
) -> list[LiveFrame]:
    """A frame for each picture, from a second after the first that moves."""
    frames: list[LiveFrame] = []
    with animator.live(portrait_path(options.portrait), size=size) as live:
        for count in range(len(pictures) + options.compared):
            frames += live.push(pictures[back_and_forth(count, len(pictures))], count / RATE)
            while not frames or frames[-1].time < count / RATE:
                frames += live.take(WAIT)
            moving = [frame for frame in frames if frame.state == "live"]
            if len(moving) >= RATE + options.compared:
                break
    return moving[round(RATE) :]


def write_sheet(path: Path, pictures: Sequence[np.ndarray], ours: np.ndarray, animation: np.ndarray) -> None:
    """Driver, live frame and animation, side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells: list[np.ndarray] = []
    for place in np.linspace(0, len(ours) - 1, SHEET).astype(int):
        driver = resize_picture(pictures[place], (ours.shape[2], ours.shape[1]))
        cells += [driver, ours[place], animation[place]]
    write_picture(path, contact_sheet(cells, 6), overwrite=True)


def observed(frames: np.ndarray) -> np.ndarray:
    """The points that the detector finds in frames (T, h, w, 3): (T, 478, 2) pixels, NaN without a face."""
    with FaceDetector() as detector:
        seen = list(detector.track(iter(frames)))
    nothing = np.full((N_LANDMARKS, 2), np.nan)
    return np.stack([nothing if one is None else one.points for one in seen])


def table(rows: Sequence[dict[str, object]]) -> str:
    titles = {
        "size": ("pixels", 0),
        "rate": ("frames/s", 1),
        "latency": ("latency p50, ms", 0),
        "slow_latency": ("p95, ms", 0),
        "slow_gap": ("gap p95, ms", 0),
        "processor": ("processor, ms a frame", 0),
        "pushed": ("pushed", 0),
        "dropped": ("dropped", 0),
        "landmark_error": ("landmark error, %", 2),
        "landmark_error_still": ("of a still portrait, %", 2),
        "flicker": ("flicker", 5),
        "flicker_animation": ("of the animation", 5),
    }
    shown = [name for name in titles if name in rows[0]]
    cells = [[number(float(str(row[name])), titles[name][1]) for name in shown] for row in rows]
    return markdown([[titles[name][0] for name in shown], *cells])


if __name__ == "__main__":
    main()
