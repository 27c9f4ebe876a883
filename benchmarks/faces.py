"""Time of all that is computed about a face for every frame, part by part; `landmarks.py` prints it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from followyouremoji.face.alignment import align_motion
from followyouremoji.face.blending import blend_face, place_face
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks, expression_mask, face_mask
from followyouremoji.face.motion import Motion
from followyouremoji.face.warping import warp_portrait
from followyouremoji.framing import FaceAlone
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.cropping import Crop
from followyouremoji.media.pictures import read_picture, resize_picture
from followyouremoji.media.writing import open_encoder
from followyouremoji.requests.bundled import bundled_motion, portrait_path

PORTRAIT, MOTION = "bundled:ada", "talk"
WINDOW = 128  # pixels a side, of the bundled model
SMOOTH = LandmarkStyle(antialiased=True)
SLOW_FRAMES = 12  # that the parts of several milliseconds are measured on, a round


@dataclass(frozen=True)
class Cost:
    """Milliseconds a frame, on the clock and of the processor (all threads together)."""

    clock: float
    processor: float


def alternated(runs: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, Cost]:
    """The least cost of each run over the rounds, in which they take turns; a run returns its number of frames."""
    best = dict.fromkeys(runs, Cost(float("inf"), float("inf")))
    for _ in range(rounds):
        for name, run in runs.items():
            clock, processor = time.perf_counter(), time.process_time()
            frames = run()
            processor, clock = time.process_time() - processor, time.perf_counter() - clock
            kept = best[name]
            best[name] = Cost(
                min(kept.clock, 1000 * clock / frames), min(kept.processor, 1000 * processor / frames)
            )
    return best


def bundled_performance(size: int) -> Iterator[np.ndarray]:
    """A clip for machines that have none: the bundled portrait, warped by the bundled motion."""
    picture = resize_picture(read_picture(portrait_path(PORTRAIT)), (size, size))
    with FaceDetector() as detector:
        face = detector.detect(picture)
    for points in align_motion(bundled_motion(MOTION), face):
        yield warp_portrait(picture, face.points, points)


def frame_costs(clip: Path, motion: Motion, folder: Path, rounds: int) -> dict[str, Cost]:
    """Each part alone, for the frames of a clip and its motion; encoded files go to `folder`."""
    with ClipReader(clip) as reader:
        pictures = [picture for _, picture in reader][: 4 * SLOW_FRAMES]
    side = pictures[0].shape[0]
    reference = Landmarks(motion.landmarks[0], motion.size)
    points = align_motion(motion, reference)[: len(pictures)]
    small = points * (WINDOW / side)

    def over(items: Iterable[np.ndarray], work: Callable[[np.ndarray], object]) -> Callable[[], int]:
        kept = list(items)

        def run() -> int:
            for item in kept:
                work(item)
            return len(kept)

        return run

    square, window = (side, side), (WINDOW, WINDOW)
    runs = {
        f"landmarks drawn as released, {side}": over(points, lambda p: draw_landmarks(p, square)),
        f"landmarks drawn antialiased, {side}": over(points, lambda p: draw_landmarks(p, square, SMOOTH)),
        f"landmarks drawn antialiased, {WINDOW}": over(small, lambda p: draw_landmarks(p, window, SMOOTH)),
        f"expression mask, {side}": over(points, lambda p: expression_mask(p, square)),
        f"expression mask, {WINDOW}": over(small, lambda p: expression_mask(p, window)),
        f"face mask, {side}": over(points, lambda p: face_mask(p, square)),
        "motion smoothed": lambda: len(motion.smoothed()),
        "motion aligned": lambda: len(align_motion(motion, reference)),
        f"frame encoded as MP4, {side}": lambda: encoded(pictures, folder, ".mp4"),
        f"frame encoded as WebP, {side}": lambda: encoded(pictures[:SLOW_FRAMES], folder, ".webp"),
    }
    costs = alternated(runs, rounds)
    for size in (512, 1024):
        costs |= warping_costs(resize_picture(pictures[0], (size, size)), points * (size / side), rounds)
    return costs


def warping_costs(picture: np.ndarray, points: np.ndarray, rounds: int) -> dict[str, Cost]:
    """The portrait warped, and a generated face blended into it, in a square of the picture's size. Noise replaces the
    networks' results."""
    size = picture.shape[0]
    rng = np.random.default_rng(0)
    result, coded = rng.integers(0, 256, (2, WINDOW, WINDOW, 3), np.uint8)
    own = points[0]
    shifts = iter(np.arange(1, 1000) * 1e-3)

    def warped_otherwise() -> FaceAlone:
        """Other landmarks each time, since the warps of earlier ones are cached."""
        moved = points[1 : 1 + SLOW_FRAMES] + next(shifts)
        whole = (slice(0, size), slice(0, size))
        return FaceAlone(Crop(0.0, 0.0, float(size)), picture, own, moved, WINDOW, whole)

    def window_warps() -> int:
        face = warped_otherwise()
        return len([face.warped(frame) for frame in range(len(face.points_in_picture))])

    def warps() -> int:
        face = warped_otherwise()
        return len([warp_portrait(picture, own, there) for there in face.points_in_picture])

    still = warped_otherwise()

    def faces() -> int:
        shown = picture.copy()
        for window, there in zip(still.windows, still.points_in_picture, strict=True):
            place_face(shown, result, coded, window, there)
        return len(still.windows)

    def blends() -> int:
        return len([blend_face(picture, picture[::-1], there) for there in still.points_in_picture])

    def whole() -> int:
        face = warped_otherwise()
        for frame in range(len(face.points_in_picture)):
            face.warped(frame)
            face.finished(result, frame, coded)
        return len(face.points_in_picture)

    return alternated(
        {
            f"portrait warped into the face window, from {size}": window_warps,
            f"portrait warped, {size}": warps,
            f"generated face in the warp's texture, {size}": faces,
            f"face blended in, {size}": blends,
            f"warp and finished frame together, {size}": whole,
        },
        rounds,
    )


def encoded(pictures: list[np.ndarray], folder: Path, ending: str) -> int:
    """Frames encoded in the thread that makes them, without `ClipWriter`'s."""
    height, width = pictures[0].shape[:2]
    path = folder / f"encoded{ending}"
    path.unlink(missing_ok=True)
    encoder = open_encoder(path, ending, Fraction(25), (width, height), None, "benchmark")
    try:
        for picture in pictures:
            encoder.write(picture)
        encoder.finish()
    finally:
        encoder.close()
    return len(pictures)
